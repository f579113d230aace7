// The language-model head on a device, in chunks of rows: a Gemm writes fp32 logits, head_rows reads them once, head_gradient
// turns them into gradients in place, two Gemms use these (formulas: ops/head/head.h).
#pragma once
#include <cstdint>

#include "core/bf16.h"

namespace exitrl::device {

struct HeadRows {
  const float* logits;     // (R, V), row stride V, unscaled
  const int32_t* targets;  // (R)
  float* logprob;          // (R) =
  float* entropy;          // (R) =
  float* max;              // (R) = largest scaled logit
  float* log_sum;          // (R) =
  int64_t R, V;
  float inverse_temperature;
};

struct HeadGradient {
  float* logits;  // (R, V) fp32 in, gradients by the unscaled logits out: rows of `precision` numbers, row stride gradient_stride()
  const int32_t* targets;  // (R)
  const float* max;        // (R)
  const float* log_sum;    // (R)
  const float* entropy;    // (R)
  const float* dlogprob;   // (R)
  const float* dentropy;   // (R); or null
  int64_t R, V;
  float inverse_temperature;
  Precision precision;
};
// Numbers from row to row of the gradients, which lie where the logits lay.
inline int64_t gradient_stride(int64_t V, Precision precision) { return precision == Precision::bf16 ? 2 * V : V; }

}  // namespace exitrl::device
