// Generation on a device: the CPU's scheduler, with tokens that stay on the device. A step is scheduled and launched while the
// step before it runs: its newest tokens are known one step late. So a sequence that a stop token ends has computed one row
// more than needed, which is thrown away.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <stop_token>
#include <utility>
#include <vector>

#include "device/attention_plan.h"
#include "device/decoder.h"
#include "device/device.h"
#include "kv/prefix_cache.h"
#include "rollout/scheduler.h"

namespace exitrl::device {

class DeviceModel;

// Pages in a device's memory; copies wait until the step that needs them is launched.
class DevicePages final : public Pages {
 public:
  using Pages::Pages;
  std::vector<int32_t> from, to;
  // Takes over the references of a smaller pool, whose contents have been moved.
  void adopt(const Pages& other) { adopt_references(other); }

 private:
  void copy_contents(int32_t f, int32_t t) override {
    from.push_back(f);
    to.push_back(t);
  }
};

// The rows of a step, on the host.
struct StepRows {
  std::vector<int32_t> given, source, positions, slots;
  std::vector<AttentionSpan> spans;
  std::vector<int32_t> pool_rows, pool_slots;  // rows whose hidden states are summed, and for which sequence
  void clear() {
    for (auto* v : {&given, &source, &positions, &slots, &pool_rows, &pool_slots}) v->clear();
    spans.clear();
  }
};

// Sizes that the memory of a rollout depends on.
struct RolloutSizes {
  int64_t pages = 0, rows = 0, sampled = 0, prompts = 0, sequences = 0, history = 0, small = 0, partials = 0;
  int64_t H = 1, K = 1;
  int64_t spans = 0, entries = 0;  // sequences in a step, and pages of the longest one
  bool embed = false;
  bool operator==(const RolloutSizes&) const = default;
  void derive();
  // Large enough for both.
  RolloutSizes with(const RolloutSizes& other) const;
  static RolloutSizes of(const DecoderConfig& config, const int32_t* offsets, int64_t prompts, const GenerateSettings& settings);
};

// Places in the memory of the phase. Pages come first: they stay where they are while calls that keep prefixes follow each other.
struct RolloutMemory {
  RolloutMemory() = default;
  RolloutMemory(Segments& segments, const DecoderConfig& config, Precision precision, const RolloutSizes& sizes,
                const AdapterLayout* adapter);
  DeviceKv kv;
  DeviceWorkspace workspace;
  float* logits = nullptr;         // (sampled at once, V)
  void* head_in = nullptr;         // (sampled at once, C)
  void* prefix_hidden = nullptr;   // (prompts, C) after each prompt's last token
  int32_t* tokens = nullptr;       // (rows)
  uint64_t* seed = nullptr;        // (1)
  int32_t* latest = nullptr;       // (sequences) newest token of each
  int32_t* history = nullptr;      // (sequences, history) with a repetition penalty
  double* pooled = nullptr;        // (sequences, C) sums of hidden states
  int32_t* token = nullptr;        // (sampled) results of a step
  float *logprob = nullptr, *raw_logprob = nullptr;
  float *partial_o = nullptr, *partial_lse = nullptr;
  std::byte* small = nullptr;      // where the staged arrays lie
};

constexpr int64_t kSampledAtOnce = 256;  // rows of logits
constexpr int64_t kMostMultiprocessors = 256;  // that plans count on
constexpr int32_t kStagingMark = 8, kResultMark = 16;

class DeviceRollout {
 public:
  explicit DeviceRollout(DeviceModel& model);
  ~DeviceRollout();
  Generated generate(const int32_t* prompts, const int32_t* offsets, int64_t count, const GenerateSettings& settings, std::stop_token stop);
  // Kept pages belong to other weights, or are gone.
  void forget();
  // The model has another adapter, or none: recorded graphs name places, ranks and scales of the one before.
  void change_model();

 private:
  // A token that a step samples: place `index` of the sequence's tokens.
  struct Sampled {
    Sequence* sequence;
    int64_t index;
  };
  // What a launched step will have computed.
  struct Flight {
    std::vector<Sampled> sampled;
    std::vector<Sequence*> finishing;  // need nothing but their tokens
    int half = 0;
  };
  // What comes back from the device: two pinned halves in turns.
  struct Results {
    explicit Results(Device& d) : device(d) {}
    ~Results() {
      if (data) device.release_pinned(data);
    }
    void reserve(int64_t rows) {
      if (rows <= capacity) return;
      if (data) device.release_pinned(data);
      data = nullptr;
      capacity = 0;
      data = static_cast<std::byte*>(device.allocate_pinned(2 * rows * 12));
      capacity = rows;
    }
    int32_t* token(int half) { return reinterpret_cast<int32_t*>(data + half * capacity * 12); }
    float* logprob(int half) { return reinterpret_cast<float*>(token(half) + capacity); }
    float* raw_logprob(int half) { return logprob(half) + capacity; }
    Device& device;
    std::byte* data = nullptr;
    int64_t capacity = 0;
  };

  void prepare(const int32_t* prompts, const int32_t* offsets, int64_t count, const GenerateSettings& settings);
  DeviceBuffer take_pages();
  void put_pages(const DeviceBuffer& pages);
  int64_t pages_bytes() const;
  [[noreturn]] void refuse(const int32_t* offsets, int64_t count, GenerateSettings settings, int64_t bytes) const;
  void launch_step(const StepRows& step);
  bool decode(const StepRows& step, const Flight& flight, const GenerateSettings& settings);
  void decode_calls(int64_t rows, const PassRows& pass, const int32_t* given, const int32_t* source, const int64_t* key,
                    const int32_t* length, const int32_t* slot, const SamplingSettings& sampling);
  AttentionPlanSettings attention_settings() const;
  void drop_graphs();
  void sample(const void* hidden_rows, const std::vector<int32_t>& rows, size_t first, Flight& flight, const GenerateSettings& settings);
  bool expect_token(Sequence& s, Flight& flight, const GenerateSettings& settings);
  void land(const Flight& flight, Scheduler& scheduler, const GenerateSettings& settings);

  DeviceModel& m_;
  std::unique_ptr<DevicePages> pages_;
  std::unique_ptr<PrefixCache> prefix_cache_;
  bool cached_ = false;  // pages hold what prefix_cache_ says
  RolloutSizes sizes_;
  RolloutMemory at_;
  Staging staging_;
  std::unique_ptr<Results> results_;
  std::vector<Prefix>* prefixes_ = nullptr;

  AttentionPlan plan_;  // of the step; its memory is used again

  // Decoding steps, recorded: by their number of rows; null after the first step of a size. They hold for these places, weights
  // and settings.
  std::map<int64_t, Graph*> graphs_;
  bool graphs_fit_ = true;  // false: in this call there was no memory for one
  struct Recorded {
    const std::byte* memory = nullptr;
    RolloutSizes sizes;
    DevicePolicy policy;
    SamplingSettings sampling;
    bool operator==(const Recorded&) const = default;
  } recorded_;
};

}  // namespace exitrl::device
