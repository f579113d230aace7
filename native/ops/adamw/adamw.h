// AdamW with decoupled weight decay (Loshchilov & Hutter, arXiv 1711.05101), torch's order of operations:
//   p *= 1 - lr * weight_decay;  m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;
//   p -= lr * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps),   g = grad_scale * grad
#pragma once
#include <cstdint>

#include "core/pool.h"

namespace exitrl {

struct AdamW {
  float* p;          // (n)
  const float* grad; // (n)
  float* m;          // (n)
  float* v;          // (n)
  int64_t n;
  int64_t step;      // 1 for the first update
  double lr, beta1, beta2, eps, weight_decay;
  double grad_scale; // clip factor
};
void adamw(Pool& pool, const AdamW& a);

}  // namespace exitrl
