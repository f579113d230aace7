// A model on a device, from tokens to updated weights: what Trainer and Engine are on the CPU. Its memory is one block that
// rollouts and training passes use in turns, beside the weights and what the optimizer keeps.
#pragma once
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "device/decoder.h"
#include "device/device.h"
#include "device/pass.h"
#include "kv/prefix_cache.h"
#include "rollout/engine.h"
#include "train/trainer.h"

namespace exitrl::device {

// Weights that may change: in fp32, and rounded to the precision of the computation.
class DeviceWeights {
 public:
  DeviceWeights(Device& device, int64_t size, Precision precision);
  void load(const float* host);
  void store(float* host) const;
  void round();  // after a change of master()
  float* master() const { return master_.floats(); }
  std::byte* rounded() const { return rounded_ ? rounded_.data() : master_.data(); }
  const int64_t size;

 private:
  Device& device_;
  const Precision precision_;
  DeviceBuffer master_, rounded_;
};

// Small things of a step that live on the device.
struct DeviceControls {
  alignas(16) PgSums sums;
  alignas(16) AdamWStep step;
  alignas(16) double norm[2];
  alignas(16) float mismatch;
  alignas(16) double entropy_threshold;
};

// What of a decoder a device cannot compute, and what to do; empty: nothing. Asked before anything is allocated.
std::string beyond_device(const DecoderConfig& config, Precision precision);

class DeviceModel {
 public:
  // order: Order::fixed is exact mode.
  DeviceModel(const Backend& backend, int32_t ordinal, const Decoder& decoder, Precision precision, Order order);
  ~DeviceModel();

  // What is trained from now on: an adapter, or (null) the weights. Moments, gradients and the reference are gone.
  void train(const AdapterLayout* adapter);
  // Slabs from and to the host. Weights beside an adapter are frozen and never come back.
  void load_weights(const float* slab);
  void load_adapter(const float* slab);
  void load_moments(const float* exp_avg, const float* exp_avg_sq, int64_t step);
  void store_trained(float* slab) const;
  void store_moments(float* exp_avg, float* exp_avg_sq);
  void store_gradients(float* slab);
  // Null: the reference of an adapter is the weights without it; else a slab of what is trained.
  void load_reference(const float* slab);
  void store_reference(float* slab) const;
  bool has_own_reference() const { return reference_ != nullptr; }
  // reference = alpha trained + (1 - alpha) reference, of an adapter A and B each; the first call copies.
  void update_reference(double alpha);

  Generated generate(const int32_t* prompts, const int32_t* offsets, int64_t count, const GenerateSettings& settings, std::stop_token stop);
  TrainMetrics accumulate(const RolloutBatch& batch, const LossSettings& loss, const TrainSettings& train, std::stop_token stop);
  UpdateMetrics update(const OptimizerSettings& settings);
  void zero_gradients();
  void score(bool reference, const RolloutBatch& batch, double temperature, int64_t micro_batch_tokens, float* logprob, float* entropy,
             std::stop_token stop);
  void embed(const RolloutBatch& batch, int64_t micro_batch_tokens, float* embeddings, std::stop_token stop);
  void forward(const int32_t* tokens, const int32_t* cu_seqlens, int64_t B, float* logits, float* hidden);

  Device& device() { return device_; }
  int64_t step = 0;

 private:
  friend class DeviceRollout;
  friend class DevicePass;
  void fetch(float* to, const void* from, int64_t count);
  void find_entropy_threshold(class DevicePass& pass, const LossSettings& loss, double* threshold, std::stop_token stop);
  DevicePolicy policy() const;
  DevicePolicy reference_policy() const;
  const ParameterList& trained() const;
  DeviceWeights& trained_weights();
  DeviceBuffer& slab(DeviceBuffer& buffer);  // of what is trained; zero when it is new
  float* gradients();
  // Memory that stays. Where none is left, the block of the phases is given back for it: not while a pass is under way.
  DeviceBuffer allocate(int64_t bytes);
  std::unique_ptr<DeviceWeights> make_weights(int64_t size);
  // Whether there was a block to give back.
  bool give_back();
  // Memory for a phase; what another phase or a smaller block held is gone.
  enum class Phase { none, rollout, pass };
  std::byte* memory(Phase phase, int64_t bytes);

  const Decoder& decoder_;
  Device device_;
  DeviceDecoder network_;
  const AdapterLayout* adapter_ = nullptr;
  std::unique_ptr<DeviceWeights> weights_, adapter_weights_, reference_;
  DeviceBuffer gradients_, exp_avg_, exp_avg_sq_, ranges_;
  int64_t range_count_ = 0;
  Decay ranges_decay_ = Decay::none;
  DeviceBuffer controls_;  // DeviceControls
  DeviceBuffer norm_partials_;
  DeviceBuffer memory_;
  Phase phase_ = Phase::none;
  Staging pass_staging_;
  std::unique_ptr<class DeviceRollout> rollout_;
};

// Bytes on the device for a batch of this shape; nothing is allocated. train null: what generation needs, alone. Rollouts and
// training passes use one block in turns: it is as large as the larger of the two. `evaluated`: sequences of an evaluation, each with a
// prompt of its own, whose rollout counts as well.
MemorySegments plan_memory(const Decoder& decoder, const AdapterLayout* adapter, Precision precision, int64_t prompts,
                           int64_t prompt_tokens, const GenerateSettings& generate, const TrainSettings* train, bool reference, int64_t evaluated = 0);

}  // namespace exitrl::device
