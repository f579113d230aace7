// EXITRL_TARGET_BEGIN("avx2,fma") ... EXITRL_TARGET_END: functions between them are compiled for these instructions.
#pragma once

#if defined(__clang__)
#define EXITRL_PRAGMA(text) _Pragma(#text)
#define EXITRL_TARGET_BEGIN(isa) EXITRL_PRAGMA(clang attribute push(__attribute__((target(isa))), apply_to = function))
#define EXITRL_TARGET_END _Pragma("clang attribute pop")
#else
#define EXITRL_PRAGMA(text) _Pragma(#text)
#define EXITRL_TARGET_BEGIN(isa) _Pragma("GCC push_options") EXITRL_PRAGMA(GCC target(isa))
#define EXITRL_TARGET_END _Pragma("GCC pop_options")
#endif
