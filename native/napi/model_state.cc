#include "napi/model_state.h"

#include <algorithm>
#include <map>

#include "core/status.h"
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

std::shared_ptr<ModelState> ModelState::create(const std::string& config, uint64_t seed, Precision precision, std::shared_ptr<std::optional<Pool>> pool) {
  auto model = std::make_shared<ModelState>(with_precision(parse_config(config, "config.json"), precision), std::move(pool));
  initialise(model->decoder.config, model->decoder.layout, seed, model->policy_->slab.data());
  return model;
}

std::shared_ptr<ModelState> ModelState::load(const std::string& directory, Precision precision, std::shared_ptr<std::optional<Pool>> pool) {
  const std::string path = directory + "/config.json";
  auto model = std::make_shared<ModelState>(with_precision(parse_config(read_file(path), path), precision), std::move(pool));
  const WeightTarget target{Dtype::f32, reinterpret_cast<std::byte*>(model->policy_->slab.data())};
  model->dtypes = load_weights(Checkpoint(directory), model->decoder.config, model->decoder.layout, model->pool, target);
  model->directory_ = directory;
  return model;
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
      require(of_adapter ? reference_adapter_ != nullptr : reference_ != nullptr, "the model has no reference; call updateReference(1) first");
      return of_adapter ? reference_adapter_->slab.data() : reference_->slab.data();
    }
    default: break;
  }
  require(!frozen, "the weights beside an adapter are frozen: they have no gradients and no moments");
  return set == WeightSet::gradient ? trainer.gradients() : set == WeightSet::exp_avg ? trainer.exp_avg() : trainer.exp_avg_sq();
}

void ModelState::touch(WeightSet set) {
  if (set == WeightSet::policy) {
    policy_stale_ = true;
    weights_change();
  }
  if (set == WeightSet::reference) reference_stale_ = true;
}

void ModelState::weights_change() {
  directory_.reset();
  fingerprint_.reset();
}

uint64_t ModelState::fingerprint() {
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
  reference_.reset();
  has_reference = false;
  adapter_ = std::move(made);
  policy_->adapter = adapter_.get();
  policy_stale_ = true;
  trainer.train(adapter_->layout.get());
  step = 0;
  engine.adapt(adapter_->layout.get());
}

void ModelState::save_adapter(const std::string& path) {
  require(adapter_ != nullptr, "the model has no adapter; saveWeights() saves its weights");
  exitrl::save_weights(path, *adapter_->layout, adapter_->slab.data(), {std::vector<Dtype>(adapter_->layout->parameters.size(), Dtype::f32), {}});
}

void ModelState::merge_adapter() {
  require(adapter_ != nullptr, "the model has no adapter");
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
}

UpdateMetrics ModelState::update(const OptimizerSettings& settings) {
  const UpdateMetrics metrics = trainer.update(policy(), settings);
  step = trainer.step;
  if (!adapter_) weights_change();
  return metrics;
}

void ModelState::update_reference(double alpha) {
  if (!has_reference) alpha = 1;
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

std::vector<std::string> ModelState::save_weights(const std::string& path, SaveAs as, int64_t max_shard_bytes) const {
  require(!adapter_, "the model has an adapter: saveAdapter() saves it, mergeAdapter() adds it to the weights");
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
  const ParameterList& trained = trainer.trained();
  const StateFile file(path, trained);
  require(adapter_ || !file.reference_is_base(), path + " is the state of an adapter, but the model has none");
  for (const auto& [part, slab] : {std::pair{"exp_avg", trainer.exp_avg()}, std::pair{"exp_avg_sq", trainer.exp_avg_sq()}}) {
    if (file.has(part)) file.read(part, slab);
    else std::fill_n(slab, trained.size, 0.0f);
  }
  trainer.step = step = file.step();
  trainer.zero_gradients();
  reference_.reset();
  reference_adapter_.reset();
  if (file.has("reference")) {
    if (adapter_) reference_adapter_ = std::make_unique<Adapter>(adapter_->layout);
    else reference_ = std::make_unique<Policy>(decoder.config, decoder.layout);
    file.read("reference", adapter_ ? reference_adapter_->slab.data() : reference_->slab.data());
    reference_stale_ = true;
  }
  has_reference = file.has("reference") || file.reference_is_base();
}

}  // namespace exitrl
