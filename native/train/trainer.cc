#include "train/trainer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "ops/adamw/adamw.h"
#include "ops/head/head.h"
#include "ops/matmul/matmul.h"
#include "ops/norm/norm.h"

namespace exitrl {
namespace {

void check_cancelled(const std::stop_token& stop) {
  if (stop.stop_requested()) fail(ErrorCode::cancelled, "the operation was cancelled");
}

int64_t kv_floats(const DecoderConfig& c, int64_t pages) { return 2 * pages * page_floats(c.K, c.D); }

const float* data_or_null(const std::vector<float>& v) { return v.empty() ? nullptr : v.data(); }

// Grows only: a run's micro-batches differ a little in size.
void reserve(Buffer<float>& buffer, int64_t floats) {
  if (buffer.size() >= floats) return;
  buffer.reset();
  buffer = Buffer<float>(floats);
}

}  // namespace

void validate(const RolloutBatch& batch, const DecoderConfig& config, const LossSettings& loss, const TrainSettings& train) {
  validate(batch, config, Targets::loss_mask);
  require(loss.temperature > 0, "loss.temperature must be above 0");
  require(train.micro_batch_tokens >= 1, "microBatchTokens must be at least 1");
  require(loss.kl_weight == 0 || batch.ref_logprob, "klWeight is not 0, but the batch has no ref_logprob column");
  require(loss.importance == ImportanceLevel::none || batch.logprob,
          "importance weights need the logprob column of the policy that sampled");
}

PgBatch whole_batch(const RolloutBatch& batch) {
  PgBatch whole;
  whole.sequences = batch.B;
  for (int64_t r = 0; r < batch.B; ++r)
    for (int64_t i = 1; i < batch.tokens.length(r); ++i) whole.trained_tokens += batch.loss_mask.at(r, i);
  return whole;
}

void spread_scores(const MicroBatch& micro, const RolloutBatch& batch, const float* lp, const float* h, float* logprob, float* entropy,
                   int64_t& at) {
  for (int64_t b = 0; b < micro.B(); ++b) {
    const int64_t n = batch.tokens.length(micro.first + b);
    std::fill(logprob + at, logprob + at + n, 0.0f);
    std::fill(entropy + at, entropy + at + n, 0.0f);
    for (int32_t i = micro.cu_trained[size_t(b)]; i < micro.cu_trained[size_t(b) + 1]; ++i) {
      logprob[at + micro.target_index[size_t(i)]] = lp[i];
      entropy[at + micro.target_index[size_t(i)]] = h[i];
    }
    at += n;
  }
}

Trainer::Trainer(const Decoder& decoder, Pool& pool) : decoder_(decoder), pool_(pool) {}

void Trainer::train(const AdapterLayout* adapter) {
  adapter_ = adapter;
  step = 0;
  workspace_.reset();
  for (Buffer<float>* buffer : {&gradients_, &exp_avg_, &exp_avg_sq_}) buffer->reset();
}

float* Trainer::slab(Buffer<float>& buffer) {
  if (!buffer) buffer = Buffer<float>(trained().size);
  return buffer.data();
}
float* Trainer::gradients() { return slab(gradients_); }
float* Trainer::exp_avg() { return slab(exp_avg_); }
float* Trainer::exp_avg_sq() { return slab(exp_avg_sq_); }

void Trainer::zero_gradients() {
  if (gradients_) std::memset(gradients_.data(), 0, size_t(gradients_.size()) * sizeof(float));
}

// The workspace is sized by the token budget, not by this micro-batch: sizes vary from step to step, and memory that no
// micro-batch touches is never resident.
void Trainer::prepare(const MicroBatch& micro, int64_t budget, Workspace::Use use, Recompute recompute) {
  const DecoderConfig& c = decoder_.config;
  const bool serves = workspace_ && (use == Workspace::Use::forward || (workspace_->use == use && workspace_->recompute == recompute));
  if (!serves || workspace_->rows < micro.T()) {
    workspace_.reset();
    workspace_ = std::make_unique<Workspace>(c, std::max(micro.T(), budget), use, recompute, adapter_);
  }
  reserve(kv_, kv_floats(c, micro.pages));
  reserve(logits_, kHeadChunk * c.V);
  reserve(head_in_, std::max<int64_t>(1, micro.N()) * c.C);
}

void Trainer::run_forward(const Policy& policy, const MicroBatch& micro) {
  const int64_t half = micro.pages * page_floats(decoder_.config.K, decoder_.config.D);
  const KvStore kv{kv_.data(), kv_.data() + half, 0, page_floats(decoder_.config.K, decoder_.config.D)};
  decoder_.forward(pool_, policy, micro.view(), kv, *workspace_);
}

void Trainer::gather_hidden(const std::vector<int64_t>& rows) {
  const int64_t C = decoder_.config.C;
  pool_.parallel_for(int64_t(rows.size()), 256, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i)
      std::memcpy(head_in_.data() + i * C, workspace_->hidden + rows[size_t(i)] * C, size_t(C) * sizeof(float));
  });
}

// Rows that predict no trained token get no gradient from the head; a shared row gets that of every token it predicts.
void Trainer::scatter_gradients(const MicroBatch& micro) {
  const int64_t C = decoder_.config.C;
  pool_.parallel_for(C, 64, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = 0; t < micro.T(); ++t) std::fill(workspace_->dh + t * C + begin, workspace_->dh + t * C + end, 0.0f);
    for (int64_t i = 0; i < micro.N(); ++i) {
      float* const to = workspace_->dh + micro.rows[size_t(i)] * C;
      const float* const from = head_d_.data() + i * C;
      for (int64_t j = begin; j < end; ++j) to[j] += from[j];
    }
  });
}

void Trainer::run_head(const Policy& policy, const MicroBatch& micro, double temperature, float* logprob, float* entropy) {
  const DecoderConfig& c = decoder_.config;
  head_forward(pool_, {head_in_.data(), policy.packed.head, micro.targets.data(), logprob, entropy, logits_.data(), micro.N(), c.C, c.V,
                       float(temperature)});
}

void Trainer::score_micro(const Policy& policy, const MicroBatch& micro, int64_t budget, double temperature, float* logprob,
                          float* entropy) {
  if (micro.N() == 0) return;
  prepare(micro, budget, Workspace::Use::forward, Recompute::none);
  run_forward(policy, micro);
  gather_hidden(micro.rows);
  run_head(policy, micro, temperature, logprob, entropy);
}

double Trainer::batch_entropy_threshold(const Policy& policy, const RolloutBatch& batch, const LossSettings& loss,
                                        int64_t micro_batch_tokens, std::stop_token stop) {
  std::vector<float> entropies, logprob;
  MicroBatch micro;
  const auto borders = micro_batch_borders(batch, micro_batch_tokens, Targets::loss_mask);
  for (size_t m = 0; m + 1 < borders.size(); ++m) {
    check_cancelled(stop);
    fill(micro, batch, borders[m], borders[m + 1], Targets::loss_mask);
    const size_t at = entropies.size();
    logprob.resize(size_t(micro.N()));
    entropies.resize(at + size_t(micro.N()));
    score_micro(policy, micro, micro_batch_tokens, loss.temperature, logprob.data(), entropies.data() + at);
  }
  return entropy_threshold(std::move(entropies), loss.top_entropy);
}

TrainMetrics Trainer::accumulate(Policy& policy, const RolloutBatch& batch, const LossSettings& loss, const TrainSettings& train,
                                 std::stop_token stop) {
  const DecoderConfig& c = decoder_.config;
  validate(batch, c, loss, train);
  PgBatch whole = whole_batch(batch);
  TrainMetrics metrics;
  if (whole.trained_tokens == 0) return metrics;
  if (loss.top_entropy < 1.0) whole.entropy_threshold = batch_entropy_threshold(policy, batch, loss, train.micro_batch_tokens, stop);

  float* g = gradients();
  MicroBatch micro;
  std::vector<float> logprob, entropy, dlogprob, dentropy;
  const auto borders = micro_batch_borders(batch, train.micro_batch_tokens, Targets::loss_mask);
  for (size_t m = 0; m + 1 < borders.size(); ++m) {
    check_cancelled(stop);
    fill(micro, batch, borders[m], borders[m + 1], Targets::loss_mask);
    const int64_t N = micro.N();
    if (N == 0) continue;
    prepare(micro, train.micro_batch_tokens, Workspace::Use::training, train.recompute);
    reserve(head_d_, N * c.C);
    for (auto* v : {&logprob, &entropy, &dlogprob, &dentropy}) v->assign(size_t(N), 0.0f);

    run_forward(policy, micro);
    gather_hidden(micro.rows);

    PgTokens tokens{};
    tokens.logprob = logprob.data();
    tokens.entropy = entropy.data();
    // Without a separate old policy, the one that sampled stands in.
    tokens.old_logprob = micro.old_logprob.empty() ? data_or_null(micro.behaviour) : micro.old_logprob.data();
    tokens.ref_logprob = data_or_null(micro.ref_logprob);
    tokens.behaviour = data_or_null(micro.behaviour);
    tokens.advantage = micro.advantage.data();
    tokens.dlogprob = dlogprob.data();
    tokens.dentropy = dentropy.data();
    tokens.cu_trained = micro.cu_trained.data();
    tokens.B = micro.B();

    HeadFused head{head_in_.data(),
                   policy.packed.head,
                   policy.slab.data() + decoder_.layout.head,
                   micro.targets.data(),
                   logprob.data(),
                   entropy.data(),
                   dlogprob.data(),
                   loss.entropy_weight != 0 ? dentropy.data() : nullptr,
                   head_d_.data(),
                   adapter_ ? nullptr : g + decoder_.layout.head,
                   logits_.data(),
                   N,
                   c.C,
                   c.V,
                   float(loss.temperature),
                   {}};
    if (needs_sequence_pass(loss)) {
      run_head(policy, micro, loss.temperature, logprob.data(), entropy.data());
      metrics.sums.add(pg_loss(loss, whole, tokens));
      head.coefficients = [](int64_t, int64_t) {};
    } else {
      head.coefficients = [&](int64_t begin, int64_t end) { metrics.sums.add(pg_loss_rows(loss, whole, tokens, begin, end)); };
    }
    head_fused(pool_, head);

    if (!micro.behaviour.empty())
      for (int64_t i = 0; i < N; ++i)
        metrics.mismatch = std::max(metrics.mismatch, double(std::fabs(logprob[size_t(i)] - micro.behaviour[size_t(i)])));

    scatter_gradients(micro);
    const int64_t half = micro.pages * page_floats(c.K, c.D);
    decoder_.backward(pool_, policy, micro.view(), {kv_.data(), kv_.data() + half, 0, page_floats(c.K, c.D)}, *workspace_, g);
    ++metrics.micro_batches;
  }
  return metrics;
}

UpdateMetrics Trainer::update(Policy& policy, const OptimizerSettings& s) {
  float* g = gradients();
  UpdateMetrics out;
  out.grad_norm = std::sqrt(sum_of_squares(pool_, g, trained().size));
  if (!std::isfinite(out.grad_norm)) {
    zero_gradients();
    fail(ErrorCode::invalid_argument,
         "the gradient norm is not finite; weights are unchanged and the gradients cleared. Lower the learning rate, or look "
         "for infinite log-probabilities in the batch");
  }
  out.clip_factor = s.max_grad_norm > 0 ? std::min(1.0, s.max_grad_norm / (out.grad_norm + 1e-6)) : 1.0;
  out.step = ++step;
  float *m = exp_avg(), *v = exp_avg_sq(), *weights = adapter_ ? policy.adapter->slab.data() : policy.slab.data();
  for (const Parameter& p : trained().parameters)
    adamw(pool_, {weights + p.offset, g + p.offset, m + p.offset, v + p.offset, p.size, step, s.lr, s.beta1, s.beta2, s.eps,
                  decays(s.decay, p.kind) ? s.weight_decay : 0.0, out.clip_factor});
  zero_gradients();
  if (adapter_) policy.pack_adapter(pool_);
  else policy.pack(pool_);
  return out;
}

void Trainer::score(const Policy& policy, const RolloutBatch& batch, double temperature, int64_t micro_batch_tokens, float* logprob,
                    float* entropy, std::stop_token stop) {
  validate(batch, decoder_.config, Targets::all);
  require(temperature > 0, "temperature must be above 0");
  MicroBatch micro;
  std::vector<float> lp, h;
  const auto borders = micro_batch_borders(batch, micro_batch_tokens, Targets::all);
  int64_t at = 0;
  for (size_t m = 0; m + 1 < borders.size(); ++m) {
    check_cancelled(stop);
    fill(micro, batch, borders[m], borders[m + 1], Targets::all);
    lp.resize(size_t(micro.N()));
    h.resize(size_t(micro.N()));
    score_micro(policy, micro, micro_batch_tokens, temperature, lp.data(), h.data());
    spread_scores(micro, batch, lp.data(), h.data(), logprob, entropy, at);
  }
}

void Trainer::embed(const Policy& policy, const RolloutBatch& batch, int64_t micro_batch_tokens, float* embeddings, std::stop_token stop) {
  const int64_t C = decoder_.config.C;
  validate(batch, decoder_.config, Targets::none);
  require(bool(batch.loss_mask), "the batch has no loss_mask column");
  MicroBatch micro;
  const auto borders = micro_batch_borders(batch, micro_batch_tokens, Targets::none);
  for (size_t m = 0; m + 1 < borders.size(); ++m) {
    check_cancelled(stop);
    fill(micro, batch, borders[m], borders[m + 1], Targets::none);
    prepare(micro, micro_batch_tokens, Workspace::Use::forward, Recompute::none);
    run_forward(policy, micro);
    std::vector<int64_t> first_token;
    for (int64_t r = micro.first, at = 0; r < micro.last; at += batch.tokens.length(r++)) first_token.push_back(at);
    pool_.parallel_for(micro.B(), 8, [&](int64_t begin, int64_t end, int) {
      std::vector<double> sum;
      for (int64_t b = begin; b < end; ++b) {
        const int64_t r = micro.first + b, n = batch.tokens.length(r);
        int64_t masked = 0;
        for (int64_t i = 0; i < n; ++i) masked += batch.loss_mask.at(r, i);
        sum.assign(size_t(C), 0.0);
        for (int64_t i = 0; i < n; ++i) {
          if (masked > 0 && !batch.loss_mask.at(r, i)) continue;
          const float* const h = workspace_->hidden + micro.sequence_rows[size_t(first_token[size_t(b)] + i)] * C;
          for (int64_t c = 0; c < C; ++c) sum[size_t(c)] += h[c];
        }
        for (int64_t c = 0; c < C; ++c) embeddings[r * C + c] = float(sum[size_t(c)] / double(masked > 0 ? masked : n));
      }
    });
  }
}

void Trainer::forward(const Policy& policy, const int32_t* tokens, const int32_t* cu_seqlens, int64_t B, float* logits, float* hidden) {
  const DecoderConfig& c = decoder_.config;
  RolloutBatch batch;
  batch.B = B;
  batch.tokens = {cu_seqlens, tokens};
  validate(batch, c, Targets::none);
  MicroBatch micro;
  fill(micro, batch, 0, B, Targets::none);
  prepare(micro, micro.T(), Workspace::Use::forward, Recompute::none);
  const int64_t total = int64_t(micro.sequence_rows.size()), half = micro.pages * page_floats(c.K, c.D);
  const auto copy_rows = [&](int64_t l, const float* x) {
    if (hidden)
      for (int64_t t = 0; t < total; ++t)
        std::memcpy(hidden + (l * total + t) * c.C, x + micro.sequence_rows[size_t(t)] * c.C, size_t(c.C) * sizeof(float));
  };
  decoder_.forward(pool_, policy, micro.view(), {kv_.data(), kv_.data() + half, 0, page_floats(c.K, c.D)}, *workspace_, copy_rows);
  copy_rows(c.L + 1, workspace_->hidden);
  if (!logits) return;
  reserve(head_in_, total * c.C);
  gather_hidden(micro.sequence_rows);
  linear_forward(pool_, {head_in_.data(), policy.packed.head, nullptr, nullptr, logits, total, c.V, c.C});
}

PlannedBatch::PlannedBatch(int64_t prompts, int64_t samples, int64_t prompt_tokens, int64_t new_tokens) {
  const int64_t length = prompt_tokens + new_tokens, sequences = prompts * samples;
  require(sequences * length < (int64_t{1} << 31), "plan: the batch has more than 2^31 - 1 tokens");
  for (int64_t s = 0; s < sequences; ++s) {
    tokens.insert(tokens.end(), size_t(prompt_tokens), int32_t(s / samples));
    tokens.insert(tokens.end(), size_t(new_tokens), int32_t(prompts + s));
    offsets.push_back(int32_t(tokens.size()));
  }
  advantage.assign(size_t(sequences), 0.0f);
  logprob.assign(tokens.size(), 0.0f);
  mask.assign(tokens.size() / 8 + 1, 0);
  for (int64_t i = 0; i < int64_t(tokens.size()); ++i)
    if (i % length >= prompt_tokens) mask[size_t(i / 8)] |= uint8_t(1 << (i % 8));
}

RolloutBatch PlannedBatch::view() const {
  RolloutBatch batch;
  batch.B = int64_t(offsets.size()) - 1;
  batch.tokens = {offsets.data(), tokens.data()};
  batch.loss_mask = {offsets.data(), mask.data(), 0};
  batch.logprob = {offsets.data(), logprob.data()};
  batch.advantage = advantage.data();
  return batch;
}

MemorySegments Trainer::plan(const Decoder& decoder, int64_t prompts, int64_t samples, int64_t prompt_tokens, int64_t new_tokens,
                             int64_t budget, Recompute recompute, const AdapterLayout* adapter) {
  const DecoderConfig& c = decoder.config;
  const PlannedBatch planned(prompts, samples, prompt_tokens, new_tokens);
  const RolloutBatch batch = planned.view();
  MicroBatch micro;
  int64_t rows = 0, pages = 0, trained = 0;
  const auto borders = micro_batch_borders(batch, budget, Targets::all);
  for (size_t m = 0; m + 1 < borders.size(); ++m) {
    fill(micro, batch, borders[m], borders[m + 1], Targets::all);
    rows = std::max(rows, micro.T());
    pages = std::max(pages, micro.pages);
    trained = std::max(trained, micro.B() * new_tokens);
  }
  MemorySegments out = Workspace::plan(c, std::max(budget, rows), Workspace::Use::training, recompute, adapter);
  const auto add = [&](const char* name, int64_t floats) { out.push_back({name, floats * int64_t(sizeof(float))}); };
  add("gradients and moments", 3 * (adapter ? adapter->size : decoder.layout.size));
  add("keys and values of one layer", kv_floats(c, pages));
  add("logits of a chunk", kHeadChunk * c.V);
  add("head rows", 2 * trained * c.C);
  return out;
}

}  // namespace exitrl
