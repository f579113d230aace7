#include "napi/model_state.h"

#include <algorithm>

#include "core/status.h"
#include "io/checkpoint.h"
#include "io/file.h"
#include "models/initialise.h"
#include "ops/norm/norm.h"

namespace exitrl {

ModelState::ModelState(DecoderConfig config, std::shared_ptr<std::optional<Pool>> shared)
    : shared_pool_(std::move(shared)), decoder(std::move(config)), pool(**shared_pool_), trainer(decoder, pool), engine(decoder, pool) {
  policy_ = std::make_unique<Policy>(decoder.config, decoder.layout);
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
  load_weights(directory, model->decoder.config, model->decoder.layout, model->policy_->slab.data());
  return model;
}

Policy& ModelState::policy() {
  if (policy_stale_) policy_->pack(pool);
  policy_stale_ = false;
  return *policy_;
}

Policy& ModelState::reference() {
  require(reference_ != nullptr, "the model has no reference; call updateReference(1) first");
  if (reference_stale_) reference_->pack(pool);
  reference_stale_ = false;
  return *reference_;
}

float* ModelState::slab(WeightSet set) {
  switch (set) {
    case WeightSet::policy: return policy_->slab.data();
    case WeightSet::gradient: return trainer.gradients();
    case WeightSet::exp_avg: return trainer.exp_avg();
    case WeightSet::exp_avg_sq: return trainer.exp_avg_sq();
    default: require(reference_ != nullptr, "the model has no reference; call updateReference(1) first"); return reference_->slab.data();
  }
}

void ModelState::touch(WeightSet set) {
  if (set == WeightSet::policy) policy_stale_ = true;
  if (set == WeightSet::reference) reference_stale_ = true;
}

void ModelState::update_reference(double alpha) {
  if (!reference_) {
    reference_ = std::make_unique<Policy>(decoder.config, decoder.layout);
    alpha = 1;
  }
  moving_average(pool, reference_->slab.data(), policy_->slab.data(), decoder.layout.size, float(alpha));
  reference_stale_ = true;
  has_reference = true;
}

void ModelState::save_state(const std::string& path) {
  TrainingState state;
  state.step = trainer.step;
  if (trainer.step > 0) {
    state.exp_avg = trainer.exp_avg();
    state.exp_avg_sq = trainer.exp_avg_sq();
  }
  if (reference_) state.reference = reference_->slab.data();
  exitrl::save_state(path, decoder.layout, state);
}

void ModelState::load_state(const std::string& path) {
  const StateFile file(path, decoder.layout);
  for (const auto& [part, slab] : {std::pair{"exp_avg", trainer.exp_avg()}, std::pair{"exp_avg_sq", trainer.exp_avg_sq()}}) {
    if (file.has(part)) file.read(part, slab);
    else std::fill_n(slab, decoder.layout.size, 0.0f);
  }
  trainer.step = step = file.step();
  trainer.zero_gradients();
  if (!file.has("reference")) {
    reference_.reset();
  } else {
    if (!reference_) reference_ = std::make_unique<Policy>(decoder.config, decoder.layout);
    file.read("reference", reference_->slab.data());
    reference_stale_ = true;
  }
  has_reference = reference_ != nullptr;
}

MemorySegments ModelState::plan(int64_t prompts, int64_t prompt_tokens, const GenerateSettings& generate, const TrainSettings& train,
                                bool with_reference) const {
  const int64_t weights = decoder.layout.size * int64_t(sizeof(float)) + PackedWeights::bytes(decoder.config);
  MemorySegments segments{{"policy weights", weights}};
  if (with_reference) segments.push_back({"reference weights", weights});
  for (auto& segment : Trainer::plan(decoder, prompts, generate.samples_per_prompt, prompt_tokens, generate.max_new_tokens, train.micro_batch_tokens,
                                      train.recompute))
    segments.push_back({"train: " + segment.name, segment.bytes});
  for (auto& segment : Engine::plan(decoder, prompts, prompt_tokens, generate)) segments.push_back({"generate: " + segment.name, segment.bytes});
  return segments;
}

}  // namespace exitrl
