// Sequences of a rollout batch, packed for one training pass. Sequences that begin alike (the samples of a group) share the
// rows of their common beginning: these are computed once, forward and backward.
#pragma once
#include <cstdint>
#include <vector>

#include "io/batch.h"
#include "models/decoder.h"

namespace exitrl {

// Which tokens are predicted: those in the loss mask, every token that has a predecessor (scoring), or none, and every row
// is computed all the same. Rows behind the last prediction of a sequence are left out.
enum class Targets { loss_mask, all, none };

// Consecutive rows of the rollout batch whose sequences begin with the same `shared` tokens. One alone shares all it has.
struct Family {
  int64_t first = 0, last = 0, shared = 0;
};

// Forms families from one row of the batch after the other. A row joins the family before it if that saves rows and what is
// shared is a fair part of the sequence: a family is one unit of work in attention's backward pass.
class FamilyGrowth {
 public:
  FamilyGrowth(const RolloutBatch& batch, Targets targets) : batch_(&batch), targets_(targets) {}
  bool add(int64_t row);  // false: the row begins a new family
  int64_t rows() const { return rows_; }  // of hidden states, all families together
  const Family& family() const { return family_; }

 private:
  const RolloutBatch* batch_;
  Targets targets_;
  Family family_;
  int64_t rows_ = 0;
};

struct MicroBatch {
  int64_t first = 0, last = 0;            // rows of the rollout batch
  std::vector<int32_t> tokens, positions; // (T)
  std::vector<AttentionSpan> spans;       // of every family: the shared rows, then those that continue them
  std::vector<AttentionSpan> copies;      // shared rows in the page that a continuation begins in: each has its own
  std::vector<int32_t> families;          // (F + 1) borders in spans
  std::vector<int32_t> page_tables;       // where the spans' page tables lie
  int64_t pages = 0;
  std::vector<int64_t> sequence_rows;     // row of every token that has one, sequences back to back
  // Trained tokens: the row of hidden states that predicts each, and what the loss needs of it.
  std::vector<int32_t> cu_trained;        // (B + 1)
  std::vector<int64_t> rows;              // (N) index into T; a shared row may predict several
  std::vector<int32_t> targets;           // (N)
  std::vector<int32_t> target_index;      // (N) position of the token in its sequence
  std::vector<float> behaviour, old_logprob, ref_logprob, advantage;  // (N), empty when absent

  int64_t T() const { return int64_t(tokens.size()); }
  int64_t B() const { return last - first; }
  int64_t N() const { return int64_t(targets.size()); }
  Rows view() const {
    return {tokens.data(), positions.data(), spans.data(), int64_t(spans.size()), T(), copies.data(), int64_t(copies.size()),
            families.data(), int64_t(families.size()) - 1};
  }
};

// Borders of micro-batches: rows [borders[i], borders[i + 1]) need at most `budget` rows of hidden states, or hold one
// longer sequence.
std::vector<int64_t> micro_batch_borders(const RolloutBatch& batch, int64_t budget, Targets targets);

void fill(MicroBatch& micro, const RolloutBatch& batch, int64_t first, int64_t last, Targets targets);

// Ids inside the vocabulary, lengths from 1 to max_positions, finite advantages, list columns as long as the tokens.
void validate(const RolloutBatch& batch, const DecoderConfig& config, Targets targets);

}  // namespace exitrl
