// Compiles the file named by EXITRL_KERNELS once per instruction set, each copy in its own namespace
// (exitrl::avx512, exitrl::avx2, exitrl::neon, exitrl::portable). Include all standard headers before this one.
// In that file, code goes into `namespace exitrl::EXITRL_ISA { ... }` and may use F16 from there.
// EXITRL_DISPATCH(fn) is a pointer to the copy of `fn` for the set in use.
//
// Portable code has no fused multiply-add and therefore its own rounding; the others agree bit for bit.
#include <cmath>
#include <cstdint>
#include <cstring>
#include "core/bf16.h"
#include "core/simd/isa.h"
#include "core/simd/target.h"
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define EXITRL_ISA portable
#define EXITRL_ISA_PORTABLE 1
#include "core/simd/f16_portable.h"
#include EXITRL_KERNELS
#undef EXITRL_ISA_PORTABLE
#undef EXITRL_ISA

#if defined(__x86_64__)
EXITRL_TARGET_BEGIN("avx2,fma")
#define EXITRL_ISA avx2
#define EXITRL_ISA_AVX2 1
#include "core/simd/f16_avx2.h"
#include EXITRL_KERNELS
#undef EXITRL_ISA_AVX2
#undef EXITRL_ISA
EXITRL_TARGET_END
EXITRL_TARGET_BEGIN("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw,prefer-vector-width=512")
#define EXITRL_ISA avx512
#define EXITRL_ISA_AVX512 1
#include "core/simd/f16_avx512.h"
#include EXITRL_KERNELS
#undef EXITRL_ISA_AVX512
#undef EXITRL_ISA
EXITRL_TARGET_END
#define EXITRL_DISPATCH(fn)                                              \
  (::exitrl::simd::isa() == ::exitrl::simd::Isa::avx512 ? &avx512::fn    \
   : ::exitrl::simd::isa() == ::exitrl::simd::Isa::avx2 ? &avx2::fn      \
                                                        : &portable::fn)
#elif defined(__aarch64__)
#define EXITRL_ISA neon
#define EXITRL_ISA_NEON 1
#include "core/simd/f16_neon.h"
#include EXITRL_KERNELS
#undef EXITRL_ISA_NEON
#undef EXITRL_ISA
#define EXITRL_DISPATCH(fn) (::exitrl::simd::isa() == ::exitrl::simd::Isa::neon ? &neon::fn : &portable::fn)
#else
#define EXITRL_DISPATCH(fn) (&portable::fn)
#endif
