// AdamW on a device (formula: ops/adamw/adamw.h): one launch for all parameters, gradients cleared on the way. 28 bytes a
// parameter with bf16 weights, and 4 for clearing.
#pragma once
#include <cstdint>

#include "core/bf16.h"

namespace exitrl::device {

// What changes from step to step: read on the device, so that nothing waits for it.
struct AdamWStep {
  double lr, beta1, beta2, eps, weight_decay;
  double correction1, correction2;  // 1 - beta^t
};
// A range of the slab. Ranges ascend and do not overlap.
struct AdamWRange {
  int64_t offset, size;
  int32_t decayed;
};

struct AdamW {
  float* master;             // (n) weights in fp32
  void* weights;             // (n) = rounded to `precision`; master itself for fp32
  float* grad;               // (n) = 0
  float* m;                  // (n)
  float* v;                  // (n)
  const AdamWRange* ranges;  // (range_count)
  const AdamWStep* step;
  const double* clip;        // factor of the gradients (norm_device.h); not finite: nothing but the gradients changes
  int64_t range_count, n;
  Precision precision;
};

}  // namespace exitrl::device
