// The fused language-model head: logits, log-probability, entropy, and their gradients in row chunks.
// A [T, V] tensor is never materialised: kHeadChunk rows of logits at a time.
//
//   z = (h W^T) / temperature,  lse = max z + log sum exp(z - max z),  logprob = (z_y - max z) - log(sum),
//   entropy = log(sum) - sum p (z - max z)
//   dz_v = dlogprob (1[v = y] - p_v) - dentropy p_v (log p_v + entropy),  dh = dz W / temperature,  dW += dz^T h / temperature
//
// row_logprob is the one definition of a row's numbers: the sampler uses it on the same logits, hence the same bits.
#pragma once
#include <cstdint>
#include <functional>

#include "core/pool.h"
#include "ops/matmul/matmul.h"

namespace exitrl {

constexpr int64_t kHeadChunk = 256;

struct RowStatistics {
  float max;      // largest scaled logit
  float sum;      // sum of exp(z - max): sixteen lanes (index mod 16), fixed tree
  float log_sum;  // log(sum), computed in double, rounded once
  float entropy;  // nats
};
// A logit of -inf is a token that cannot come. If any logit is NaN, sum, log_sum and entropy are NaN.
// logits (V) unscaled; inverse_temperature multiplies them.
RowStatistics row_statistics(const float* logits, int64_t V, float inverse_temperature);
// The same, and exponentials[v] = exp(z - max).
RowStatistics row_exponentials(const float* logits, int64_t V, float inverse_temperature, float* exponentials /* (V) = */);
inline float row_logprob(const RowStatistics& s, float logit, float inverse_temperature) {
  return (logit * inverse_temperature - s.max) - s.log_sum;
}

struct HeadForward {
  const float* h;           // (R, C) hidden rows after the final norm
  PackedWeight packed;      // (V, C)
  const int32_t* targets;   // (R)
  float* logprob;           // (R) =
  float* entropy;           // (R) = ; or null
  float* logits;            // scratch, kHeadChunk * V floats
  int64_t R, C, V;
  float temperature;
};
void head_forward(Pool& pool, const HeadForward& a);

// Forward and backward in one sweep. For every chunk of rows [begin, end) `coefficients(begin, end)` is called after
// logprob and entropy of these rows are known; it must fill dlogprob and dentropy of these rows.
struct HeadFused {
  const float* h;            // (R, C)
  PackedWeight packed;       // (V, C); its precision is that of the backward products too
  const float* w;            // (V, C)
  const int32_t* targets;    // (R)
  float* logprob;            // (R) =
  float* entropy;            // (R) =
  const float* dlogprob;     // (R) filled by `coefficients`
  const float* dentropy;     // (R) filled by `coefficients`; or null: no gradient through the entropy
  float* dh;                 // (R, C) =
  float* dw;                 // (V, C) += ; or null
  float* logits;             // scratch, kHeadChunk * V floats
  int64_t R, C, V;
  float temperature;
  std::function<void(int64_t begin, int64_t end)> coefficients;
};
void head_fused(Pool& pool, const HeadFused& a);

}  // namespace exitrl
