// Sampling one token from a row of logits. Order of the filters as in transformers' generate():
// repetition penalty, temperature, top-k, top-p, min-p. temperature 0 is greedy (ties: lowest id).
#pragma once
#include <cstdint>
#include <vector>

namespace exitrl {

struct SamplingSettings {
  float temperature = 1.0f;
  int32_t top_k = 0;                // 0: off
  float top_p = 1.0f;               // 1: off
  float min_p = 0.0f;               // 0: off
  float repetition_penalty = 1.0f;  // 1: off
  bool operator==(const SamplingSettings&) const = default;
  bool filtered() const { return top_k > 0 || top_p < 1.0f || min_p > 0.0f || repetition_penalty != 1.0f; }
};

// Scratch of one thread, reused between rows.
struct SampleScratch {
  std::vector<float> probabilities;  // (V)
  std::vector<double> sums;          // of blocks of probabilities
  std::vector<float> values;         // candidates of top-k
  std::vector<double> mass;          // buckets of top-p
  std::vector<uint64_t> keys;        // candidates of top-p
  std::vector<int32_t> penalised;    // distinct ids of the context, ascending
  std::vector<float> replaced;       // their logits before the repetition penalty
};

struct SampledToken {
  int32_t token;
  float logprob;      // of the distribution sampled from: after temperature and filters, renormalised over the kept set
  float raw_logprob;  // of softmax(logits) at temperature 1, no filters
};

// u in [0, 1) picks by inverse transform over ascending token ids of the kept set.
// `logits` (V) is read only, except that the repetition penalty, if on, is applied in place to the ids in `context`.
// Without filters, logprob equals row_logprob() at this temperature bit for bit (head.h). Greedy reports logprob at
// temperature 1. A row with a NaN, or with nothing but -inf, gives token 0 and NaN log-probabilities.
SampledToken sample_row(float* logits, int64_t V, const SamplingSettings& settings, double u,
                        const int32_t* context, int64_t context_count, SampleScratch& scratch);

// The distribution after all filters, for tests and evaluation: probabilities (V), 0 where dropped.
void filtered_distribution(float* logits, int64_t V, const SamplingSettings& settings, const int32_t* context,
                           int64_t context_count, SampleScratch& scratch, float* probabilities);

}  // namespace exitrl
