// config.json files as they are published, sizes cut down (test/fixtures/configs), and those of models that are not there.
#include "check.h"
#include "core/status.h"
#include "fixtures.h"
#include "io/json.h"
#include "models/config.h"
#include "models/weights.h"

using namespace exitrl;

namespace {

std::string text_of(const std::string& name) {
  for (const Fixture& file : fixtures("configs"))
    if (file.name == name + ".json") return file.content;
  return "";
}

DecoderConfig published(const std::string& name) { return parse_config(text_of(name), name); }

// The published file with other keys.
DecoderConfig changed(const std::string& name, const std::string& more) {
  json::Value root = json::parse(text_of(name), name);
  for (const auto& [key, value] : json::parse("{" + more + "}", "t").members) {
    std::erase_if(root.members, [&key = key](const auto& member) { return member.first == key; });
    root.members.emplace_back(key, value);
  }
  return parse_config(json::dump(root), name);
}

bool has(const DecoderConfig& config, const std::string& tensor) {
  for (const Parameter& parameter : make_layout(config).parameters)
    if (parameter.name == tensor) return true;
  return false;
}

const std::string kBias = "model.layers.1.self_attn.q_proj.bias", kNorm = "model.layers.1.self_attn.k_norm.weight",
                  kHead = "lm_head.weight";
const std::vector<int64_t> kFull{0, 0};

}  // namespace

TEST(published_llama) {
  const DecoderConfig two = published("llama-2-7b"), three = published("llama-3.1-8b-instruct"), small = published("llama-3.2-1b");
  CHECK(two.rope.kind == RopeConfig::Kind::plain && two.rope.theta == 10000 && two.dtype == "float16" && two.D == 16 && two.K == 4);
  CHECK(three.rope.kind == RopeConfig::Kind::llama3 && three.rope.theta == 500000 && three.rope.factor == 8 &&
        three.rope.original_max_position == 8192);
  CHECK(small.rope.factor == 32 && small.rope.low_freq_factor == 1 && small.rope.high_freq_factor == 4 && small.tied && !three.tied);
  CHECK(three.max_positions == 131072 && three.dtype == "bfloat16" && three.K == 1);
  for (const auto& c : {two, three, small}) CHECK(c.windows == kFull && !has(c, kBias) && !has(c, kNorm) && has(c, kHead) == !c.tied);
  const DecoderConfig distilled = published("deepseek-r1-distill-llama-8b");
  CHECK(distilled.family == "llama" && distilled.rope.kind == RopeConfig::Kind::llama3 && distilled.rope.factor == 8 && !distilled.tied);
}

TEST(published_qwen) {
  const DecoderConfig instruct = published("qwen2.5-0.5b-instruct"), distilled = published("deepseek-r1-distill-qwen-1.5b"),
                      three = published("qwen3-0.6b");
  CHECK(instruct.rope.theta == 1e6 && instruct.tied && distilled.rope.theta == 10000 && !distilled.tied &&
        distilled.max_positions == 131072);
  for (const auto& c : {instruct, distilled})
    CHECK(c.windows == kFull && has(c, kBias) && !has(c, "model.layers.1.self_attn.o_proj.bias") && !has(c, kNorm));
  CHECK(three.D == 32 && three.windows == kFull && three.rope.theta == 1e6 && has(three, kNorm) && !has(three, kBias) &&
        !has(three, kHead));
}

TEST(published_mistral_and_gemma) {
  const DecoderConfig first = published("mistral-7b-v0.1"), nemo = published("mistral-nemo"), gemma = published("gemma-2b");
  CHECK((first.windows == std::vector<int64_t>{4096, 4096}) && first.rope.theta == 10000 && first.D == 16);
  CHECK(nemo.windows == kFull && nemo.C == 80 && nemo.D == 16 && nemo.rope.theta == 1e6);
  CHECK(gemma.tied && gemma.activation == Activation::gelu_tanh && gemma.norm_offset == 1 && gemma.embedding_scale == 8 && gemma.D == 32);
  CHECK(changed("gemma-2b", "\"hidden_activation\":\"gelu_pytorch_tanh\"").activation == Activation::gelu_tanh);
}

// What is written reads the same again, and names what it was.
TEST(published_configs_round_trip) {
  for (const Fixture& file : fixtures("configs")) {
    const DecoderConfig config = parse_config(file.content, file.name), again = parse_config(config.json, file.name);
    CHECK(again.json == config.json && again.windows == config.windows && again.rope.theta == config.rope.theta &&
          again.tied == config.tied);
    CHECK(json::parse(config.json, "t").find("model_type")->string == config.family);
  }
}

TEST(published_but_not_supported) {
  CHECK_THROWS(
      changed("qwen3-0.6b",
              "\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4.0,\"attn_factor\":0.878,\"original_max_position_embeddings\":32768}"),
      "rope_scaling.rope_type \"yarn\" is not supported");
  CHECK_THROWS(
      changed("qwen2.5-0.5b-instruct", "\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4.0,\"original_max_position_embeddings\":32768}"),
      "rope_scaling.type \"yarn\"");
  CHECK_THROWS(changed("qwen2.5-0.5b-instruct", "\"dual_chunk_attention_config\":{\"chunk_size\":262144}"),
               "dual_chunk_attention_config is not supported");
  CHECK_THROWS(changed("deepseek-r1-distill-qwen-1.5b", "\"use_mrope\":true"), "use_mrope");
  CHECK_THROWS(changed("llama-2-7b", "\"rope_scaling\":{\"type\":\"linear\",\"factor\":4.0}"), "\"linear\" is not supported");
  CHECK_THROWS(changed("llama-2-7b", "\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2.0}"), "\"dynamic\" is not supported");
  CHECK_THROWS(changed("llama-2-7b", "\"quantization_config\":{\"quant_method\":\"awq\"}"), "quantization_config is not supported");
  CHECK_THROWS(changed("mistral-7b-v0.1", "\"model_type\":\"mixtral\",\"num_local_experts\":8"),
               "\"mixtral\" is not supported: it needs a mixture of experts");
  CHECK_THROWS(changed("mistral-7b-v0.1", "\"layer_types\":[\"full_attention\",\"sliding_attention\"]"),
               "layer_types entry \"full_attention\"");
  CHECK_THROWS(changed("gemma-2b", "\"model_type\":\"gemma2\",\"attn_logit_softcapping\":50.0"),
               "\"gemma2\" is not supported: it needs soft-capped logits");
  CHECK_THROWS(changed("gemma-2b", "\"model_type\":\"gemma3\",\"text_config\":{}"),
               "\"gemma3\" is not supported: it needs images beside text");
  CHECK_THROWS(changed("gemma-2b", "\"model_type\":\"gemma3_text\",\"query_pre_attn_scalar\":256"),
               "norms behind attention and feed-forward and two rotary bases");
  CHECK_THROWS(changed("qwen3-0.6b", "\"model_type\":\"qwen3_moe\",\"num_experts\":128"), "mixture of experts");
  CHECK_THROWS(changed("llama-2-7b", "\"model_type\":\"deepseek_v3\",\"n_routed_experts\":256"), "latent attention");
  CHECK_THROWS(changed("llama-2-7b", "\"model_type\":\"zebra\""),
               "model_type \"zebra\" is not supported; supported are llama, qwen2, qwen3, mistral, gemma");
}
