// A model as the jobs see it: no JavaScript here. Everything but the atomics belongs to the job that runs.
#pragma once
#include <atomic>
#include <memory>
#include <optional>

#include "core/pool.h"
#include "models/decoder.h"
#include "rollout/engine.h"
#include "train/trainer.h"

namespace exitrl {

enum class WeightSet { policy, reference, gradient, exp_avg, exp_avg_sq };

class ModelState {
 public:
  ModelState(DecoderConfig config, std::shared_ptr<std::optional<Pool>> pool);
  static std::shared_ptr<ModelState> create(const std::string& config, uint64_t seed, Precision precision, std::shared_ptr<std::optional<Pool>> pool);
  static std::shared_ptr<ModelState> load(const std::string& directory, Precision precision, std::shared_ptr<std::optional<Pool>> pool);

  // The policy or the reference, packed again if its weights were written to.
  Policy& policy();
  Policy& reference();
  float* slab(WeightSet set);
  // Call after writing to slab(policy) or slab(reference).
  void touch(WeightSet set);
  void update_reference(double alpha);
  void save_state(const std::string& path);
  void load_state(const std::string& path);
  MemorySegments plan(int64_t prompts, int64_t prompt_tokens, const GenerateSettings& generate, const TrainSettings& train, bool with_reference) const;

 private:
  std::shared_ptr<std::optional<Pool>> shared_pool_;
  std::unique_ptr<Policy> policy_, reference_;
  bool policy_stale_ = true, reference_stale_ = true;

 public:
  const Decoder decoder;
  Pool& pool;
  Trainer trainer;
  Engine engine;
  // For getters on the JavaScript thread while a job runs.
  std::atomic<bool> has_reference{false};
  std::atomic<int64_t> step{0};
};

}  // namespace exitrl
