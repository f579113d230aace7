// Adapters of a decoder: what a configuration means, and gradients against finite differences.
#include "models/adapter.h"

#include <cmath>
#include <set>

#include "agree.h"
#include "core/status.h"
#include "models/initialise.h"
#include "small_model.h"
#include "train/trainer.h"

using namespace exitrl;

namespace {

std::string config_json(const std::string& targets, const std::string& more = "") {
  return R"({"peft_type": "LORA", "r": 3, "lora_alpha": 6, "target_modules": )" + targets + more + "}";
}

std::shared_ptr<const AdapterLayout> layout_of(const std::string& targets, const std::string& more = "") {
  return make_adapter_layout(small::config(false, 0), parse_adapter_config(config_json(targets, more), "adapter_config.json"));
}

// "0.q_proj": layer and module of every A.
std::set<std::string> adapted(const AdapterLayout& layout) {
  std::set<std::string> out;
  for (const Parameter& p : layout.parameters) {
    const size_t layer = p.name.find("layers.") + 7, dot = p.name.rfind(".lora_A");
    if (dot == std::string::npos) continue;
    const size_t module = p.name.rfind('.', dot - 1) + 1;
    out.insert(p.name.substr(layer, p.name.find('.', layer) - layer) + "." + p.name.substr(module, dot - module));
  }
  return out;
}

}  // namespace

TEST(adapter_targets_are_those_of_peft) {
  using Set = std::set<std::string>;
  CHECK(adapted(*layout_of(R"(["q_proj", "v_proj"])")) == Set{"0.q_proj", "0.v_proj", "1.q_proj", "1.v_proj"});
  CHECK(adapted(*layout_of(R"("all-linear")")).size() == 14);
  CHECK(adapted(*layout_of(R"(["mlp.up_proj"])", R"(, "layers_to_transform": [1])")) == Set{"1.up_proj"});
  CHECK(adapted(*layout_of(R"(["o_proj"])", R"(, "layers_to_transform": 0)")) == Set{"0.o_proj"});
  CHECK(adapted(*layout_of(R"(["model.layers.1.mlp.down_proj"])")) == Set{"1.down_proj"});
  CHECK(adapted(*layout_of(R"(".*\\.1\\..*(k|gate)_proj")")) == Set{"1.k_proj", "1.gate_proj"});
  // An end of a name counts from a dot on.
  CHECK_THROWS(layout_of(R"(["proj"])"), "\"proj\"");
  CHECK(layout_of(R"(["q_proj"])", R"(, "layers_to_transform": [1])")->first_layer == 1);
  CHECK_NEAR(layout_of(R"(["q_proj"])")->config.scale(), 2, 0);
  CHECK_NEAR(layout_of(R"(["q_proj"])", R"(, "use_rslora": true)")->config.scale(), 6 / std::sqrt(3.0), 1e-6);
}

TEST(adapter_layout_holds_every_tensor_once) {
  const auto layout = layout_of(R"("all-linear")");
  std::vector<int> owners(size_t(layout->size));
  int64_t count = 0;
  for (const Parameter& p : layout->parameters) {
    CHECK(p.offset + p.size <= layout->size);
    for (int64_t i = 0; i < p.size; ++i) ++owners[size_t(p.offset + i)];
    count += p.size;
  }
  CHECK(count == layout->count);
  for (int n : owners) CHECK(n <= 1);
  CHECK(layout->find("base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight").shape == (std::vector<int64_t>{16, 3}));
  CHECK(layout->find("base_model.model.model.layers.0.mlp.down_proj.lora_A.weight").shape == (std::vector<int64_t>{3, 40}));
}

TEST(adapter_config_is_read_back_as_it_was_written) {
  const AdapterConfig first = parse_adapter_config(
      config_json(R"(["v_proj", "q_proj"])", R"(, "layers_to_transform": [1, 0], "use_rslora": true, "base_model_name_or_path": "b\"ase")"),
      "a");
  const AdapterConfig second = parse_adapter_config(first.json(), "b");
  CHECK(second.json() == first.json());
  CHECK(second.targets == first.targets && second.layers == first.layers && second.rslora && second.rank == 3 && second.alpha == 6);
  CHECK(first.json().find("b\\\"ase") != std::string::npos);
  const std::string pattern = parse_adapter_config(config_json(R"(".*q_proj")"), "a").json();
  CHECK(parse_adapter_config(pattern, "b").json() == pattern);
}

TEST(adapter_config_refuses_by_name_what_is_not_there) {
  const auto refuses = [](const std::string& more, const std::string& part) {
    CHECK_THROWS(parse_adapter_config(config_json(R"(["q_proj"])", ", " + more), "FILE"), part);
    CHECK_THROWS(parse_adapter_config(config_json(R"(["q_proj"])", ", " + more), "FILE"), "FILE");
  };
  refuses(R"("lora_dropout": 0.05)", "lora_dropout");
  refuses(R"("bias": "all")", "bias");
  refuses(R"("use_dora": true)", "use_dora");
  refuses(R"("fan_in_fan_out": true)", "fan_in_fan_out");
  refuses(R"("modules_to_save": ["lm_head"])", "modules_to_save");
  refuses(R"("rank_pattern": {"q_proj": 8})", "rank_pattern");
  refuses(R"("init_lora_weights": "pissa")", "pissa");
  refuses(R"("some_new_idea": 3)", "some_new_idea");
  refuses(R"("layers_to_transform": ["a"])", "layers_to_transform");
  CHECK_THROWS(parse_adapter_config(R"({"peft_type": "IA3"})", "FILE"), "IA3");
  CHECK_THROWS(parse_adapter_config(R"({"peft_type": "LORA", "r": 0, "target_modules": ["q_proj"]})", "FILE"), "r must be at least 1");
  CHECK_THROWS(parse_adapter_config(config_json(R"("(q")"), "FILE"), "regular expression");
  CHECK_THROWS(parse_adapter_config(config_json("[]"), "FILE"), "target_modules");
  CHECK_THROWS(layout_of(R"(["lm_head"])"), "lm_head");
  CHECK_THROWS(layout_of(R"(["c_attn"])"), "c_attn");
  CHECK_THROWS(layout_of(R"(".*query")"), "matches no linear layer");
  CHECK_THROWS(layout_of(R"(["q_proj"])", R"(, "layers_to_transform": [2])"), "layers 0 to 1");
}

TEST(adapter_begins_as_in_peft) {
  const auto layout = layout_of(R"("all-linear")");
  Adapter adapter(layout), again(layout), other(layout);
  initialise(*layout, 5, adapter.slab.data());
  initialise(*layout, 5, again.slab.data());
  initialise(*layout, 6, other.slab.data());
  CHECK(adapter.is_zero());
  bool same = true, differs = false;
  for (const Parameter& p : layout->parameters) {
    double sum = 0, largest = 0;
    for (int64_t i = p.offset; i < p.offset + p.size; ++i) {
      same = same && adapter.slab[i] == again.slab[i];
      differs = differs || adapter.slab[i] != other.slab[i];
      sum += adapter.slab[i] * adapter.slab[i];
      largest = std::max(largest, double(std::fabs(adapter.slab[i])));
    }
    if (p.name.find("lora_B") != std::string::npos) continue;
    const double bound = 1 / std::sqrt(double(p.shape[1]));
    CHECK(largest <= bound && largest > 0.9 * bound);
    CHECK_NEAR(std::sqrt(sum / double(p.size)), bound / std::sqrt(3.0), 0.15 * bound);  // of a uniform distribution
  }
  CHECK(same && differs);
}

// d/de loss(theta + e d) against <gradient, d>: whole adapters in random directions, and single tensors.
TEST(adapter_gradients_match_finite_differences) {
  for (const bool qk_norm : {false, true}) {
    const Decoder decoder(small::config(qk_norm, 0));
    const auto layout = make_adapter_layout(decoder.config, parse_adapter_config(config_json(R"("all-linear")"), "config"));
    Pool pool(2);
    Adapter adapter(layout);
    Policy policy(decoder.config, decoder.layout);
    policy.adapter = &adapter;
    small::randomise(policy, pool, 3);
    small::randomise(adapter, pool, 4);
    Trainer trainer(decoder, pool);
    trainer.train(layout.get());

    const small::Batch batch(decoder.config.V);
    LossSettings loss;
    loss.loss = LossKind::nll;
    loss.aggregation = Aggregation::token_mean;
    trainer.accumulate(policy, batch.view(), loss, {4096, Recompute::none}, {});
    const check::Floats gradient(trainer.gradients(), trainer.gradients() + layout->size);

    const auto loss_at = [&](const check::Floats& direction, float e) {
      const check::Floats kept(adapter.slab.data(), adapter.slab.data() + layout->size);
      for (int64_t i = 0; i < layout->size; ++i) adapter.slab[i] += e * direction[size_t(i)];
      adapter.pack(pool);
      check::Floats logprob(batch.tokens.size()), entropy(batch.tokens.size());
      trainer.score(policy, batch.view(), 1.0, 4096, logprob.data(), entropy.data(), {});
      std::copy(kept.begin(), kept.end(), adapter.slab.data());
      return batch.mean_nll(logprob);
    };
    const auto agree = [&](const check::Floats& direction) {
      double along = 0;
      for (size_t i = 0; i < gradient.size(); ++i) along += double(gradient[i]) * direction[i];
      // Fourth order, so that the step can be large enough for float32.
      constexpr float e = 0.02f;
      const double slope = (8 * (loss_at(direction, e) - loss_at(direction, -e)) -
                            (loss_at(direction, 2 * e) - loss_at(direction, -2 * e))) /
                           (12.0 * e);
      CHECK_NEAR(slope, along, 2e-5 + 2e-3 * std::fabs(along));
      return std::fabs(along);
    };
    double largest = 0;
    for (uint32_t seed = 0; seed < 4; ++seed) largest = std::max(largest, agree(check::random_floats(layout->size, 50 + seed, 0.3f)));
    CHECK(largest > 0.01);
    for (const Parameter& p : layout->parameters) {
      check::Floats direction(size_t(layout->size));
      const check::Floats random = check::random_floats(p.size, uint32_t(p.offset));
      std::copy(random.begin(), random.end(), direction.begin() + p.offset);
      agree(direction);
    }
  }
}
