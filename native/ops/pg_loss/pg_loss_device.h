// Policy-gradient losses on a device: ops/pg_loss/pg_loss.h with everything in device memory. The sums stay there until the
// step has ended.
#pragma once
#include <cstdint>

#include "ops/pg_loss/pg_loss.h"

namespace exitrl::device {

// Tokens [begin, end) of a micro-batch, as pg_loss_rows. Sums are added in a fixed order.
struct PgLoss {
  PgSettings settings;
  PgBatch batch;
  const int32_t* cu_trained;   // (B + 1)
  const int32_t* sequence_of;  // (N)
  const float* logprob;        // (N)
  const float* entropy;        // (N)
  const float* old_logprob;    // (N); or null
  const float* ref_logprob;    // (N); or null
  const float* behaviour;      // (N); or null
  const float* advantage;      // (N)
  float* dlogprob;             // (N) =
  float* dentropy;             // (N) = ; or null
  double* scratch;             // pg_loss_scratch() doubles
  PgSums* sums;                // of the whole batch: added to
  float* mismatch;             // (1) largest |logprob - behaviour| so far; or null
  int64_t B, begin, end;
  const double* entropy_threshold = nullptr;  // (1) stands for batch.entropy_threshold; or null
};
// *threshold = the (1 - top_entropy) quantile of n entropies with linear interpolation; NaN counts as the largest.
struct EntropyThreshold {
  const float* entropy;  // (n)
  double* threshold;     // (1) =
  int64_t n;             // at least 1
  double top_entropy;    // share of the tokens to train
};

// Sums of blocks of tokens and, for losses of whole sequences, what the tokens of each share.
inline int64_t pg_loss_scratch(int64_t B, int64_t N) { return 22 * ((N + 255) / 256) + 4 * B; }

}  // namespace exitrl::device
