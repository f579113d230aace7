#include "ops/sample/sample.h"

#include <algorithm>
#include <cmath>

#include "ops/head/head.h"
#include "ops/sample/filters.h"

namespace exitrl {
namespace {
constexpr int64_t kSumBlock = 256;
}  // namespace
}  // namespace exitrl

#define EXITRL_KERNELS "ops/sample/sample.inl"
#include "core/simd/foreach_isa.h"

namespace exitrl {
namespace {

// scratch.sums = sums of the blocks of probabilities; returns their total.
double sum_blocks(int64_t V, SampleScratch& scratch) {
  scratch.sums.resize(size_t((V + kSumBlock - 1) / kSumBlock));
  EXITRL_DISPATCH(block_sums_kernel)(scratch.probabilities.data(), V, scratch.sums.data());
  double total = 0;
  for (double sum : scratch.sums) total += sum;
  return total;
}

// First id whose cumulative sum exceeds target; if rounding leaves none, the last id with a probability.
int32_t pick(int64_t V, double target, const SampleScratch& scratch) {
  double below = 0;
  int64_t chosen = 0;
  bool exceeded = false;
  for (size_t block = 0; block < scratch.sums.size() && !exceeded; ++block) {
    if (scratch.sums[block] <= 0.0) continue;
    chosen = int64_t(block);
    exceeded = below + scratch.sums[block] > target;
    if (!exceeded) below += scratch.sums[block];
  }
  int32_t token = 0;
  for (int64_t v = chosen * kSumBlock; v < std::min(V, (chosen + 1) * kSumBlock); ++v) {
    const float e = scratch.probabilities[size_t(v)];
    if (e <= 0.0f) continue;
    token = int32_t(v);
    below += e;
    if (exceeded && below > target) break;
  }
  return token;
}

int32_t argmax(const float* logits, int64_t V, float largest) {
  for (int64_t v = 0; v < V; ++v)
    if (logits[v] == largest) return int32_t(v);
  return 0;
}

// The logit the token had before the repetition penalty.
float original_logit(const float* logits, int32_t token, bool penalised, const SampleScratch& scratch) {
  if (penalised) {
    const auto at = std::lower_bound(scratch.penalised.begin(), scratch.penalised.end(), token);
    if (at != scratch.penalised.end() && *at == token) return scratch.replaced[size_t(at - scratch.penalised.begin())];
  }
  return logits[token];
}

RowStatistics filter(const float* logits, int64_t V, const SamplingSettings& s, SampleScratch& scratch) {
  scratch.probabilities.resize(size_t(V));
  float* e = scratch.probabilities.data();
  const RowStatistics statistics = row_exponentials(logits, V, 1.0f / s.temperature, e);
  if (std::isnan(statistics.sum)) return statistics;
  if (s.top_k > 0) keep_top_k(logits, V, s.top_k, e, scratch);
  if (s.top_p < 1.0f) keep_top_p(V, s.top_p, sum_blocks(V, scratch), e, scratch);
  if (s.min_p > 0.0f) keep_min_p(V, s.min_p, e);
  return statistics;
}

}  // namespace

SampledToken sample_row(float* logits, int64_t V, const SamplingSettings& s, double u, const int32_t* context,
                        int64_t context_count, SampleScratch& scratch) {
  const bool penalised = s.repetition_penalty != 1.0f, greedy = s.temperature == 0.0f;
  RowStatistics raw{};
  const bool raw_is_other = penalised || (!greedy && s.temperature != 1.0f);
  if (raw_is_other) raw = row_statistics(logits, V, 1.0f);
  if (penalised) repetition_penalty(logits, V, s.repetition_penalty, context, context_count, scratch);

  const RowStatistics used = greedy ? row_statistics(logits, V, 1.0f) : filter(logits, V, s, scratch);
  if (!raw_is_other) raw = used;
  if (std::isnan(used.sum)) return {0, NAN, NAN};

  SampledToken result{};
  if (greedy) {
    result.token = argmax(logits, V, used.max);
    result.logprob = row_logprob(used, logits[result.token], 1.0f);
  } else {
    const double total = sum_blocks(V, scratch);
    result.token = pick(V, u * total, scratch);
    const float inverse = 1.0f / s.temperature;
    RowStatistics kept = used;
    if (s.top_k > 0 || s.top_p < 1.0f || s.min_p > 0.0f) kept.log_sum = float(std::log(total));
    result.logprob = row_logprob(kept, logits[result.token], inverse);
  }
  result.raw_logprob = row_logprob(raw, original_logit(logits, result.token, penalised, scratch), 1.0f);
  return result;
}

void filtered_distribution(float* logits, int64_t V, const SamplingSettings& s, const int32_t* context,
                           int64_t context_count, SampleScratch& scratch, float* probabilities) {
  if (s.repetition_penalty != 1.0f)
    repetition_penalty(logits, V, s.repetition_penalty, context, context_count, scratch);
  if (s.temperature == 0.0f) {
    std::fill(probabilities, probabilities + V, 0.0f);
    probabilities[argmax(logits, V, row_statistics(logits, V, 1.0f).max)] = 1.0f;
    return;
  }
  filter(logits, V, s, scratch);
  const double total = sum_blocks(V, scratch);
  for (int64_t v = 0; v < V; ++v) probabilities[v] = float(scratch.probabilities[size_t(v)] / total);
}

}  // namespace exitrl
