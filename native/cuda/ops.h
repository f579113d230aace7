// The device ops as functions of a context; ops/*/*.cu define them.
#pragma once
#include "cuda/context.h"
#include "device/op_list.h"

namespace exitrl::cuda {
#define EXITRL_OP(name, Arguments) void name(Context& context, const device::Arguments& a);
EXITRL_DEVICE_OPS(EXITRL_OP)
#undef EXITRL_OP
}  // namespace exitrl::cuda
