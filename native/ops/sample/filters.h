// The filters of sampling over one row. They set the exponentials of dropped tokens to 0; the best token always stays.
#pragma once
#include <cstdint>

#include "ops/sample/sample.h"

namespace exitrl {

// x / penalty if x > 0, else x * penalty, once per distinct id of the context. scratch.penalised then holds these ids in
// ascending order and scratch.replaced the logits they had.
void repetition_penalty(float* logits, int64_t V, float penalty, const int32_t* context, int64_t context_count,
                        SampleScratch& scratch);
// Keeps logits >= the k-th largest (ties stay).
void keep_top_k(const float* logits, int64_t V, int64_t k, float* exponentials, SampleScratch& scratch);
// Keeps a token if less than top_p of the probability lies in tokens better than it. Ties: the lower id is better.
// total: sum of the exponentials.
void keep_top_p(int64_t V, float top_p, double total, float* exponentials, SampleScratch& scratch);
// Drops tokens with less than min_p of the best token's probability.
void keep_min_p(int64_t V, float min_p, float* exponentials);

}  // namespace exitrl
