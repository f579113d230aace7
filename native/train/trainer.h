// Gradients of a policy-gradient loss over a rollout batch, and the optimizer step.
#pragma once
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "io/batch.h"
#include "models/decoder.h"
#include "ops/pg_loss/pg_loss.h"
#include "train/micro_batch.h"

namespace exitrl {

struct LossSettings : PgSettings {
  double temperature = 1.0;
};

struct TrainSettings {
  int64_t micro_batch_tokens = 8192;
  Recompute recompute = Recompute::none;
};

enum class Decay { none, matrices, matrices_without_embeddings };

// Whether weight decay acts on a parameter.
constexpr bool decays(Decay decay, Parameter::Kind kind) {
  const bool matrix = kind == Parameter::Kind::matrix || kind == Parameter::Kind::head;
  return decay == Decay::matrices ? matrix || kind == Parameter::Kind::embedding : decay == Decay::matrices_without_embeddings && matrix;
}

struct OptimizerSettings {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.95, eps = 1e-8, weight_decay = 0.0;
  Decay decay = Decay::matrices;
  double max_grad_norm = 1.0;
};

struct TrainMetrics {
  PgSums sums;               // over trained tokens of the batch
  int64_t micro_batches = 0;
  double mismatch = 0;       // largest |logprob - recorded logprob|
};

struct UpdateMetrics {
  double grad_norm = 0, clip_factor = 1;
  int64_t step = 0;
};

// Throws Error(invalid_argument) where the batch lacks what the loss needs.
void validate(const RolloutBatch& batch, const DecoderConfig& config, const LossSettings& loss, const TrainSettings& train);
// Sequences and trained tokens.
PgBatch whole_batch(const RolloutBatch& batch);

// Token-aligned scores of a micro-batch from those of its targets (N), from place `at` on, which moves behind them.
void spread_scores(const MicroBatch& micro, const RolloutBatch& batch, const float* lp, const float* h, float* logprob, float* entropy,
                   int64_t& at);

// A batch of a shape, packed as a step would pack it: samples of a group share the prompt and nothing else.
struct PlannedBatch {
  PlannedBatch(int64_t prompts, int64_t samples, int64_t prompt_tokens, int64_t new_tokens);
  std::vector<int32_t> offsets{0}, tokens;
  std::vector<uint8_t> mask;              // bits of the new tokens
  std::vector<float> advantage, logprob;  // zeros
  RolloutBatch view() const;
};

class Trainer {
 public:
  Trainer(const Decoder& decoder, Pool& pool);
  // What is trained from now on: an adapter, beside which the weights are frozen, or (null) the weights. Gradients, moments
  // and the step begin anew. The layout must outlive the trainer or the next call.
  void train(const AdapterLayout* adapter);

  // Adds the gradient of the loss over the whole batch to the gradient slab.
  TrainMetrics accumulate(Policy& policy, const RolloutBatch& batch, const LossSettings& loss, const TrainSettings& train,
                          std::stop_token stop);
  // Clip, AdamW, clear gradients, repack. Throws on a non-finite gradient norm, leaving weights as they were and
  // clearing the gradients.
  UpdateMetrics update(Policy& policy, const OptimizerSettings& settings);
  void zero_gradients();

  // Token-aligned logprob and entropy (first token of each sequence 0): (T) each.
  void score(const Policy& policy, const RolloutBatch& batch, double temperature, int64_t micro_batch_tokens, float* logprob,
             float* entropy, std::stop_token stop);
  // Mean of the hidden states (after the final norm) of each sequence's tokens in loss_mask, or of all its tokens where the
  // mask has none: embeddings (B, C) =.
  void embed(const Policy& policy, const RolloutBatch& batch, int64_t micro_batch_tokens, float* embeddings, std::stop_token stop);
  // Logits (T, V) and hidden states (L + 2, T, C); for tests and tools on small inputs.
  void forward(const Policy& policy, const int32_t* tokens, const int32_t* cu_seqlens, int64_t B, float* logits, float* hidden);

  // The slab's layout of what is trained.
  const ParameterList& trained() const { return adapter_ ? static_cast<const ParameterList&>(*adapter_) : decoder_.layout; }
  float* gradients();        // slab; allocated on first use
  float* exp_avg();
  float* exp_avg_sq();
  int64_t step = 0;

  // For groups of `samples` sequences of prompt_tokens + new_tokens whose new tokens are trained.
  static MemorySegments plan(const Decoder& decoder, int64_t prompts, int64_t samples, int64_t prompt_tokens, int64_t new_tokens,
                             int64_t budget, Recompute recompute, const AdapterLayout* adapter);

 private:
  void prepare(const MicroBatch& micro, int64_t budget, Workspace::Use use, Recompute recompute);
  void run_forward(const Policy& policy, const MicroBatch& micro);
  void gather_hidden(const std::vector<int64_t>& rows);  // of the final norm, to head_in_
  void scatter_gradients(const MicroBatch& micro);
  void run_head(const Policy& policy, const MicroBatch& micro, double temperature, float* logprob, float* entropy);
  void score_micro(const Policy& policy, const MicroBatch& micro, int64_t budget, double temperature, float* logprob, float* entropy);
  double batch_entropy_threshold(const Policy& policy, const RolloutBatch& batch, const LossSettings& loss, int64_t micro_batch_tokens,
                                 std::stop_token stop);
  float* slab(Buffer<float>& buffer);

  const Decoder& decoder_;
  Pool& pool_;
  const AdapterLayout* adapter_ = nullptr;
  Buffer<float> gradients_, exp_avg_, exp_avg_sq_;
  std::unique_ptr<Workspace> workspace_;
  Buffer<float> kv_;              // pages of one layer: keys, then values
  Buffer<float> logits_;          // (kHeadChunk, V)
  Buffer<float> head_in_, head_d_; // (N, C) hidden rows that predict trained tokens, and their gradients
};

}  // namespace exitrl
