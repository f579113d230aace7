// Whole sequences of a rollout batch, packed for one training pass.
#pragma once
#include <cstdint>
#include <vector>

#include "io/batch.h"
#include "models/decoder.h"

namespace exitrl {

struct MicroBatch {
  int64_t first = 0, last = 0;            // rows of the rollout batch
  std::vector<int32_t> tokens, positions; // (T)
  std::vector<int32_t> cu_seqlens;        // (B + 1)
  std::vector<int32_t> page_numbers;      // 0, 1, 2, ...
  std::vector<AttentionSpan> spans;       // one per sequence
  // Trained tokens: the row of hidden states that predicts each, and what the loss needs of it.
  std::vector<int32_t> cu_trained;        // (B + 1)
  std::vector<int64_t> rows;              // (N) index into T
  std::vector<int32_t> targets;           // (N)
  std::vector<float> behaviour, old_logprob, ref_logprob, advantage;  // (N), empty when absent

  int64_t T() const { return int64_t(tokens.size()); }
  int64_t B() const { return last - first; }
  int64_t N() const { return int64_t(targets.size()); }
  Rows view() const { return {tokens.data(), positions.data(), spans.data(), int64_t(spans.size()), T()}; }
};

// Borders of micro-batches: rows [borders[i], borders[i + 1]) hold at most `budget` tokens, or one longer sequence.
std::vector<int64_t> micro_batch_borders(const RolloutBatch& batch, int64_t budget);

// Which tokens get a row: those in the loss mask, or every token that has a predecessor (scoring).
enum class Targets { loss_mask, all };
void fill(MicroBatch& micro, const RolloutBatch& batch, int64_t first, int64_t last, Targets targets);

// Ids inside the vocabulary, lengths from 1 to max_positions, finite advantages, list columns as long as the tokens.
void validate(const RolloutBatch& batch, const DecoderConfig& config, Targets targets);

}  // namespace exitrl
