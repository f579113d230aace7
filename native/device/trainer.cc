// Training, scoring and embedding passes of a model on a device. The host prepares micro-batches; the device works through them
// without being waited for until the sums of the batch are read.
#include <algorithm>
#include <cmath>

#include "device/device_pass.h"

namespace exitrl::device {
namespace {

void check_cancelled(const std::stop_token& stop) {
  if (stop.stop_requested()) fail(ErrorCode::cancelled, "the operation was cancelled");
}
// Where launched work may still be under way.
void check_cancelled(Device& device, const std::stop_token& stop) {
  if (stop.stop_requested()) device.synchronise();
  check_cancelled(stop);
}

}  // namespace

// Forward passes before those of the gradients, in the same places: the entropies of all trained tokens, and from them the lowest that
// is trained. The host waits for neither.
void DeviceModel::find_entropy_threshold(DevicePass& pass, const LossSettings& loss, double* threshold, std::stop_token stop) {
  const DevicePolicy weights = policy();
  for (size_t i = 0; i < pass.size(); ++i) {
    check_cancelled(device_, stop);
    if (pass.micro(i).N() == 0) continue;
    pass.forward(i, weights);
    pass.all_head_rows(weights, i, loss.temperature);
  }
  device_.entropy_threshold({pass.entropy(), threshold, pass.targets(), loss.top_entropy});
}

TrainMetrics DeviceModel::accumulate(const RolloutBatch& batch, const LossSettings& loss, const TrainSettings& train,
                                     std::stop_token stop) {
  validate(batch, decoder_.config, loss, train);
  const PgBatch whole = whole_batch(batch);
  TrainMetrics metrics;
  if (whole.trained_tokens == 0) return metrics;
  const DevicePolicy weights = policy();
  float* const g = gradients();
  for (DeviceBuffer* moments : {&exp_avg_, &exp_avg_sq_}) slab(*moments);  // before the pass takes what is left
  float* const head_gradients = adapter_ ? nullptr : g;
  auto* const at = reinterpret_cast<DeviceControls*>(controls_.data());
  const DeviceControls start{};
  pass_staging_.begin(controls_.data(), int64_t(sizeof start));
  pass_staging_.add(&start, 1);
  pass_staging_.send();
  DevicePass pass(*this, batch, train.micro_batch_tokens, Targets::loss_mask, Workspace::Use::training, train.recompute);
  if (loss.top_entropy < 1.0) find_entropy_threshold(pass, loss, &at->entropy_threshold, stop);
  const int64_t chunk = head_chunk(decoder_.config.V);
  bool compared = false;
  for (size_t i = 0; i < pass.size(); ++i) {
    check_cancelled(device_, stop);
    const int64_t N = pass.micro(i).N();
    if (N == 0) continue;
    pass.forward(i, weights);
    const bool whole_sequences = needs_sequence_pass(loss), entropy = loss.entropy_weight != 0;
    if (whole_sequences) {
      pass.all_head_rows(weights, i, loss.temperature);
      pass.loss(loss, whole, i, 0, N, *at);
    }
    for (int64_t from = 0; from < N; from += chunk) {
      const int64_t to = std::min(N, from + chunk);
      if (whole_sequences) {
        if (N > chunk) pass.logits(weights, from, to);
      } else {
        pass.head_rows(weights, from, to, loss.temperature);
        pass.loss(loss, whole, i, from, to, *at);
      }
      pass.head_gradient(weights, from, to, loss.temperature, entropy, head_gradients);
    }
    pass.backward(i, weights, g);
    compared |= !pass.micro(i).behaviour.empty();
    ++metrics.micro_batches;
  }
  DeviceControls end;
  device_.download(&end, at, int64_t(sizeof end));
  metrics.sums = end.sums;
  metrics.mismatch = compared ? double(end.mismatch) : 0.0;
  return metrics;
}

void DeviceModel::score(bool use_reference, const RolloutBatch& batch, double temperature, int64_t micro_batch_tokens, float* logprob,
                        float* entropy, std::stop_token stop) {
  validate(batch, decoder_.config, Targets::all);
  require(temperature > 0, "temperature must be above 0");
  const DevicePolicy weights = use_reference ? reference_policy() : policy();
  DevicePass pass(*this, batch, micro_batch_tokens, Targets::all, Workspace::Use::forward, Recompute::none);
  for (size_t i = 0; i < pass.size(); ++i) {
    check_cancelled(device_, stop);
    if (pass.micro(i).N() == 0) continue;
    pass.forward(i, weights);
    pass.all_head_rows(weights, i, temperature);
  }
  const int64_t bytes = pass.targets() * int64_t(sizeof(float));
  std::vector<float> lp(size_t(pass.targets())), h(lp.size());
  device_.download_later(lp.data(), pass.logprob(), bytes);
  device_.download(h.data(), pass.entropy(), bytes);
  int64_t at = 0;
  for (size_t i = 0; i < pass.size(); ++i) {
    const int64_t first = pass.first_target(i);
    spread_scores(pass.micro(i), batch, lp.data() + first, h.data() + first, logprob, entropy, at);
  }
}

void DeviceModel::embed(const RolloutBatch& batch, int64_t micro_batch_tokens, float* embeddings, std::stop_token stop) {
  const int64_t C = decoder_.config.C;
  validate(batch, decoder_.config, Targets::none);
  require(bool(batch.loss_mask), "the batch has no loss_mask column");
  DevicePass pass(*this, batch, micro_batch_tokens, Targets::none, Workspace::Use::forward, Recompute::none);
  const DeviceBuffer sums(device_, batch.B * C * int64_t(sizeof(double)));
  device_.fill(sums.data(), 0, sums.bytes());
  std::vector<int64_t> counts(size_t(batch.B), 0);
  for (size_t i = 0; i < pass.size(); ++i) {
    check_cancelled(stop);
    pass.forward(i, policy());
    pass.pool(i, batch, reinterpret_cast<double*>(sums.data()), counts);
  }
  std::vector<double> host(size_t(batch.B * C));
  device_.download(host.data(), sums.data(), sums.bytes());
  for (int64_t r = 0; r < batch.B; ++r)
    for (int64_t j = 0; j < C; ++j) embeddings[r * C + j] = float(host[size_t(r * C + j)] / double(counts[size_t(r)]));
}

void DeviceModel::forward(const int32_t* tokens, const int32_t* cu_seqlens, int64_t B, float* logits, float* hidden) {
  const DecoderConfig& c = decoder_.config;
  RolloutBatch batch;
  batch.B = B;
  batch.tokens = {cu_seqlens, tokens};
  validate(batch, c, Targets::none);
  DevicePass pass(*this, batch, cu_seqlens[B], Targets::none, Workspace::Use::forward, Recompute::none);
  const MicroBatch& micro = pass.micro(0);
  const auto total = int64_t(micro.sequence_rows.size());
  std::vector<float> rows(size_t(micro.T() * c.C));
  const auto copy_rows = [&](int64_t l, const void* x) {
    if (!hidden) return;
    fetch(rows.data(), x, micro.T() * c.C);
    for (int64_t t = 0; t < total; ++t)
      std::copy_n(rows.data() + micro.sequence_rows[size_t(t)] * c.C, c.C, hidden + (l * total + t) * c.C);
  };
  pass.forward(0, policy(), copy_rows);
  copy_rows(c.L + 1, pass.memory().workspace.hidden);
  if (!logits) return;
  const DeviceBuffer out(device_, micro.T() * c.V * int64_t(sizeof(float)));
  network_.logits(policy(), pass.memory().workspace.hidden, micro.T(), out.floats());
  std::vector<float> z(size_t(micro.T() * c.V));
  device_.download(z.data(), out.data(), out.bytes());
  for (int64_t t = 0; t < total; ++t) std::copy_n(z.data() + micro.sequence_rows[size_t(t)] * c.V, c.V, logits + t * c.V);
}

// Numbers of the precision, widened.
void DeviceModel::fetch(float* to, const void* from, int64_t count) {
  if (network_.precision == Precision::f32) return device_.download(to, from, count * int64_t(sizeof(float)));
  std::vector<uint16_t> half(static_cast<size_t>(count));
  device_.download(half.data(), from, count * int64_t(sizeof(uint16_t)));
  std::transform(half.begin(), half.end(), to, from_bf16);
}

}  // namespace exitrl::device
