#include "ops/lora/lora.h"

#include <vector>

#include "ops/matmul/matmul.h"
#include "ops/rows.h"

namespace exitrl {
namespace {

void multiply(Pool& pool, float* x, int64_t n, float factor) {
  if (factor == 1.0f) return;
  pool.parallel_for(n, kBlockElements, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) x[i] *= factor;
  });
}

}  // namespace

void lora_forward(Pool& pool, const LoraForward& a) {
  const int64_t width = int64_t(a.targets.size()) * a.R;
  linear_forward(pool, {a.x, a.packed, nullptr, nullptr, a.u, a.T, width, a.K});
  multiply(pool, a.u, a.T * width, a.scale);
  const float* u = a.u;
  for (const LoraTarget& t : a.targets) {
    float* const y = a.y + t.column;
    linear_forward(pool, {u, t.packed, nullptr, y, y, a.T, t.N, a.R, width, a.y_stride});
    u += a.R;
  }
}

void lora_backward(Pool& pool, const LoraBackward& a) {
  const int64_t width = int64_t(a.targets.size()) * a.R;
  const float* u = a.u;
  float* du = a.du;
  for (const LoraTarget& t : a.targets) {
    linear_backward(pool, {a.dy + t.column, u, t.b, nullptr, du, t.db, nullptr, a.T, t.N, a.R, Precision::f32, a.dy_stride, width, width});
    u += a.R;
    du += a.R;
  }
  multiply(pool, a.du, a.T * width, a.scale);
  if (a.dx) linear_backward(pool, {a.du, nullptr, a.a, a.dx, a.dx, nullptr, nullptr, a.T, width, a.K});
}

void lora_backward_a(Pool& pool, const LoraBackwardA& a) {
  linear_backward(pool, {a.du, a.x, nullptr, nullptr, nullptr, a.da, nullptr, a.T, a.GR, a.K});
}

void lora_merge(Pool& pool, const LoraMerge& a) {
  pool.parallel_for(a.N, row_grain(a.K * a.R), [&](int64_t begin, int64_t end, int) {
    std::vector<double> sum(static_cast<size_t>(a.K));
    for (int64_t n = begin; n < end; ++n) {
      sum.assign(size_t(a.K), 0.0);
      for (int64_t r = 0; r < a.R; ++r) {
        const double b = double(a.b[n * a.R + r]);
        const float* const row = a.a + r * a.K;
        for (int64_t k = 0; k < a.K; ++k) sum[size_t(k)] += b * double(row[k]);
      }
      float* const w = a.w + n * a.K;
      for (int64_t k = 0; k < a.K; ++k) w[k] = float(double(w[k]) + double(a.scale) * sum[size_t(k)]);
    }
  });
}

}  // namespace exitrl
