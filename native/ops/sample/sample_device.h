// Sampling on a device: one block per row, no sort (semantics: ops/sample/sample.h). Sums of probabilities are taken in a fixed
// order, so a row's token does not depend on the batch.
#pragma once
#include <cstdint>

#include "ops/sample/sample.h"

namespace exitrl::device {

struct Sample {
  const float* logits;        // (R, V)
  const int64_t* sequence;    // (R) key of the random numbers
  const int32_t* length;      // (R) tokens of the sequence so far: the position that is sampled
  const int32_t* history;     // (S, history_stride) tokens; read by the repetition penalty only
  const int32_t* slot;        // (R) row of `history`
  int32_t* token;             // (R) =
  float* logprob;             // (R) =
  float* raw_logprob;         // (R) =
  int64_t R, V, history_stride;
  const uint64_t* seed;       // (1) on the device: a recorded step serves calls with other seeds
  SamplingSettings settings;
};

}  // namespace exitrl::device
