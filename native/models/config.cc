#include "models/config.h"

#include <algorithm>
#include <tuple>

#include "core/status.h"
#include "models/config_reader.h"
#include "models/families/families.h"

namespace exitrl {
namespace {

constexpr int64_t kMaxElements = int64_t{1} << 40;  // of one matrix: sizes beyond are damage, not ambition

const Family& family_of(const ConfigReader& reader) {
  const std::string type = reader.text("model_type");
  std::string known;
  for (const Family* family : kFamilies) {
    if (type == family->model_type) return *family;
    known += (known.empty() ? "" : ", ") + std::string(family->model_type);
  }
  const std::string missing = missing_features(type);
  reader.invalid("model_type",
                 "\"" + type + "\" is not supported" + (missing.empty() ? "" : ": it needs " + missing) + "; supported are " + known);
}

// A classifier or a reward model on the same decoder has a head that is not there.
void check_architecture(const ConfigReader& reader, const Family& family) {
  const json::Value* list = reader.value("architectures");
  if (!list) return;
  if (list->kind != json::Kind::array) reader.invalid("architectures", std::string("must be a list, it is ") + json::name(list->kind));
  std::string names;
  for (const json::Value& item : list->items) {
    if (item.kind != json::Kind::string) reader.invalid("architectures", "must be a list of strings");
    if (item.string == family.architecture || item.string == "LLaMAForCausalLM") return;
    names += (names.empty() ? "" : ", ") + item.string;
  }
  if (!names.empty())
    reader.invalid("architectures",
                   names + " is not supported; of " + std::string(family.model_type) + " models " + family.architecture + " is");
}

Activation activation_of(const ConfigReader& reader) {
  const char* key = reader.has("hidden_activation") ? "hidden_activation" : "hidden_act";
  const std::string act = reader.text(key);
  if (act == "silu" || act == "swish") return Activation::silu;
  if (act == "gelu_pytorch_tanh" || act == "gelu_new" || act == "gelu_fast") return Activation::gelu_tanh;
  if (act == "gelu") return Activation::gelu_erf;
  reader.invalid(key, "\"" + act + "\" is not supported; supported are silu, gelu, gelu_pytorch_tanh");
}

// Newer files say "default", older ones nothing at all.
void read_rope_scaling(const ConfigReader& rope, RopeConfig& config) {
  const char* key = rope.has("rope_type") ? "rope_type" : "type";
  const std::string type = rope.has(key) ? rope.text(key) : "default";
  if (type == "default") return;
  if (type != "llama3") rope.invalid(key, "\"" + type + "\" is not supported; supported are default and llama3");
  config.kind = RopeConfig::Kind::llama3;
  config.factor = rope.positive("factor");
  config.low_freq_factor = rope.positive("low_freq_factor");
  config.high_freq_factor = rope.positive("high_freq_factor");
  config.original_max_position = rope.size("original_max_position_embeddings");
  if (config.high_freq_factor <= config.low_freq_factor) rope.invalid("high_freq_factor", "must be above low_freq_factor");
}

// Newer files: rope_parameters. Older ones: rope_theta and rope_scaling. Both may be there if they agree on theta.
RopeConfig rope_of(const ConfigReader& reader) {
  RopeConfig config;
  if (reader.has("partial_rotary_factor") && reader.positive("partial_rotary_factor") != 1.0)
    reader.unsupported("partial_rotary_factor other than 1");
  if (!reader.has("rope_parameters")) {
    config.theta = reader.positive("rope_theta", config.theta);
    if (reader.has("rope_scaling")) read_rope_scaling({reader.object("rope_scaling"), reader.origin(), "rope_scaling."}, config);
    return config;
  }
  const ConfigReader rope(reader.object("rope_parameters"), reader.origin(), "rope_parameters.");
  for (const char* nested : {"full_attention", "sliding_attention"})
    if (rope.has(nested)) reader.unsupported("rope_parameters per layer type");
  if (rope.has("partial_rotary_factor") && rope.positive("partial_rotary_factor") != 1.0)
    rope.unsupported("partial_rotary_factor other than 1");
  config.theta = rope.positive("rope_theta", reader.positive("rope_theta", config.theta));
  if (reader.has("rope_theta") && reader.positive("rope_theta") != config.theta)
    reader.invalid("rope_theta", "contradicts rope_parameters.rope_theta");
  read_rope_scaling(rope, config);
  if (reader.has("rope_scaling")) {
    RopeConfig older;
    read_rope_scaling({reader.object("rope_scaling"), reader.origin(), "rope_scaling."}, older);
    const auto scaling = [](const RopeConfig& c) {
      return std::tuple(c.kind, c.factor, c.low_freq_factor, c.high_freq_factor, c.original_max_position);
    };
    if (scaling(older) != scaling(config)) reader.invalid("rope_scaling", "contradicts rope_parameters");
  }
  return config;
}

void read_sizes(const ConfigReader& reader, DecoderConfig& config) {
  config.V = reader.size("vocab_size");
  config.C = reader.size("hidden_size");
  config.L = reader.size("num_hidden_layers");
  config.H = reader.size("num_attention_heads");
  config.F = reader.size("intermediate_size");
  config.max_positions = reader.size("max_position_embeddings");
  config.K = reader.size("num_key_value_heads", config.H);
  if (config.H % config.K != 0)
    reader.invalid("num_attention_heads",
                   std::to_string(config.H) + " is not a multiple of num_key_value_heads " + std::to_string(config.K));
  if (!reader.has("head_dim") && config.C % config.H != 0)
    reader.invalid("hidden_size", std::to_string(config.C) + " is not a multiple of num_attention_heads " + std::to_string(config.H) +
                                      ", and head_dim is missing");
  config.D = reader.size("head_dim", config.C / config.H);
  if (config.H > 1'000'000 || config.D > 1'000'000) reader.invalid("num_attention_heads", "or head_dim is larger than in any model");
  if (config.D % 2 != 0) reader.invalid("head_dim", std::to_string(config.D) + " is odd: rotary embedding needs pairs");
  if (config.max_positions > (int64_t{1} << 24))
    reader.invalid("max_position_embeddings", "is " + std::to_string(config.max_positions) + ": larger than in any model");
  if (config.L > 10'000) reader.invalid("num_hidden_layers", "is " + std::to_string(config.L) + ": larger than any model");
  const int64_t width = std::max({config.V, 2 * config.F, config.H * config.D, config.qkv_width()});
  if (width > kMaxElements / config.C)
    reader.invalid("hidden_size", "and the other sizes give a matrix of more than 2^40 elements");
}

void refuse_what_is_not_there(const ConfigReader& reader) {
  for (const char* key : {"num_experts", "num_local_experts", "n_routed_experts"})
    if (reader.has(key)) reader.unsupported(std::string("a mixture of experts (") + key + ")");
  for (const char* key : {"text_config", "vision_config"})
    if (reader.has(key)) reader.unsupported(std::string("a model of more than text (") + key + ")");
  for (const char* key : {"quantization_config", "compression_config", "final_logit_softcapping", "attn_logit_softcapping"})
    if (reader.has(key)) reader.unsupported(key);
}

void set(json::Value& root, const char* key, json::Value value) {
  for (auto& member : root.members)
    if (member.first == key) return void(member.second = std::move(value));
  root.members.emplace_back(key, std::move(value));
}

// transformers says dtype since 4.56 and rope_parameters since 5; what reads these files elsewhere may know only the older
// torch_dtype, rope_theta and rope_scaling, and would go on with wrong defaults where these are missing.
void set_dtype(json::Value& root, const std::string& dtype) {
  set(root, "dtype", json::text(dtype));
  set(root, "torch_dtype", json::text(dtype));
}

// The same configuration in both generations of keys, so that a saved model reads the same whatever reads it.
std::string canonical(json::Value root, const Family& family, const DecoderConfig& config) {
  json::Value architectures;
  architectures.kind = json::Kind::array;
  architectures.items = {json::text(family.architecture)};
  set(root, "architectures", std::move(architectures));
  set_dtype(root, "float32");
  set(root, "head_dim", json::integer(config.D));
  set(root, "num_key_value_heads", json::integer(config.K));
  set(root, "tie_word_embeddings", json::boolean(config.tied));
  const bool scaled = config.rope.kind == RopeConfig::Kind::llama3;
  json::Value scaling = json::object({{"rope_type", json::text(scaled ? "llama3" : "default")}});
  if (scaled) {
    scaling.members.emplace_back("factor", json::real(config.rope.factor));
    scaling.members.emplace_back("low_freq_factor", json::real(config.rope.low_freq_factor));
    scaling.members.emplace_back("high_freq_factor", json::real(config.rope.high_freq_factor));
    scaling.members.emplace_back("original_max_position_embeddings", json::integer(config.rope.original_max_position));
  }
  set(root, "rope_theta", json::real(config.rope.theta));
  set(root, "rope_scaling", scaled ? scaling : json::Value{});
  scaling.members.emplace_back("rope_theta", json::real(config.rope.theta));
  set(root, "rope_parameters", std::move(scaling));
  std::sort(root.members.begin(), root.members.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return json::dump(root, 2) + "\n";
}

}  // namespace

DecoderConfig parse_config(const std::string& text, const std::string& origin) {
  json::Value root = json::parse(text, origin);
  if (root.kind != json::Kind::object) fail(ErrorCode::invalid_file, origin + ": must be a JSON object, it is " + json::name(root.kind));
  ConfigReader reader(root, origin);
  const Family& family = family_of(reader);
  check_architecture(reader, family);
  refuse_what_is_not_there(reader);
  DecoderConfig config;
  config.family = family.model_type;
  config.names = &family.names;
  if (const char* key = reader.has("dtype") ? "dtype" : "torch_dtype"; reader.has(key)) config.dtype = reader.text(key);
  read_sizes(reader, config);
  config.windows.assign(size_t(config.L), 0);
  config.activation = activation_of(reader);
  config.norm_eps = float(reader.positive("rms_norm_eps", 1e-6));
  config.initializer_range = float(reader.positive("initializer_range", 0.02));
  config.tied = reader.flag("tie_word_embeddings", family.tied);
  config.rope = rope_of(reader);
  family.read(reader, config);
  config.json = canonical(std::move(root), family, config);
  return config;
}

std::string config_json(const DecoderConfig& config, const std::string& dtype) {
  json::Value root = json::parse(config.json, "config.json");
  set_dtype(root, dtype);
  return json::dump(root, 2) + "\n";
}

}  // namespace exitrl
