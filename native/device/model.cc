#include "device/model.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "device/rollout.h"

namespace exitrl::device {

std::string beyond_device(const DecoderConfig& c, Precision precision) {
  if (c.D <= 256 && (precision == Precision::f32 || c.D % 8 == 0)) return "";
  return "heads of " + std::to_string(c.D) +
         " numbers: on a device they have at most 256, and in bfloat16 a multiple of 8; the CPU computes others";
}

DeviceWeights::DeviceWeights(Device& device, int64_t n, Precision precision)
    : size(n), device_(device), precision_(precision), master_(device, n * int64_t(sizeof(float))) {
  if (precision == Precision::bf16) rounded_ = DeviceBuffer(device, n * int64_t(sizeof(uint16_t)));
}

void DeviceWeights::load(const float* host) {
  device_.upload(master_.data(), host, size * int64_t(sizeof(float)));
  device_.synchronise();  // the host may write to its slab again
  round();
}

void DeviceWeights::store(float* host) const { device_.download(host, master_.data(), size * int64_t(sizeof(float))); }

void DeviceWeights::round() {
  if (rounded_) device_.convert({master_.data(), rounded_.data(), size, Precision::f32, precision_});
}

DeviceModel::DeviceModel(const Backend& backend, int32_t ordinal, const Decoder& decoder, Precision precision, Order order)
    : decoder_(decoder), device_(backend, ordinal), network_(device_, decoder, precision, order), pass_staging_(device_, 0),
      rollout_(std::make_unique<DeviceRollout>(*this)) {
  weights_ = std::make_unique<DeviceWeights>(device_, decoder.layout.size, precision);
  controls_ = DeviceBuffer(device_, int64_t(sizeof(DeviceControls)));
}

DeviceModel::~DeviceModel() = default;

const ParameterList& DeviceModel::trained() const { return adapter_ ? static_cast<const ParameterList&>(*adapter_) : decoder_.layout; }
DeviceWeights& DeviceModel::trained_weights() { return adapter_ ? *adapter_weights_ : *weights_; }
DevicePolicy DeviceModel::policy() const { return {weights_->rounded(), adapter_ ? adapter_weights_->rounded() : nullptr}; }
DevicePolicy DeviceModel::reference_policy() const {
  if (adapter_) return {weights_->rounded(), reference_ ? reference_->rounded() : nullptr};
  require(reference_ != nullptr, "the model has no reference; call updateReference(1) first");
  return {reference_->rounded(), nullptr};
}

bool DeviceModel::give_back() {
  if (!memory_) return false;
  rollout_->forget();
  device_.synchronise();
  memory_.reset();
  phase_ = Phase::none;
  return true;
}

namespace {
// What `make` returns; where it finds no memory, once more after `give_back`.
template <class Make, class GiveBack>
auto twice(Make&& make, GiveBack&& give_back) {
  try {
    return make();
  } catch (const Error& error) {
    if (error.code != ErrorCode::out_of_memory || !give_back()) throw;
  }
  return make();
}
}  // namespace

DeviceBuffer DeviceModel::allocate(int64_t bytes) {
  return twice([&] { return DeviceBuffer(device_, bytes); }, [&] { return give_back(); });
}
std::unique_ptr<DeviceWeights> DeviceModel::make_weights(int64_t size) {
  return twice([&] { return std::make_unique<DeviceWeights>(device_, size, network_.precision); }, [&] { return give_back(); });
}

void DeviceModel::train(const AdapterLayout* adapter) {
  device_.synchronise();
  auto weights = adapter ? make_weights(adapter->size) : nullptr;  // throws before anything changes
  adapter_ = adapter;
  adapter_weights_ = std::move(weights);
  reference_.reset();
  for (DeviceBuffer* buffer : {&gradients_, &exp_avg_, &exp_avg_sq_, &ranges_, &norm_partials_}) buffer->reset();
  range_count_ = 0;
  step = 0;
  rollout_->change_model();
}

void DeviceModel::load_weights(const float* slab) {
  weights_->load(slab);
  rollout_->forget();
}
void DeviceModel::load_adapter(const float* slab) {
  adapter_weights_->load(slab);
  rollout_->forget();
}
void DeviceModel::store_trained(float* slab) const { (adapter_ ? adapter_weights_ : weights_)->store(slab); }

DeviceBuffer& DeviceModel::slab(DeviceBuffer& buffer) {
  const int64_t bytes = trained().size * int64_t(sizeof(float));
  if (!buffer) {
    buffer = allocate(bytes);
    device_.fill(buffer.data(), 0, bytes);
  }
  return buffer;
}
float* DeviceModel::gradients() { return slab(gradients_).floats(); }

void DeviceModel::load_moments(const float* exp_avg, const float* exp_avg_sq, int64_t at_step) {
  const int64_t bytes = trained().size * int64_t(sizeof(float));
  device_.upload(slab(exp_avg_).data(), exp_avg, bytes);
  device_.upload(slab(exp_avg_sq_).data(), exp_avg_sq, bytes);
  device_.synchronise();
  step = at_step;
}
void DeviceModel::store_moments(float* exp_avg, float* exp_avg_sq) {
  const int64_t bytes = trained().size * int64_t(sizeof(float));
  device_.download_later(exp_avg, slab(exp_avg_).data(), bytes);
  device_.download(exp_avg_sq, slab(exp_avg_sq_).data(), bytes);
}
void DeviceModel::store_gradients(float* to) { device_.download(to, slab(gradients_).data(), trained().size * int64_t(sizeof(float))); }
void DeviceModel::zero_gradients() {
  if (gradients_) device_.fill(gradients_.data(), 0, gradients_.bytes());
}

void DeviceModel::load_reference(const float* slab) {
  if (!slab) return reference_.reset();
  if (!reference_) reference_ = make_weights(trained().size);
  reference_->load(slab);
}
void DeviceModel::store_reference(float* slab) const { reference_->store(slab); }

void DeviceModel::update_reference(double alpha) {
  const bool first = !reference_;
  if (first) reference_ = make_weights(trained().size);
  void* const rounded = network_.precision == Precision::bf16 ? reference_->rounded() : nullptr;
  device_.moving_average(
      {reference_->master(), trained_weights().master(), rounded, trained().size, first ? 1.0f : float(alpha), network_.precision});
}

std::byte* DeviceModel::memory(Phase phase, int64_t bytes) {
  if (phase != phase_) rollout_->forget();
  phase_ = phase;
  if (memory_.bytes() < bytes) {
    rollout_->forget();
    device_.synchronise();
    memory_.reset();
    if (bytes > device_.room_bytes()) fail(ErrorCode::out_of_memory, "a phase needs " + megabytes(bytes));  // the phase says what fits
    memory_ = DeviceBuffer(device_, bytes);
  }
  return memory_.data();
}

Generated DeviceModel::generate(const int32_t* prompts, const int32_t* offsets, int64_t count, const GenerateSettings& settings,
                                std::stop_token stop) {
  return rollout_->generate(prompts, offsets, count, settings, stop);
}

UpdateMetrics DeviceModel::update(const OptimizerSettings& s) {
  const ParameterList& list = trained();
  if (range_count_ == 0 || ranges_decay_ != s.decay) {
    std::vector<AdamWRange> ranges;
    for (const Parameter& p : list.parameters) ranges.push_back({p.offset, p.size, decays(s.decay, p.kind)});
    std::sort(ranges.begin(), ranges.end(), [](const AdamWRange& a, const AdamWRange& b) { return a.offset < b.offset; });
    ranges_ = allocate(int64_t(ranges.size() * sizeof(AdamWRange)));
    device_.upload(ranges_.data(), ranges.data(), ranges_.bytes());
    device_.synchronise();
    range_count_ = int64_t(ranges.size());
    ranges_decay_ = s.decay;
  }
  if (!norm_partials_) norm_partials_ = allocate(norm_partials(list.size) * int64_t(sizeof(double)));
  auto* const at = reinterpret_cast<DeviceControls*>(controls_.data());
  const auto t = double(step + 1);
  const AdamWStep now{s.lr, s.beta1, s.beta2, s.eps, s.weight_decay, 1.0 - std::pow(s.beta1, t), 1.0 - std::pow(s.beta2, t)};
  pass_staging_.begin(reinterpret_cast<std::byte*>(&at->step), Staging::padded(int64_t(sizeof now)));
  pass_staging_.add(&now, 1);
  pass_staging_.send();
  device_.gradient_norm({gradients(), reinterpret_cast<double*>(norm_partials_.data()), at->norm, list.size, s.max_grad_norm});
  DeviceWeights& weights = trained_weights();
  device_.adamw({weights.master(), weights.rounded(), gradients(), slab(exp_avg_).floats(), slab(exp_avg_sq_).floats(),
                 reinterpret_cast<const AdamWRange*>(ranges_.data()), &at->step, &at->norm[1], range_count_, list.size,
                 network_.precision});
  rollout_->forget();
  double norm[2];
  device_.download(norm, at->norm, sizeof norm);
  UpdateMetrics out;
  out.grad_norm = norm[0];
  out.clip_factor = norm[1];
  if (!std::isfinite(out.grad_norm))
    fail(ErrorCode::invalid_argument,
         "the gradient norm is not finite; weights are unchanged and the gradients cleared. Lower the learning rate, or look "
         "for infinite log-probabilities in the batch");
  out.step = ++step;
  return out;
}

}  // namespace exitrl::device
