#include "ops/adamw/adamw.h"

#include <cmath>

#include "ops/rows.h"

namespace exitrl {
namespace {

// What all elements share, computed in double and rounded once.
struct AdamWFactors {
  float grad_scale, decay, eps, beta1, one_minus_beta1, beta2, one_minus_beta2;
  float step_size;  // lr / (1 - beta1^t)
  float unbias;     // 1 / sqrt(1 - beta2^t)
};

}  // namespace
}  // namespace exitrl

#define EXITRL_KERNELS "ops/adamw/adamw.inl"
#include "core/simd/foreach_isa.h"

namespace exitrl {

void adamw(Pool& pool, const AdamW& a) {
  const double t = double(a.step);
  const AdamWFactors factors{
      .grad_scale = float(a.grad_scale),
      .decay = float(1.0 - a.lr * a.weight_decay),
      .eps = float(a.eps),
      .beta1 = float(a.beta1),
      .one_minus_beta1 = float(1.0 - a.beta1),
      .beta2 = float(a.beta2),
      .one_minus_beta2 = float(1.0 - a.beta2),
      .step_size = float(a.lr / (1.0 - std::pow(a.beta1, t))),
      .unbias = float(1.0 / std::sqrt(1.0 - std::pow(a.beta2, t))),
  };
  const auto range = EXITRL_DISPATCH(adamw_range);
  pool.parallel_for(a.n, kBlockElements / 4, [&](int64_t begin, int64_t end, int) { range(a, factors, begin, end); });
}

}  // namespace exitrl
