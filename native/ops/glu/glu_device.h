// Gated linear unit on a device (formulas: ops/glu/glu.h). Forward moves 3 T F numbers, backward 5 T F, or 6 with y.
#pragma once
#include <cstdint>

#include "core/bf16.h"
#include "ops/glu/glu.h"

namespace exitrl::device {

struct GluForward {
  const void* gate_up;  // (T, 2F): gate in [0, F), up in [F, 2F)
  void* y;              // (T, F) =
  int64_t T, F;
  Activation activation;
  Precision precision;
};

struct GluBackward {
  const void* dy;       // (T, F)
  const void* gate_up;  // (T, 2F)
  void* dgate_up;       // (T, 2F) = ; may be gate_up
  void* y;              // (T, F) = the forward output again; or null
  int64_t T, F;
  Activation activation;
  Precision precision;
};

}  // namespace exitrl::device
