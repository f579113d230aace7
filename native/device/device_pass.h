// The micro-batches of one call of training, scoring or embedding, and their passes.
#pragma once
#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "device/model.h"
#include "train/micro_batch.h"

namespace exitrl::device {

// The micro-batches of one call, and the memory they share.
class DevicePass {
 public:
  DevicePass(DeviceModel& model, const RolloutBatch& batch, int64_t budget, Targets targets, Workspace::Use use, Recompute recompute)
      : m_(model), d_(model.device_), targets_(targets), use_(use), recompute_(recompute) {
    const auto borders = micro_batch_borders(batch, budget, targets);
    int64_t rows = budget;
    for (size_t i = 0; i + 1 < borders.size(); ++i) {
      micros_.emplace_back();
      fill(micros_.back(), batch, borders[i], borders[i + 1], targets);
      plans_.push_back(plan_pass(micros_.back(), config(), m_.network_.common_window(), use));
      first_.push_back(most_.targets);
      rows = std::max(rows, micros_.back().T());
      most_.grow(micros_.back(), plans_.back());
      // pool() sends a row and a slot for every token, more than there are rows where sequences share them.
      if (targets == Targets::none)
        most_.bytes = std::max(most_.bytes, 2 * Staging::padded(int64_t(micros_.back().sequence_rows.size() * sizeof(int32_t))));
    }
    Segments count;
    lay_out(count, rows);
    std::byte* memory = nullptr;
    try {
      memory = m_.memory(DeviceModel::Phase::pass, count.bytes());
    } catch (const Error& error) {
      if (error.code != ErrorCode::out_of_memory) throw;
      refuse(batch, rows, count.bytes());
    }
    Segments places(memory);
    lay_out(places, rows);
  }

  size_t size() const { return micros_.size(); }
  const MicroBatch& micro(size_t i) const { return micros_[i]; }
  // Log-probabilities and entropies of all micro-batches' targets, one after the other; where those of micro-batch i begin.
  int64_t targets() const { return most_.targets; }
  int64_t first_target(size_t i) const { return first_[i]; }
  const float* logprob() const { return at_.logprob; }
  const float* entropy() const { return at_.entropy; }

  // Sends what micro-batch i needs and runs its forward pass; hidden states are in workspace().hidden.
  void forward(size_t i, const DevicePolicy& policy, const std::function<void(int64_t, const void*)>& each_layer = {}) {
    const MicroBatch& micro = micros_[i];
    const PassPlan& plan = plans_[i];
    logprob_ = at_.logprob + first_[i];
    entropy_ = at_.entropy + first_[i];
    Staging& staging = m_.pass_staging_;
    staging.begin(at_.small, most_.bytes);
    rows_ = plan.send(staging, micro);
    gather_ = staging.add(plan.gather);
    targets_at_ = staging.add(micro.targets);
    if (use_ == Workspace::Use::training) {
      scatter_starts_ = staging.add(plan.lists.scatter_starts);
      scatter_index_ = staging.add(plan.lists.scatter_index);
      loss_ = {};
      loss_.cu_trained = staging.add(micro.cu_trained);
      loss_.sequence_of = staging.add(plan.sequence_of);
      loss_.behaviour = staging.add(micro.behaviour);
      // Without a separate old policy, the one that sampled stands in.
      loss_.old_logprob = micro.old_logprob.empty() ? loss_.behaviour : staging.add(micro.old_logprob);
      loss_.ref_logprob = staging.add(micro.ref_logprob);
      loss_.advantage = staging.add(micro.advantage);
    }
    staging.send();
    m_.network_.forward(policy, m_.adapter_ && policy.adapter ? m_.adapter_ : nullptr, rows_, at_.kv, at_.workspace, each_layer);
    if (micro.N() > 0) d_.gather_rows({at_.workspace.hidden, gather_, at_.head_in, micro.N(), config().C, m_.network_.precision});
  }

  // Log-probabilities and entropies of the targets [begin, end), at most head_chunk(V): logits stay for head_gradient().
  void head_rows(const DevicePolicy& policy, int64_t begin, int64_t end, double temperature) {
    logits(policy, begin, end);
    d_.head_rows({at_.logits, targets_at_ + begin, logprob_ + begin, entropy_ + begin, at_.max + begin, at_.log_sum + begin,
                  end - begin, config().V, 1.0f / float(temperature)});
  }
  // Of all targets of micro-batch i, whose forward pass was the last.
  void all_head_rows(const DevicePolicy& policy, size_t i, double temperature) {
    const int64_t N = micros_[i].N(), chunk = head_chunk(config().V);
    for (int64_t from = 0; from < N; from += chunk) head_rows(policy, from, std::min(N, from + chunk), temperature);
  }
  void logits(const DevicePolicy& policy, int64_t begin, int64_t end) {
    m_.network_.logits(policy, hidden_at(at_.head_in, begin), end - begin, at_.logits);
  }

  void loss(const LossSettings& settings, const PgBatch& whole, size_t i, int64_t begin, int64_t end, DeviceControls& controls) {
    PgLoss a = loss_;
    a.settings = settings;
    a.batch = whole;
    a.logprob = logprob_;
    a.entropy = entropy_;
    a.dlogprob = at_.dlogprob;
    a.dentropy = at_.dentropy;
    a.scratch = at_.scratch;
    a.sums = &controls.sums;
    a.mismatch = a.behaviour ? &controls.mismatch : nullptr;
    a.entropy_threshold = settings.top_entropy < 1.0 ? &controls.entropy_threshold : nullptr;
    a.B = micros_[i].B();
    a.begin = begin;
    a.end = end;
    d_.pg_loss(a);
  }

  void head_gradient(const DevicePolicy& policy, int64_t begin, int64_t end, double temperature, bool entropy_gradient, float* gradients) {
    const Precision p = m_.network_.precision;
    const int64_t V = config().V;
    d_.head_gradient({at_.logits, targets_at_ + begin, at_.max + begin, at_.log_sum + begin, entropy_ + begin, at_.dlogprob + begin,
                      entropy_gradient ? at_.dentropy + begin : nullptr, end - begin, V, 1.0f / float(temperature), p});
    m_.network_.logits_backward(policy, at_.logits, gradient_stride(V, p), hidden_at(at_.head_in, begin), end - begin,
                                hidden_at(at_.head_d, begin), gradients);
  }

  void backward(size_t i, const DevicePolicy& policy, float* gradients) {
    d_.scatter_rows({at_.head_d, scatter_starts_, scatter_index_, at_.workspace.dh, micros_[i].T(), config().C, m_.network_.precision});
    m_.network_.backward(policy, m_.adapter_, rows_, at_.kv, at_.workspace, gradients);
  }

  // Adds the hidden states that embed() wants of micro-batch i to sums (B, C) of the whole batch, and how many to counts (B).
  void pool(size_t i, const RolloutBatch& batch, double* sums, std::vector<int64_t>& counts) {
    const MicroBatch& micro = micros_[i];
    std::vector<int32_t> rows, slots;
    for (int64_t r = micro.first, at = 0; r < micro.last; at += batch.tokens.length(r++)) {
      const int64_t n = batch.tokens.length(r);
      bool masked = false;
      for (int64_t t = 0; t < n; ++t) masked |= batch.loss_mask.at(r, t);
      for (int64_t t = 0; t < n; ++t) {
        if (masked && !batch.loss_mask.at(r, t)) continue;
        rows.push_back(int32_t(micro.sequence_rows[size_t(at + t)]));
        slots.push_back(int32_t(r));
        ++counts[size_t(r)];
      }
    }
    Staging& staging = m_.pass_staging_;
    staging.begin(at_.small, most_.bytes);
    const int32_t* const row = staging.add(rows);
    const int32_t* const slot = staging.add(slots);
    staging.send();
    d_.pool_rows({at_.workspace.hidden, row, slot, sums, int64_t(rows.size()), config().C, m_.network_.precision});
  }

  const PassMemory& memory() const { return at_; }

 private:
  // Says what would fit where a pass does not.
  [[noreturn]] void refuse(const RolloutBatch& batch, int64_t budget, int64_t bytes) {
    const int64_t free = d_.room_bytes(), tokens = budget;
    int64_t longest = 1;  // a sequence is never cut
    for (int64_t r = 0; r < batch.B; ++r) longest = std::max(longest, batch.tokens.length(r));
    std::string advice = use_ == Workspace::Use::training && recompute_ == Recompute::none ? "; recompute: block needs less" : "";
    for (budget /= 2; budget >= longest; budget /= 2) {
      Segments count;
      PassSizes half = most_;
      half.N = std::min(half.N, budget);
      half.pages = std::min(half.pages, budget / kPagePositions + half.B);
      PassMemory(count, config(), m_.network_.precision, budget, use_, recompute_, m_.adapter_, half);
      if (count.bytes() > free) continue;
      advice = "; microBatchTokens " + std::to_string(budget) + " fits";
      break;
    }
    fail(ErrorCode::out_of_memory, "a pass over " + std::to_string(tokens) + " tokens needs " + megabytes(bytes) +
                                       " of working memory, and the device has " + megabytes(free) + advice);
  }
  const DecoderConfig& config() const { return m_.decoder_.config; }
  void* hidden_at(void* p, int64_t row) const { return static_cast<std::byte*>(p) + row * config().C * m_.network_.number_bytes(); }
  void lay_out(Segments& s, int64_t rows) {
    at_ = PassMemory(s, config(), m_.network_.precision, rows, use_, recompute_, m_.adapter_, most_);
  }

  DeviceModel& m_;
  Device& d_;
  const Targets targets_;
  const Workspace::Use use_;
  const Recompute recompute_;
  std::vector<MicroBatch> micros_;
  std::vector<PassPlan> plans_;
  std::vector<int64_t> first_;  // targets of the micro-batches before
  PassSizes most_;
  PassMemory at_;
  PassRows rows_;
  // Of the micro-batch that forward() has run.
  float *logprob_ = nullptr, *entropy_ = nullptr;
  PgLoss loss_{};
  const int32_t *gather_ = nullptr, *targets_at_ = nullptr, *scatter_starts_ = nullptr, *scatter_index_ = nullptr;
};

}  // namespace exitrl::device
