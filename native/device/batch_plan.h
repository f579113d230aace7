// Sorted lists that make sums over rows free of atomics: rows by token for the embedding's gradient, targets by row for the
// gradient of hidden states.
#pragma once
#include <cstdint>
#include <vector>

#include "train/micro_batch.h"

namespace exitrl::device {

struct BatchPlan {
  std::vector<int32_t> token_order;               // (T) rows sorted by token, equal tokens by row
  std::vector<int32_t> token_starts, token_ids;   // (U + 1), (U)
  std::vector<int32_t> scatter_starts;            // (T + 1) targets that each row predicts
  std::vector<int32_t> scatter_index;             // (N)
};
BatchPlan plan_batch(const MicroBatch& micro);

}  // namespace exitrl::device
