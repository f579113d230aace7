#include "ops/head/head.h"

#include <array>

#include "ops/rows.h"

#define EXITRL_KERNELS "ops/head/head.inl"
#include "core/simd/foreach_isa.h"

namespace exitrl {

RowStatistics row_statistics(const float* logits, int64_t V, float inverse_temperature) {
  return EXITRL_DISPATCH(row_statistics_kernel)(logits, V, inverse_temperature, nullptr);
}

RowStatistics row_exponentials(const float* logits, int64_t V, float inverse_temperature, float* exponentials) {
  return EXITRL_DISPATCH(row_statistics_kernel)(logits, V, inverse_temperature, exponentials);
}

namespace {

// Logits and what follows from them for the rows [begin, begin + rows); `statistics` of each, or null.
template <class Head>
void forward_chunk(Pool& pool, const Head& a, int64_t begin, int64_t rows, RowStatistics* statistics) {
  const float inverse = 1.0f / a.temperature;
  linear_forward(pool, {.x = a.h + begin * a.C, .packed = a.packed, .bias = nullptr, .residual = nullptr,
                        .y = a.logits, .T = rows, .N = a.V, .K = a.C});
  pool.parallel_for(rows, row_grain(a.V), [&](int64_t first, int64_t last, int) {
    for (int64_t i = first; i < last; ++i) {
      const float* logits = a.logits + i * a.V;
      const RowStatistics s = row_statistics(logits, a.V, inverse);
      if (statistics) statistics[i] = s;
      a.logprob[begin + i] = row_logprob(s, logits[a.targets[begin + i]], inverse);
      if (a.entropy) a.entropy[begin + i] = s.entropy;
    }
  });
}

}  // namespace

void head_forward(Pool& pool, const HeadForward& a) {
  for (int64_t begin = 0; begin < a.R; begin += kHeadChunk) forward_chunk(pool, a, begin, std::min(kHeadChunk, a.R - begin), nullptr);
}

void head_fused(Pool& pool, const HeadFused& a) {
  const float inverse = 1.0f / a.temperature;
  const auto gradient = EXITRL_DISPATCH(head_gradient_kernel);
  std::array<RowStatistics, kHeadChunk> statistics;
  for (int64_t begin = 0; begin < a.R; begin += kHeadChunk) {
    const int64_t rows = std::min(kHeadChunk, a.R - begin);
    forward_chunk(pool, a, begin, rows, statistics.data());
    a.coefficients(begin, begin + rows);
    pool.parallel_for(rows, row_grain(a.V), [&](int64_t first, int64_t last, int) {
      for (int64_t i = first; i < last; ++i) {
        float* dz = a.logits + i * a.V;
        const float dlogprob = a.dlogprob[begin + i];
        gradient(dz, a.V, statistics[size_t(i)], inverse, dlogprob, a.dentropy ? a.dentropy[begin + i] : 0.0f);
        dz[a.targets[begin + i]] += dlogprob * inverse;
      }
    });
    linear_backward(pool, {.dy = a.logits, .x = a.h + begin * a.C, .w = a.w, .addend = nullptr,
                           .dx = a.dh + begin * a.C, .dw = a.dw, .dbias = nullptr, .T = rows, .N = a.V, .K = a.C,
                           .precision = a.packed.precision()});
  }
}

}  // namespace exitrl
