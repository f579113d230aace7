#include "napi/model_state.h"

#include <algorithm>
#include <map>

#include "core/status.h"
#include "device/plugin.h"
#include "io/adapter_file.h"
#include "io/checkpoint.h"
#include "io/file.h"
#include "io/training_state.h"
#include "models/fingerprint.h"
#include "models/initialise.h"
#include "ops/norm/norm.h"

namespace exitrl {

ModelState::ModelState(DecoderConfig config, std::shared_ptr<std::optional<Pool>> shared)
    : shared_pool_(std::move(shared)), decoder(std::move(config)), pool(**shared_pool_), trainer(decoder, pool), engine(decoder, pool) {
  policy_ = std::make_unique<Policy>(decoder.config, decoder.layout);
  Dtype dtype;
  const bool stored = find_dtype(decoder.config.dtype, dtype) && (dtype == Dtype::bf16 || dtype == Dtype::f16);
  dtypes.assign(decoder.layout.parameters.size(), stored ? dtype : Dtype::f32);
}

namespace {

DecoderConfig with_precision(DecoderConfig config, Precision precision) {
  config.precision = precision;
  return config;
}

}  // namespace

std::shared_ptr<ModelState> ModelState::create(const std::string& config, uint64_t seed, const ModelOptions& options,
                                               std::shared_ptr<std::optional<Pool>> pool) {
  auto model = std::make_shared<ModelState>(with_precision(parse_config(config, "config.json"), options.precision), std::move(pool));
  model->open_device(options);
  initialise(model->pool, model->decoder.config, model->decoder.layout, seed, model->policy_->slab.data());
  return model;
}

std::shared_ptr<ModelState> ModelState::load(const std::string& directory, const ModelOptions& options,
                                             std::shared_ptr<std::optional<Pool>> pool) {
  const std::string path = directory + "/config.json";
  auto model = std::make_shared<ModelState>(with_precision(parse_config(read_file(path), path), options.precision), std::move(pool));
  model->open_device(options);
  const WeightTarget target{Dtype::f32, reinterpret_cast<std::byte*>(model->policy_->slab.data())};
  model->dtypes = load_weights(Checkpoint(directory), model->decoder.config, model->decoder.layout, model->pool, target);
  model->directory_ = directory;
  return model;
}

void ModelState::open_device(const ModelOptions& options) {
  const int32_t ordinal = device::device_ordinal(options.device);
  if (ordinal < 0) return;
  const std::string beyond = device::beyond_device(decoder.config, options.precision);
  if (!beyond.empty() && options.device == "auto") return;
  require(beyond.empty(), "device " + options.device + ": " + beyond);
  const auto order = options.exact ? device::Order::fixed : device::Order::any;
  device = std::make_unique<device::DeviceModel>(*device::plugin().backend, ordinal, decoder, options.precision, order);
}

std::string ModelState::device_name() const { return device ? device->device().info.name : "cpu"; }

device::DeviceModel& ModelState::on_device() {
  if (policy_stale_) {
    device->load_weights(policy_->slab.data());
    if (adapter_) device->load_adapter(adapter_->slab.data());
  }
  policy_stale_ = false;
  if (moments_stale_) device->load_moments(trainer.exp_avg(), trainer.exp_avg_sq(), trainer.step);
  moments_stale_ = false;
  if ((has_reference || adapter_) && reference_stale_) {  // of an adapter: none is the weights without it
    if (adapter_) device->load_reference(reference_adapter_ ? reference_adapter_->slab.data() : nullptr);
    else device->load_reference(reference_->slab.data());
  }
  reference_stale_ = false;
  return *device;
}

void ModelState::fetch() {
  if (!device_ahead_) return;
  device->store_trained(adapter_ ? adapter_->slab.data() : policy_->slab.data());
  if (device->step > 0) device->store_moments(trainer.exp_avg(), trainer.exp_avg_sq());
  trainer.step = device->step;
  // An adapter's reference is moved on the host.
  if (!adapter_ && has_reference && !reference_stale_) {
    if (!reference_) reference_ = std::make_unique<Policy>(decoder.config, decoder.layout);
    device->store_reference(reference_->slab.data());
  }
  device_ahead_ = false;
}

Generated ModelState::generate(const int32_t* prompts, const int32_t* offsets, int64_t count, const GenerateSettings& settings,
                               std::stop_token stop) {
  if (device) return on_device().generate(prompts, offsets, count, settings, std::move(stop));
  return engine.generate(policy(), prompts, offsets, count, settings, std::move(stop));
}

TrainMetrics ModelState::accumulate(const RolloutBatch& batch, const LossSettings& loss, const TrainSettings& train, std::stop_token stop) {
  if (device) return on_device().accumulate(batch, loss, train, std::move(stop));
  return trainer.accumulate(policy(), batch, loss, train, std::move(stop));
}

void ModelState::score(bool use_reference, const RolloutBatch& batch, double temperature, int64_t micro_batch_tokens, float* logprob,
                       float* entropy, std::stop_token stop) {
  if (device) {
    require(!use_reference || has_reference || adapter_, "the model has no reference; call updateReference(1) first");
    return on_device().score(use_reference, batch, temperature, micro_batch_tokens, logprob, entropy, std::move(stop));
  }
  trainer.score(use_reference ? reference() : policy(), batch, temperature, micro_batch_tokens, logprob, entropy, std::move(stop));
}

void ModelState::embed(const RolloutBatch& batch, int64_t micro_batch_tokens, float* embeddings, std::stop_token stop) {
  if (device) return on_device().embed(batch, micro_batch_tokens, embeddings, std::move(stop));
  trainer.embed(policy(), batch, micro_batch_tokens, embeddings, std::move(stop));
}

void ModelState::forward(const int32_t* tokens, const int32_t* cu_seqlens, int64_t B, float* logits, float* hidden) {
  if (device) return on_device().forward(tokens, cu_seqlens, B, logits, hidden);
  trainer.forward(policy(), tokens, cu_seqlens, B, logits, hidden);
}

void ModelState::zero_gradients() {
  if (device) device->zero_gradients();
  trainer.zero_gradients();
}

void ModelState::set_step(int64_t to) {
  fetch();
  trainer.step = step = to;
  if (device) device->step = to;
}

Policy& ModelState::policy() {
  if (policy_stale_) policy_->pack(pool);
  policy_stale_ = false;
  return *policy_;
}

Policy& ModelState::reference() {
  if (adapter_ && !reference_) reference_ = std::make_unique<Policy>(*policy_, reference_adapter_.get());
  require(reference_ != nullptr, "the model has no reference; call updateReference(1) first");
  if (adapter_) policy();  // packs the weights that both share
  if (reference_stale_) {
    if (adapter_) reference_->pack_adapter(pool);
    else reference_->pack(pool);
  }
  reference_stale_ = false;
  return *reference_;
}

ModelState::Place ModelState::find(const std::string& name, WeightSet set) {
  fetch();
  const bool of_adapter = adapter_ && name.starts_with("base_model.");
  const Parameter& parameter = of_adapter ? adapter_->layout->find(name) : decoder.layout.find(name);
  return {parameter, slab(set, of_adapter) + parameter.offset, adapter_ && !of_adapter && set == WeightSet::reference};
}

float* ModelState::slab(WeightSet set, bool of_adapter) {
  const bool frozen = adapter_ && !of_adapter;
  switch (set) {
    case WeightSet::policy: return of_adapter ? adapter_->slab.data() : policy_->slab.data();
    case WeightSet::reference: {
      if (frozen) return policy_->slab.data();
      require(of_adapter ? reference_adapter_ != nullptr : reference_ != nullptr,
              "the model has no reference; call updateReference(1) first");
      return of_adapter ? reference_adapter_->slab.data() : reference_->slab.data();
    }
    default: break;
  }
  require(!frozen, "the weights beside an adapter are frozen: they have no gradients and no moments");
  if (device && set == WeightSet::gradient) device->store_gradients(trainer.gradients());
  return set == WeightSet::gradient ? trainer.gradients() : set == WeightSet::exp_avg ? trainer.exp_avg() : trainer.exp_avg_sq();
}

void ModelState::touch(WeightSet set) {
  if (set == WeightSet::policy) {
    policy_stale_ = true;
    weights_change();
  }
  if (set == WeightSet::reference) reference_stale_ = true;
  if (set == WeightSet::exp_avg || set == WeightSet::exp_avg_sq) moments_stale_ = true;
  require(!device || set != WeightSet::gradient, "gradients on a device can be read, not written");
}

void ModelState::weights_change() {
  directory_.reset();
  fingerprint_.reset();
}

uint64_t ModelState::fingerprint() {
  if (!adapter_) fetch();
  if (!fingerprint_) fingerprint_ = exitrl::fingerprint(pool, decoder.layout, policy_->slab.data());
  return *fingerprint_;
}

std::unique_ptr<Adapter> ModelState::make_adapter(const std::string& config, const std::string& origin) const {
  AdapterConfig parsed = parse_adapter_config(config, origin);
  if (directory_) parsed.base = directory_;
  return std::make_unique<Adapter>(make_adapter_layout(decoder.config, std::move(parsed)));
}

void ModelState::create_adapter(const std::string& config, uint64_t seed) {
  auto made = make_adapter(config, "adapter_config.json");
  initialise(*made->layout, seed, made->slab.data());
  attach(std::move(made));
}

void ModelState::load_adapter(const std::string& directory) {
  const std::string path = directory + "/adapter_config.json";
  auto made = make_adapter(read_file(path), path);
  exitrl::load_adapter(directory, *made->layout, made->slab.data());
  attach(std::move(made));
}

void ModelState::attach(std::unique_ptr<Adapter> made) {
  require(!adapter_, "the model has an adapter already; mergeAdapter() first");
  fetch();
  if (device) device->train(made->layout.get());  // the one that may find no memory, before anything changes
  reference_.reset();
  has_reference = false;
  adapter_ = std::move(made);
  policy_->adapter = adapter_.get();
  policy_stale_ = true;
  trainer.train(adapter_->layout.get());
  step = 0;
  engine.adapt(adapter_->layout.get());
  moments_stale_ = false;
}

void ModelState::save_adapter(const std::string& path) {
  require(adapter_ != nullptr, "the model has no adapter; saveWeights() saves its weights");
  fetch();
  exitrl::save_weights(path, *adapter_->layout, adapter_->slab.data(),
                       {std::vector<Dtype>(adapter_->layout->parameters.size(), Dtype::f32), {}});
}

void ModelState::merge_adapter() {
  require(adapter_ != nullptr, "the model has no adapter");
  fetch();
  weights_change();
  adapter_->merge_into(pool, decoder.layout, policy_->slab.data());
  trainer.train(nullptr);
  step = 0;
  engine.adapt(nullptr);
  policy_->adapter = nullptr;
  policy_stale_ = true;
  reference_.reset();
  has_reference = false;
  reference_adapter_.reset();
  adapter_.reset();
  if (device) device->train(nullptr);
  moments_stale_ = false;
}

UpdateMetrics ModelState::update(const OptimizerSettings& settings) {
  UpdateMetrics metrics;
  if (device) {
    metrics = on_device().update(settings);
    device_ahead_ = true;
    step = device->step;
  } else {
    metrics = trainer.update(policy(), settings);
    step = trainer.step;
  }
  if (!adapter_) weights_change();
  return metrics;
}

void ModelState::update_reference(double alpha) {
  if (!has_reference) alpha = 1;
  if (device && !adapter_) {
    on_device().update_reference(alpha);
    device_ahead_ = true;
    reference_stale_ = false;
    has_reference = true;
    return;
  }
  fetch();
  if (!adapter_) {
    if (!reference_) reference_ = std::make_unique<Policy>(decoder.config, decoder.layout);
    moving_average(pool, reference_->slab.data(), policy_->slab.data(), decoder.layout.size, float(alpha));
  } else if (reference_adapter_) {
    moving_average(pool, reference_adapter_->slab.data(), adapter_->slab.data(), adapter_->layout->size, float(alpha));
  } else if (!adapter_->is_zero()) {
    // From the weights without an adapter: any A with B = 0. With that of the policy, alpha B is the average of the weights.
    auto copy = std::make_unique<Adapter>(adapter_->layout);
    moving_average(pool, copy->slab.data(), adapter_->slab.data(), adapter_->layout->size, 1.0f);
    copy->multiply_b(float(alpha));
    reference_adapter_ = std::move(copy);
    reference_.reset();
  }
  reference_stale_ = true;
  has_reference = true;
}

std::vector<Dtype> ModelState::saved_as(SaveAs as) const {
  if (as == SaveAs::source) return dtypes;
  return std::vector<Dtype>(dtypes.size(), as == SaveAs::bf16 ? Dtype::bf16 : as == SaveAs::f16 ? Dtype::f16 : Dtype::f32);
}

std::vector<std::string> ModelState::save_weights(const std::string& path, SaveAs as, int64_t max_shard_bytes) {
  require(!adapter_, "the model has an adapter: saveAdapter() saves it, mergeAdapter() adds it to the weights");
  fetch();
  SaveSettings settings{saved_as(as), {}, max_shard_bytes};
  if (as == SaveAs::master && settings.dtypes != dtypes) settings.source = dtypes;
  return exitrl::save_weights(path, decoder.layout, policy_->slab.data(), settings);
}

std::string ModelState::config_json(SaveAs as) const {
  const auto saved = saved_as(as);
  std::map<Dtype, int64_t> numbers;
  for (size_t i = 0; i < saved.size(); ++i) numbers[saved[i]] += decoder.layout.parameters[i].size;
  const auto most = std::max_element(numbers.begin(), numbers.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return exitrl::config_json(decoder.config, torch_name(most->first));
}

void ModelState::save_state(const std::string& path) {
  fetch();
  TrainingState state;
  state.step = trainer.step;
  if (trainer.step > 0) {
    state.exp_avg = trainer.exp_avg();
    state.exp_avg_sq = trainer.exp_avg_sq();
  }
  if (reference_adapter_) state.reference = reference_adapter_->slab.data();
  else if (adapter_) state.reference_is_base = has_reference;
  else if (reference_) state.reference = reference_->slab.data();
  exitrl::save_state(path, trainer.trained(), state);
}

void ModelState::load_state(const std::string& path) {
  fetch();
  const ParameterList& trained = trainer.trained();
  const StateFile file(path, trained);
  require(adapter_ || !file.reference_is_base(), path + " is the state of an adapter, but the model has none");
  for (const auto& [part, slab] : {std::pair{"exp_avg", trainer.exp_avg()}, std::pair{"exp_avg_sq", trainer.exp_avg_sq()}}) {
    if (file.has(part)) file.read(part, slab);
    else std::fill_n(slab, trained.size, 0.0f);
  }
  trainer.step = step = file.step();
  moments_stale_ = device != nullptr;
  zero_gradients();
  reference_.reset();
  reference_adapter_.reset();
  if (file.has("reference")) {
    if (adapter_) reference_adapter_ = std::make_unique<Adapter>(adapter_->layout);
    else reference_ = std::make_unique<Policy>(decoder.config, decoder.layout);
    file.read("reference", adapter_ ? reference_adapter_->slab.data() : reference_->slab.data());
    reference_stale_ = true;
  }
  has_reference = file.has("reference") || file.reference_is_base();
  reference_stale_ = true;
}

}  // namespace exitrl
