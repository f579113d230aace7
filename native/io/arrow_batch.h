// Arrow columns -> RolloutBatch.
#pragma once
#include "io/arrow_column.h"
#include "io/batch.h"

namespace exitrl {

enum class BatchUse { score, embed, update };  // score reads `tokens` alone, embed also `loss_mask`

// Views of a validated batch: names and types as lib/batch/schema.ts has them, no nulls. The batch must outlive them.
RolloutBatch rollout_batch(const ArrowColumn& batch, BatchUse use);
// The `tokens` column alone: the prompts of generate().
ListView<int32_t> token_lists(const ArrowColumn& batch);

}  // namespace exitrl
