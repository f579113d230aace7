// RMSNorm on a device (formulas: ops/rmsnorm/rmsnorm.h). Sums in fp32, in an order that depends on C alone. Forward moves 2 T C
// numbers, backward 4 T C with an addend. A residual is added by the product before (linear_device.h).
#pragma once
#include <cstdint>

#include "core/bf16.h"

namespace exitrl::device {

struct RmsNormForward {
  const void* x;  // (T, C)
  const void* w;  // (C)
  void* y;        // (T, C) =
  float* rstd;    // (T) = ; or null
  int64_t T, C;
  float eps, w_offset;
  Precision precision;
};

struct RmsNormBackward {
  const void* dy;      // (T, C)
  const void* x;       // (T, C)
  const void* w;       // (C)
  const float* rstd;   // (T)
  const void* addend;  // (T, C) or null, added to dx; may be dx itself
  void* dx;            // (T, C) = ; may be dy
  float* dw;           // (C) += ; or null
  float* partials;     // scratch of rmsnorm_partials() floats; or null where dw is
  int64_t T, C;
  float w_offset;
  Precision precision;
};

// Rows whose share of dw one block sums; both these sums and the one over the shares run in an order that depends on T and C alone.
constexpr int64_t kNormRows = 32;
inline int64_t rmsnorm_partials(int64_t T, int64_t C) { return (T + kNormRows - 1) / kNormRows * C; }

}  // namespace exitrl::device
