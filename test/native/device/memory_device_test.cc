// Memory of a model on a device: what was planned is what is used, what does not fit is said, and a model whose memory was refused
// goes on. Calls of the backend's table that take memory are counted, and refused where a test says so.
#include <map>

#include "../small_model.h"
#include "device/model.h"
#include "device_check.h"
#include "train/trainer.h"

extern "C" const exitrl::device::Backend* exitrl_backend();

using namespace exitrl;
using namespace check;
using device::Backend;
using device::DeviceModel;
using device::Graph;
using device::Instance;
using device::Order;
using device::Status;
using small::Prompts;
using small::settings_for;

namespace {

struct Memory {
  std::map<const std::byte*, int64_t> blocks;
  int64_t used = 0, limit = int64_t{1} << 30, reserve = 0;
  bool refuses_pinned = false, refuses_graphs = false;
  bool returns = false;  // what is released is kept, and given out again for the same number of bytes
  std::multimap<int64_t, std::pair<Instance*, void*>> kept;
  int refused_graphs = 0;

  bool holds(const void* p, int64_t bytes) const {
    const auto* const at = static_cast<const std::byte*>(p);
    auto block = blocks.upper_bound(at);
    return block != blocks.begin() && (--block, at + bytes <= block->first + block->second);
  }
};
Memory memory;

void refuse(Status* s) { *s = {2, "no memory, says the test"}; }

Backend counted_backend() {
  memory = {};
  Backend b = *exitrl_backend();
  b.describe = [](int32_t n, device::DeviceInfo* info, Status* s) {
    exitrl_backend()->describe(n, info, s);
    info->memory_bytes = memory.limit;
    info->free_bytes = memory.limit - memory.used;
    info->reserve_bytes = memory.reserve;
  };
  b.allocate = [](Instance* i, int64_t n, Status* s) -> void* {
    if (memory.used + n > memory.limit) return refuse(s), nullptr;
    const auto kept = memory.kept.find(n);
    void* const p = kept != memory.kept.end() ? kept->second.second : exitrl_backend()->allocate(i, n, s);
    if (kept != memory.kept.end()) memory.kept.erase(kept);
    if (p) memory.blocks[static_cast<std::byte*>(p)] = n, memory.used += n;
    return p;
  };
  b.release = [](Instance* i, void* p) {
    if (const auto block = memory.blocks.find(static_cast<std::byte*>(p)); block != memory.blocks.end()) {
      const int64_t n = block->second;
      memory.used -= n;
      memory.blocks.erase(block);
      if (memory.returns) {
        memory.kept.emplace(n, std::pair{i, p});
        return;
      }
    }
    exitrl_backend()->release(i, p);
  };
  b.upload = [](Instance* i, void* to, const void* from, int64_t n, Status* s) {
    if (!memory.holds(to, n)) failed(__FILE__, __LINE__, std::to_string(n) + " bytes are sent to where there is no memory for them");
    exitrl_backend()->upload(i, to, from, n, s);
  };
  b.allocate_pinned = [](Instance* i, int64_t n, Status* s) -> void* {
    if (memory.refuses_pinned) return refuse(s), nullptr;
    return exitrl_backend()->allocate_pinned(i, n, s);
  };
  b.end_graph = [](Instance* i, Status* s) -> Graph* {
    Graph* const graph = exitrl_backend()->end_graph(i, s);
    if (!memory.refuses_graphs) return graph;
    exitrl_backend()->release_graph(i, graph);
    ++memory.refused_graphs;
    return refuse(s), nullptr;
  };
  return b;
}

// A model on a device whose memory is counted.
struct Counted {
  const Backend backend = counted_backend();
  Decoder decoder;
  Pool pool{1};
  Policy policy;
  DeviceModel device;
  explicit Counted(const DecoderConfig& config = small::config(true, 0), Precision precision = Precision::f32)
      : decoder(config), policy(decoder.config, decoder.layout), device(backend, 0, decoder, precision, Order::any) {
    small::randomise(policy, pool, 3);
    device.load_weights(policy.slab.data());
  }
  Generated generate(const Prompts& prompts, const GenerateSettings& settings) {
    return device.generate(prompts.tokens.data(), prompts.offsets.data(), prompts.count(), settings, {});
  }
};

bool equal(const Generated& a, const Generated& b) { return a.tokens == b.tokens && same_bits(a.logprob, b.logprob); }

}  // namespace

TEST(device_memory_is_what_was_planned) {
  for (const Precision precision : {Precision::f32, Precision::bf16})
    for (const char* targets : {"", "\"all-linear\""}) {
      if (few()) continue;  // nothing is computed that the other tests do not
      DecoderConfig config = small::config(true, 0);
      config.V = 400, config.C = 64, config.F = 160;
      Counted model(config, precision);
      const small::Adapted adapted(model.policy, model.pool, model.decoder.config, targets, 4);
      if (adapted.adapter) {
        model.device.train(adapted.layout());
        model.device.load_adapter(adapted.adapter->slab.data());
      }
      // Four prompts of 20 tokens, three samples of 8 tokens each; every new token is trained.
      GenerateSettings generate = settings_for(3, 8, 1.0f);
      generate.stop_tokens.clear();
      generate.prefill_tokens = 64;
      const Generated rollout = model.generate(Prompts({20, 20, 20, 20}, config.V), generate);
      RolloutBatch batch;
      batch.B = 12;
      batch.tokens = {rollout.offsets.data(), rollout.tokens.data()};
      std::vector<uint8_t> mask(rollout.tokens.size() / 8 + 1);
      for (int64_t r = 0; r < 12; ++r)
        for (int64_t i = 20; i < 28; ++i)
          mask[size_t(rollout.offsets[size_t(r)] + i) / 8] |= uint8_t(1 << ((rollout.offsets[size_t(r)] + i) % 8));
      const Floats advantage(12, 1.0f);
      batch.loss_mask = {rollout.offsets.data(), mask.data(), 0};
      batch.logprob = {rollout.offsets.data(), rollout.logprob.data()};
      batch.advantage = advantage.data();
      const TrainSettings train{128, Recompute::none};
      model.device.accumulate(batch, {}, train, {});
      const int64_t before_the_update = memory.used;
      model.device.update({});
      CHECK_NEAR(double(before_the_update) / double(memory.used), 1.0, 0.01);  // what a step takes is known before its passes
      const double planned = double(
          total_bytes(device::plan_memory(model.decoder, adapted.layout(), precision, 4, 20, generate, &train, false)));
      CHECK_NEAR(planned / double(memory.used), 1.0, 0.02);
    }
}

TEST(device_says_what_would_fit) {
  Counted model;
  memory.limit = memory.used + 3'500'000;
  const Prompts prompts({40, 40}, model.decoder.config.V);
  GenerateSettings many = settings_for(64, 100, 1.0f);
  many.prefill_tokens = 64;
  CHECK_THROWS(model.generate(prompts, many), "MB; maxRunning ");
  GenerateSettings wide = many;
  wide.prefill_tokens = 1 << 20;
  CHECK_THROWS(model.generate(prompts, wide), "; prefillTokens ");
  const small::Batch sequences(model.decoder.config.V);
  CHECK_THROWS(model.device.accumulate(sequences.view(), {}, {1 << 20, Recompute::none}, {}), "microBatchTokens ");
  // Room that is left for what is not planned counts as used.
  memory.limit = memory.used + 23'500'000;
  memory.reserve = 20'000'000;
  CHECK_THROWS(model.generate(prompts, many), "and the device has 4 MB; maxRunning ");
  memory.limit = int64_t{1} << 30;
  // The model goes on.
  CHECK(model.generate(prompts, settings_for(1, 3, 1.0f)).prompt_length.size() == 2);
}

TEST(device_generates_without_room_for_graphs) {
  Counted model;
  const Prompts prompts({9, 21}, model.decoder.config.V);
  const GenerateSettings settings = settings_for(2, 12, 0.8f);
  const Generated want = model.generate(prompts, settings);
  model.device.load_weights(model.policy.slab.data());
  GenerateSettings other = settings;
  other.sampling.top_k = 5;  // the graphs of the first call do not serve this one
  memory.refuses_graphs = true;
  const Generated filtered = model.generate(prompts, other);
  CHECK(memory.refused_graphs == 1);
  CHECK(equal(model.generate(prompts, settings), want));
  CHECK(memory.refused_graphs == 2);
  memory.refuses_graphs = false;
  CHECK(equal(model.generate(prompts, other), filtered));
}

TEST(device_generates_after_pinned_memory_was_refused) {
  Counted model;
  const Prompts prompts({9, 21}, model.decoder.config.V);
  const Generated want = model.generate(prompts, settings_for(2, 12, 0.8f));
  memory.refuses_pinned = true;
  CHECK_THROWS(model.generate(prompts, settings_for(200, 12, 0.8f)), "no memory, says the test");
  memory.refuses_pinned = false;
  CHECK(equal(model.generate(prompts, settings_for(2, 12, 0.8f)), want));
}

// A large rollout has taken everything; what training and an adapter need is then found in its block.
TEST(device_gives_the_block_of_a_phase_back_for_what_stays) {
  Counted model;
  const DecoderConfig& config = model.decoder.config;
  const Prompts prompts({9, 21}, config.V);
  const small::Batch sequences(config.V);
  GenerateSettings large = settings_for(16, 60, 0.8f);
  large.prefill_tokens = 64;
  const auto fill = [&] {
    memory.limit = int64_t{1} << 30;
    const Generated out = model.generate(prompts, large);
    memory.limit = memory.used + 1000;
    return out;
  };
  const Generated want = fill();
  model.device.accumulate(sequences.view(), {}, {8, Recompute::none}, {});
  model.device.zero_gradients();
  CHECK(equal(fill(), want));
  model.device.update_reference(1);
  CHECK(equal(fill(), want));
  // No room for an adapter, whatever is given back: nothing has changed.
  const auto layout =
      make_adapter_layout(config, parse_adapter_config(R"({"peft_type": "LORA", "r": 3, "target_modules": "all-linear"})", "a.json"));
  memory.limit = 0;
  CHECK_THROWS(model.device.train(layout.get()), "no memory, says the test");
  CHECK(model.device.has_own_reference());
  CHECK(equal(fill(), want));
}

// An adapter of another rank and scale where the one before has lain.
TEST(device_adapters_follow_each_other) {
  Counted model;
  const DecoderConfig& config = model.decoder.config;
  const Prompts prompts({9, 21}, config.V);
  const auto adapted = [&](int rank, int alpha) {
    const std::string json = R"({"peft_type": "LORA", "r": )" + std::to_string(rank) + R"(, "lora_alpha": )" + std::to_string(alpha) +
                             R"(, "target_modules": "all-linear"})";
    auto adapter = std::make_unique<Adapter>(make_adapter_layout(config, parse_adapter_config(json, "adapter_config.json")));
    small::randomise(*adapter, model.pool, 4);
    return adapter;
  };
  const auto generate = [&](DeviceModel& device, const Adapter& adapter) {
    device.train(nullptr);
    device.train(adapter.layout.get());
    device.load_adapter(adapter.slab.data());
    return device.generate(prompts.tokens.data(), prompts.offsets.data(), 2, settings_for(2, 12, 0.8f), {});
  };
  const std::pair<int, int> cases[] = {{3, 40}, {3, 4}, {2, 4}, {5, 20}};
  std::vector<Generated> want;
  for (const auto& [rank, alpha] : cases) {
    const auto adapter = adapted(rank, alpha);
    DeviceModel fresh(model.backend, 0, model.decoder, Precision::f32, Order::any);
    fresh.load_weights(model.policy.slab.data());
    want.push_back(generate(fresh, *adapter));
  }
  memory.returns = true;
  for (size_t i = 0; i < want.size(); ++i) {
    const auto adapter = adapted(cases[i].first, cases[i].second);
    CHECK(equal(generate(model.device, *adapter), want[i]));
    model.device.train(nullptr);  // its layout ends here
  }
  memory.returns = false;
  for (const auto& [bytes, block] : memory.kept) exitrl_backend()->release(block.first, block.second);
  memory.kept.clear();
}

// Many sequences that share all their rows, and some without any in the mask.
TEST(device_embeds_like_the_cpu) {
  Counted model;
  const int64_t length = 40, count = 12, V = model.decoder.config.V;
  std::vector<int32_t> tokens, offsets{0};
  std::vector<uint8_t> mask(size_t(length * count / 8));
  for (int64_t b = 0; b < count; ++b) {
    for (int64_t t = 0; t < length; ++t) {
      tokens.push_back(int32_t(philox(7, b < 10 ? 1 : uint64_t(b), uint64_t(t))[0] % uint32_t(V)));
      if (b % 2 == 0 && t > 20) mask[size_t((b * length + t) / 8)] |= uint8_t(1 << ((b * length + t) % 8));
    }
    offsets.push_back(int32_t(tokens.size()));
  }
  RolloutBatch batch;
  batch.B = count;
  batch.tokens = {offsets.data(), tokens.data()};
  batch.loss_mask = {offsets.data(), mask.data(), 0};
  const int64_t C = model.decoder.config.C;
  Trainer trainer(model.decoder, model.pool);
  for (const int64_t budget : {8, 8192}) {
    Floats got(size_t(count * C), kNan), want(got);
    trainer.embed(model.policy, batch, budget, want.data(), {});
    model.device.embed(batch, budget, got.data(), {});
    for (size_t i = 0; i < got.size(); ++i) CHECK_NEAR(got[i], want[i], 2e-5);
  }
}
