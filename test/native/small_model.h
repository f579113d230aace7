// A decoder of a few thousand weights, and what tests feed it with.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/rng.h"
#include "io/batch.h"
#include "models/decoder.h"
#include "models/names.h"
#include "rollout/engine.h"

namespace small {

inline exitrl::DecoderConfig config(bool qk_norm, int64_t window) {
  exitrl::DecoderConfig c;
  c.family = "qwen3";
  c.names = &exitrl::kLlamaNames;
  c.V = 53, c.C = 24, c.L = 2, c.H = 4, c.K = 2, c.D = 8, c.F = 40;
  c.max_positions = 200;
  c.qk_norm = qk_norm;
  c.qkv_bias = !qk_norm;
  c.tied = qk_norm;
  c.windows.assign(size_t(c.L), window);
  return c;
}

inline void fill(exitrl::Buffer<float>& slab, uint64_t seed) {
  for (int64_t i = 0; i < slab.size(); ++i) slab[i] = (float(exitrl::philox(seed, 1, uint64_t(i))[0]) * 0x1p-32f - 0.5f) * 0.6f;
}

inline void randomise(exitrl::Policy& policy, exitrl::Pool& pool, uint64_t seed) {
  fill(policy.slab, seed);
  policy.pack(pool);
}

inline void randomise(exitrl::Adapter& adapter, exitrl::Pool& pool, uint64_t seed) {
  fill(adapter.slab, seed);
  adapter.pack(pool);
}

// A random adapter of rank 3 on a policy; no targets: none.
struct Adapted {
  std::unique_ptr<exitrl::Adapter> adapter;
  Adapted(exitrl::Policy& policy, exitrl::Pool& pool, const exitrl::DecoderConfig& config, const std::string& targets, uint64_t seed) {
    if (targets.empty()) return;
    const std::string json = R"({"peft_type": "LORA", "r": 3, "lora_alpha": 4, "target_modules": )" + targets + "}";
    adapter = std::make_unique<exitrl::Adapter>(
        exitrl::make_adapter_layout(config, exitrl::parse_adapter_config(json, "adapter_config.json")));
    randomise(*adapter, pool, seed);
    policy.adapter = adapter.get();
  }
  const exitrl::AdapterLayout* layout() const { return adapter ? adapter->layout.get() : nullptr; }
};

// Three sequences, two of which begin alike; all tokens but the first of each are trained.
struct Batch {
  std::vector<int32_t> tokens, offsets{0, 11, 20, 27};
  std::vector<uint8_t> bits = std::vector<uint8_t>(4);
  std::vector<float> advantage = std::vector<float>(3, 1.0f);
  explicit Batch(int64_t V) {
    for (int32_t t = 0; t < offsets.back(); ++t)
      tokens.push_back(int32_t(exitrl::philox(7, t < 20 ? uint64_t(t % 11) / 6 : 2, uint64_t(t % 11))[0] % uint32_t(V)));
    for (int32_t t = 0; t < offsets.back(); ++t)
      if (t != 0 && t != 11 && t != 20) bits[size_t(t / 8)] |= uint8_t(1 << (t % 8));
  }
  exitrl::RolloutBatch view() const {
    exitrl::RolloutBatch batch;
    batch.B = 3;
    batch.tokens = {offsets.data(), tokens.data()};
    batch.loss_mask = {offsets.data(), bits.data(), 0};
    batch.advantage = advantage.data();
    return batch;
  }
  // Of the trained tokens; the others have logprob 0.
  double mean_nll(const std::vector<float>& logprob) const {
    double sum = 0;
    for (float value : logprob) sum -= value;
    return sum / double(logprob.size() - 3);
  }
};

// Random prompts of these lengths.
struct Prompts {
  std::vector<int32_t> tokens, offsets{0};
  explicit Prompts(std::initializer_list<int64_t> lengths, int64_t V) {
    for (const int64_t n : lengths) {
      for (int64_t i = 0; i < n; ++i) tokens.push_back(int32_t(exitrl::philox(99, uint64_t(n), uint64_t(i))[0] % uint32_t(V)));
      offsets.push_back(int32_t(tokens.size()));
    }
  }
  int64_t count() const { return int64_t(offsets.size()) - 1; }
};

inline exitrl::GenerateSettings settings_for(int64_t samples, int64_t new_tokens, float temperature) {
  exitrl::GenerateSettings s;
  s.samples_per_prompt = samples;
  s.max_new_tokens = new_tokens;
  s.sampling.temperature = temperature;
  s.stop_tokens = {7, 11};
  s.seed = 5;
  return s;
}

}  // namespace small
