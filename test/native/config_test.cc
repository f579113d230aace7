#include "models/config.h"

#include "check.h"
#include "core/status.h"
#include "io/json.h"
#include "models/names.h"
#include "models/weights.h"

using namespace exitrl;

namespace {

const char* kLlama = R"({"model_type":"llama","hidden_act":"silu","hidden_size":64,"intermediate_size":80,"vocab_size":320,
  "num_attention_heads":4,"num_hidden_layers":2,"num_key_value_heads":2,"max_position_embeddings":256,"rms_norm_eps":1e-05)";

// The Llama configuration with more keys; a later key replaces an earlier one.
std::string with(const std::string& more, const std::string& without = "") {
  json::Value root = json::parse(std::string(kLlama) + "}", "t");
  for (const auto& [key, value] : json::parse("{" + more + "}", "t").members) {
    std::erase_if(root.members, [&key = key](const auto& member) { return member.first == key; });
    root.members.emplace_back(key, value);
  }
  std::erase_if(root.members, [&](const auto& member) { return member.first == without; });
  return json::dump(root);
}
DecoderConfig parse(const std::string& more) { return parse_config(with(more), "config.json"); }

}  // namespace

TEST(config_sizes) {
  const DecoderConfig c = parse("");
  CHECK(c.family == "llama");
  CHECK(c.V == 320 && c.C == 64 && c.L == 2 && c.H == 4 && c.K == 2 && c.D == 16 && c.F == 80 && c.max_positions == 256);
  CHECK(c.norm_eps == 1e-5f && c.rope.theta == 10000.0 && c.rope.kind == RopeConfig::Kind::plain);
  CHECK(!c.tied && !c.qkv_bias && !c.output_bias && !c.mlp_bias && !c.qk_norm);
  CHECK((c.windows == std::vector<int64_t>{0, 0}));
  CHECK(parse("\"head_dim\":32").D == 32);
  CHECK(parse_config(with("", "num_key_value_heads"), "t").K == 4);
}

TEST(config_families) {
  const DecoderConfig bias = parse("\"attention_bias\":true,\"mlp_bias\":true");
  CHECK(bias.qkv_bias && bias.output_bias && bias.mlp_bias);
  const DecoderConfig qwen2 = parse("\"model_type\":\"qwen2\",\"tie_word_embeddings\":true");
  CHECK(qwen2.qkv_bias && !qwen2.output_bias && qwen2.tied);
  const DecoderConfig qwen3 = parse("\"model_type\":\"qwen3\"");
  CHECK(qwen3.qk_norm && !qwen3.qkv_bias);
  CHECK((parse("\"model_type\":\"mistral\",\"sliding_window\":8").windows == std::vector<int64_t>{8, 8}));
  CHECK((parse("\"model_type\":\"mistral\",\"sliding_window\":null").windows == std::vector<int64_t>{0, 0}));
  const DecoderConfig gemma = parse("\"model_type\":\"gemma\",\"hidden_act\":\"gelu_pytorch_tanh\"");
  CHECK(gemma.tied && gemma.norm_offset == 1 && gemma.embedding_scale == 8 && gemma.activation == Activation::gelu_tanh);
}

// The names of one family's tensors serve both ways: name to parameter and parameter to name.
TEST(config_name_maps) {
  for (const char* type : {"llama", "qwen2", "qwen3", "mistral", "gemma"}) {
    const DecoderConfig config = parse("\"model_type\":\"" + std::string(type) + "\"");
    const Layout layout = make_layout(config);
    for (const Parameter& parameter : layout.parameters) CHECK(&layout.find(parameter.name) == &parameter);
    CHECK(layout.find(config.names->layer(1, config.names->down, "weight")).offset == layout.layers[1].down);
    CHECK(layout.find(config.names->embedding).offset == layout.embedding);
    CHECK(config.tied || layout.find(config.names->head).offset == layout.head);
  }
}

TEST(config_sliding_layers) {
  const std::string qwen = "\"model_type\":\"qwen3\",\"use_sliding_window\":true,\"sliding_window\":16,";
  CHECK((parse(qwen + "\"max_window_layers\":1").windows == std::vector<int64_t>{0, 16}));
  CHECK((parse(qwen + "\"layer_types\":[\"sliding_attention\",\"full_attention\"]").windows == std::vector<int64_t>{16, 0}));
  CHECK((parse("\"model_type\":\"qwen2\",\"sliding_window\":16,\"use_sliding_window\":false").windows == std::vector<int64_t>{0, 0}));
  CHECK_THROWS(parse(qwen + "\"layer_types\":[\"full_attention\"]"), "layer_types must list num_hidden_layers = 2");
  CHECK_THROWS(parse(qwen + "\"layer_types\":[\"full_attention\",\"linear_attention\"]"), "linear_attention");
  CHECK_THROWS(parse("\"model_type\":\"qwen3\",\"layer_types\":[\"full_attention\",\"sliding_attention\"]"), "sliding_window is off");
  CHECK_THROWS(parse("\"model_type\":\"qwen2\",\"use_sliding_window\":true,\"max_window_layers\":1"), "sliding_window is missing");
}

TEST(config_rope_both_generations) {
  const std::string llama3 = "\"factor\":8.0,\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,\"original_max_position_embeddings\":128";
  const DecoderConfig older = parse("\"rope_theta\":50000.0,\"torch_dtype\":\"float32\",\"rope_scaling\":{\"rope_type\":\"llama3\"," +
                                    llama3 + "}");
  const DecoderConfig newer = parse("\"dtype\":\"float32\",\"rope_parameters\":{\"rope_theta\":50000.0,\"rope_type\":\"llama3\"," + llama3 +
                                    "}");
  for (const auto& c : {older, newer}) {
    CHECK(c.rope.theta == 50000.0 && c.rope.kind == RopeConfig::Kind::llama3 && c.rope.factor == 8);
    CHECK(c.rope.low_freq_factor == 1 && c.rope.high_freq_factor == 4 && c.rope.original_max_position == 128);
  }
  CHECK(older.json == newer.json);
  // What is written reads the same in tools that know only one of the generations.
  const json::Value written = json::parse(config_json(older, "bfloat16"), "t");
  for (const char* key : {"dtype", "torch_dtype"}) CHECK(written.find(key)->string == "bfloat16");
  CHECK(written.find("rope_theta")->number == 50000.0 && written.find("rope_parameters")->find("rope_theta")->number == 50000.0);
  for (const char* key : {"rope_scaling", "rope_parameters"})
    CHECK(written.find(key)->find("rope_type")->string == "llama3" &&
          written.find(key)->find("original_max_position_embeddings")->integer == 128);
  CHECK(parse_config(older.json, "again").json == older.json);
  CHECK(parse("\"rope_theta\":1e6,\"rope_parameters\":{\"rope_type\":\"default\"}").rope.theta == 1e6);
  CHECK_THROWS(parse("\"rope_theta\":1e6,\"rope_parameters\":{\"rope_theta\":1e4}"), "rope_theta contradicts");
  CHECK_THROWS(parse("\"rope_scaling\":{\"rope_type\":\"llama3\"," + llama3 + "},\"rope_parameters\":{\"rope_type\":\"default\"}"),
               "rope_scaling contradicts");
  CHECK_THROWS(parse("\"rope_scaling\":{\"type\":\"linear\",\"factor\":2.0}"), "rope_scaling.type \"linear\" is not supported");
  CHECK_THROWS(parse("\"rope_parameters\":{\"rope_theta\":1e4,\"rope_type\":\"yarn\"}"), "\"yarn\" is not supported");
  CHECK_THROWS(parse("\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0}"), "rope_scaling.low_freq_factor is missing");
  CHECK_THROWS(parse("\"rope_parameters\":{\"full_attention\":{}}"), "per layer type");
  CHECK_THROWS(parse("\"partial_rotary_factor\":0.5"), "partial_rotary_factor");
}

TEST(config_refuses) {
  for (const char* key : {"hidden_size", "intermediate_size", "vocab_size", "num_attention_heads", "num_hidden_layers",
                          "max_position_embeddings", "model_type", "hidden_act"})
    CHECK_THROWS(parse_config(with("", key), "some/config.json"), std::string("some/config.json: ") + key + " is missing");
  CHECK_THROWS(parse("\"model_type\":\"mamba\""), "supported are llama, qwen2, qwen3, mistral, gemma");
  CHECK_THROWS(parse("\"model_type\":\"qwen3_moe\""), "not supported");
  CHECK_THROWS(parse("\"model_type\":\"gemma2\""), "\"gemma2\" is not supported: it needs soft-capped logits");
  CHECK_THROWS(parse("\"model_type\":\"mixtral\""), "it needs a mixture of experts; supported are llama");
  CHECK_THROWS(parse("\"architectures\":[\"LlamaForSequenceClassification\"]"),
               "architectures LlamaForSequenceClassification is not supported");
  CHECK_THROWS(parse("\"architectures\":\"LlamaForCausalLM\""), "architectures must be a list");
  CHECK_THROWS(parse("\"text_config\":{}"), "a model of more than text (text_config)");
  CHECK_THROWS(parse("\"layer_types\":[\"full_attention\",\"sliding_attention\"]"),
               "layer_types entry \"sliding_attention\" in a model of this type is not supported");
  CHECK_THROWS(parse("\"max_position_embeddings\":2147483647"), "larger than in any model");
  CHECK_THROWS(parse("\"torch_dtype\":16"), "torch_dtype must be a string");
  CHECK_THROWS(parse("\"num_experts\":8"), "mixture of experts (num_experts)");
  CHECK_THROWS(parse("\"quantization_config\":{}"), "quantization_config is not supported");
  CHECK_THROWS(parse("\"hidden_act\":\"relu2\""), "hidden_act \"relu2\" is not supported");
  CHECK_THROWS(parse("\"hidden_size\":65"), "not a multiple of num_attention_heads");
  CHECK_THROWS(parse("\"num_key_value_heads\":3"), "not a multiple of num_key_value_heads");
  CHECK_THROWS(parse("\"head_dim\":15"), "is odd");
  CHECK_THROWS(parse("\"hidden_size\":0"), "at least 1");
  CHECK_THROWS(parse("\"hidden_size\":-64"), "at least 1");
  CHECK_THROWS(parse("\"hidden_size\":64.0"), "must be an integer");
  CHECK_THROWS(parse("\"hidden_size\":\"64\""), "it is a string");
  CHECK_THROWS(parse("\"vocab_size\":2147483647,\"hidden_size\":2147483644,\"head_dim\":16"), "2^40");
  CHECK_THROWS(parse("\"num_attention_heads\":2147483647,\"num_key_value_heads\":1,\"head_dim\":2147483646"), "larger than in any model");
  CHECK_THROWS(parse("\"rms_norm_eps\":0"), "above 0");
  CHECK_THROWS(parse("\"tie_word_embeddings\":1"), "must be true or false");
  CHECK_THROWS(parse_config("[]", "t"), "must be a JSON object");
}
