// Policy-gradient losses: one op with settings. Per trained token
//   r      = exp(logprob - old)                               ratio = token
//            exp(mean over the sequence's trained tokens)     ratio = sequence_mean (GSPO, arXiv 2507.18071)
//            exp(sum over the sequence's trained tokens)      ratio = sequence_sum  (RLOO)
//   clip   : -min(min(r, delta) A, clip(r, 1 - clip_low, 1 + clip_high) A)           (delta: dual clip, off when <= 0)
//   cispo  : -stopgrad(clip(r, cispo_low, cispo_high)) A logprob                     (arXiv 2506.13585)
//   sapo   : -A 4/t sigmoid(t (r - 1)), t = sapo_positive if A > 0 else sapo_negative
//   nll    : -A logprob (supervised stage, plain REINFORCE)
//   times the importance weight w = exp(old - behaviour), per token or exp(sum) per sequence, truncated or masked
//   + kl_weight * k,  k = exp(ref - logprob) - (ref - logprob) - 1  (k3; also k1, k2), times r when kl_corrected
//   - entropy_weight * entropy / trained tokens in the batch
// Aggregation:
//   sequence_mean : mean over sequences of (sum / max(1, trained tokens of the sequence))   GRPO
//   token_mean    : sum / trained tokens in the batch                                        DAPO
//   constant      : sum / (sequences * normaliser)                                           Dr. GRPO
// With ratio = sequence_sum a loss whose gradient goes through the ratio (clip, sapo) counts once per sequence (mean over
// sequences), whatever the aggregation. Weights and the entropy rule do not touch the KL term.
// The ratio's gradient at a bound: the unclipped branch wins ties.
// top_entropy < 1: only tokens whose entropy is at or above the (1 - top_entropy) quantile (linear interpolation over
// the batch's trained tokens) keep their loss; denominators still count all.
//
// Denominators belong to the whole batch (PgBatch), so a batch may be processed in micro-batches of whole sequences.
#pragma once
#include <cstdint>
#include <vector>

namespace exitrl {

enum class RatioLevel { token, sequence_mean, sequence_sum };
enum class LossKind { clip, cispo, sapo, nll };
enum class Aggregation { sequence_mean, token_mean, constant };
enum class KlEstimator { k1, k2, k3 };
enum class ImportanceLevel { none, token, sequence };
enum class ImportanceMode { truncate, mask };

struct PgSettings {
  RatioLevel ratio = RatioLevel::token;
  LossKind loss = LossKind::clip;
  double clip_low = 0.2, clip_high = 0.2;
  double delta = 0.0;
  double cispo_low = 0.0, cispo_high = 1.28;         // bounds of the ratio itself
  double sapo_positive = 1.0, sapo_negative = 1.05;
  Aggregation aggregation = Aggregation::token_mean;
  double normaliser = 1.0;
  double kl_weight = 0.0;
  KlEstimator kl = KlEstimator::k3;
  bool kl_corrected = false;
  ImportanceLevel importance = ImportanceLevel::none;
  ImportanceMode importance_mode = ImportanceMode::truncate;
  double importance_min = 0.0, importance_max = 2.0;
  double entropy_weight = 0.0;
  double top_entropy = 1.0;
};

// What a micro-batch must know of its batch.
struct PgBatch {
  int64_t sequences = 0;
  int64_t trained_tokens = 0;
  double entropy_threshold = 0.0;  // used when top_entropy < 1
};

// Trained tokens only, sequence by sequence.
struct PgTokens {
  const int32_t* cu_trained;    // (B + 1) borders of the sequences' trained tokens in the arrays below
  int64_t B;
  const float* logprob;         // (N) of the policy being trained
  const float* entropy;         // (N); or null when unused
  const float* old_logprob;     // (N); or null: on-policy, r = 1 with the gradient of logprob
  const float* ref_logprob;     // (N); or null when kl_weight = 0
  const float* behaviour;       // (N); or null: importance = none, no mismatch
  const float* advantage;       // (N)
  float* dlogprob;              // (N) =
  float* dentropy;              // (N) = ; or null
};

// Sums over trained tokens (double, token order); the trainer divides by the batch's trained tokens.
struct PgSums {
  double loss = 0;              // already normalised: add over micro-batches
  double ratio = 0, ratio_min = 1e300, ratio_max = 0;  // of single tokens, whatever the level
  double k1 = 0, k2 = 0, k3 = 0;             // approximate KL to the old policy: -log r, (log r)^2/2, r - 1 - log r
  double ref_k1 = 0, ref_k2 = 0, ref_k3 = 0; // likewise to the reference
  // Tokens whose ratio (of the level in use) is under the loss's lower bound with A < 0, over its upper bound with A > 0.
  double clipped_low = 0, clipped_high = 0;
  double below = 0, above = 0;               // tokens whose own ratio is < 1 - clip_low, > 1 + clip_high
  double entropy = 0;
  double importance = 0, importance_dropped = 0;  // sum of the weights as applied; how many of them are 0
  double mismatch = 0, mismatch_k3 = 0;           // |logprob - behaviour| and k3 to what was recorded while sampling
  int64_t tokens = 0;
  void add(const PgSums& other);
};

// True if coefficients of a token may depend on other tokens of its sequence through logprob (needs a forward pass first).
bool needs_sequence_pass(const PgSettings& settings);
// Loss, gradient by each logprob (and entropy), metrics. Arithmetic in double; results rounded once.
PgSums pg_loss(const PgSettings& settings, const PgBatch& batch, const PgTokens& tokens);
// The same for the tokens [begin, end) only: the row chunks of head_fused, which may cut sequences. Denominators are
// those of the whole sequences; if needs_sequence_pass(), all of a cut sequence's logprob must be there already.
PgSums pg_loss_rows(const PgSettings& settings, const PgBatch& batch, const PgTokens& tokens, int64_t begin, int64_t end);
// The (1 - top_entropy) quantile with linear interpolation, as torch.quantile does. NaN counts as the largest.
double entropy_threshold(std::vector<float> entropies, double top_entropy);

}  // namespace exitrl
