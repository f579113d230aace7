// A model as the jobs see it: no JavaScript here. Everything but the atomics belongs to the job that runs.
#pragma once
#include <atomic>
#include <memory>
#include <optional>

#include "core/pool.h"
#include "device/model.h"
#include "io/dtype.h"
#include "models/decoder.h"
#include "rollout/engine.h"
#include "train/trainer.h"

namespace exitrl {

// Where and how a model computes.
struct ModelOptions {
  Precision precision = Precision::f32;
  std::string device = "cpu";  // cpu, cuda, cuda:N or auto
  bool exact = false;          // on a device: rollout log-probabilities equal training's bit for bit; the CPU's always do
};

enum class WeightSet { policy, reference, gradient, exp_avg, exp_avg_sq };

class ModelState {
 public:
  ModelState(DecoderConfig config, std::shared_ptr<std::optional<Pool>> pool);
  static std::shared_ptr<ModelState> create(const std::string& config, uint64_t seed, const ModelOptions& options,
                                            std::shared_ptr<std::optional<Pool>> pool);
  static std::shared_ptr<ModelState> load(const std::string& directory, const ModelOptions& options,
                                          std::shared_ptr<std::optional<Pool>> pool);
  // "cpu", or the name of the device.
  std::string device_name() const;

  // A fresh LoRA adapter, or one that is read from a folder of the peft package: from now on it alone is trained. Optimizer
  // state and reference of before are gone. Its base_model_name_or_path is where the model was loaded from, if it was. When
  // it throws nothing has changed.
  void create_adapter(const std::string& config, uint64_t seed);
  void load_adapter(const std::string& directory);
  void save_adapter(const std::string& path);
  // Adds the adapter to the weights and drops it, with its optimizer state and its reference.
  void merge_adapter();
  const Adapter* adapter() const { return adapter_.get(); }
  // Of the weights (models/fingerprint.h), without an adapter. Kept until they change.
  uint64_t fingerprint();

  // The policy or the reference, packed again if its weights were written to. Where there is an adapter, the reference is
  // the weights without it until update_reference() says otherwise.
  Policy& policy();
  Policy& reference();
  // A parameter of the model or of its adapter, and where it lies in a set.
  struct Place {
    const Parameter& parameter;
    float* data;
    bool shared;  // a weight that the reference has from the policy
  };
  Place find(const std::string& name, WeightSet set);
  // Call after writing to the policy or the reference.
  void touch(WeightSet set);
  // The jobs: Engine's and Trainer's on the CPU, or DeviceModel's.
  Generated generate(const int32_t* prompts, const int32_t* offsets, int64_t count, const GenerateSettings& settings, std::stop_token stop);
  TrainMetrics accumulate(const RolloutBatch& batch, const LossSettings& loss, const TrainSettings& train, std::stop_token stop);
  void score(bool use_reference, const RolloutBatch& batch, double temperature, int64_t micro_batch_tokens, float* logprob, float* entropy,
             std::stop_token stop);
  void embed(const RolloutBatch& batch, int64_t micro_batch_tokens, float* embeddings, std::stop_token stop);
  void forward(const int32_t* tokens, const int32_t* cu_seqlens, int64_t B, float* logits, float* hidden);
  void zero_gradients();
  void set_step(int64_t step);
  UpdateMetrics update(const OptimizerSettings& settings);
  // reference = alpha policy + (1 - alpha) reference, of an adapter A and B each; the first call copies.
  void update_reference(double alpha);
  // Which types the tensors of a file have: those of the checkpoint the model came from; F32 with a note of these, for
  // training to go on from; or this one for all.
  enum class SaveAs { source, master, f32, bf16, f16 };
  std::vector<std::string> save_weights(const std::string& path, SaveAs as, int64_t max_shard_bytes);
  // config.json for such a file. Its one dtype is that of most numbers.
  std::string config_json(SaveAs as) const;
  void save_state(const std::string& path);
  void load_state(const std::string& path);

 private:
  std::unique_ptr<Adapter> make_adapter(const std::string& config, const std::string& origin) const;
  void attach(std::unique_ptr<Adapter> adapter);
  float* slab(WeightSet set, bool of_adapter);
  void open_device(const ModelOptions& options);
  // The device with what the host has changed.
  device::DeviceModel& on_device();
  // Takes over what the device has changed since: weights, moments and reference on the host are then those of the device.
  void fetch();
  void weights_change();
  std::vector<Dtype> saved_as(SaveAs as) const;

  std::shared_ptr<std::optional<Pool>> shared_pool_;
  std::unique_ptr<Adapter> adapter_, reference_adapter_;
  std::unique_ptr<Policy> policy_, reference_;
  // Changed on the host since it was packed, or sent to the device.
  bool policy_stale_ = true, reference_stale_ = true, moments_stale_ = false;
  bool device_ahead_ = false;  // the device has changed what the host holds
  std::optional<std::string> directory_;  // where the weights are as they are now; none: nowhere
  std::optional<uint64_t> fingerprint_;

 public:
  const Decoder decoder;
  Pool& pool;
  Trainer trainer;
  Engine engine;
  // (parameters) what each was loaded from, and is saved as
  std::vector<Dtype> dtypes;
  std::unique_ptr<device::DeviceModel> device;  // null: the CPU computes
  // For getters on the JavaScript thread while a job runs.
  std::atomic<bool> has_reference{false};
  std::atomic<int64_t> step{0};
};

}  // namespace exitrl
