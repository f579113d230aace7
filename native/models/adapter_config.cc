#include "models/adapter_config.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "core/status.h"
#include "models/config_reader.h"

namespace exitrl {
namespace {

constexpr int64_t kMaxRank = 1 << 16;
constexpr size_t kMaxPattern = 512;  // a regular expression is compiled recursively

constexpr const char* kTargets[] = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"};

// Keys that this reader understands, and those that change nothing about the numbers.
constexpr std::string_view kRead[] = {"peft_type", "r", "lora_alpha", "use_rslora", "target_modules", "layers_to_transform", "lora_dropout",
                                      "bias", "init_lora_weights", "base_model_name_or_path"};
constexpr std::string_view kHarmless[] = {"auto_mapping",      "inference_mode", "megatron_core", "peft_version",
                                          "qalora_group_size", "revision",       "task_type"};
// How A and B began. The others begin with changed base weights: their adapters fit no other base.
constexpr std::string_view kBeginnings[] = {"gaussian", "orthogonal", "eva"};

template <class List>
bool contains(const List& list, std::string_view key) {
  return std::find(std::begin(list), std::end(list), key) != std::end(list);
}

// null, false, [], {}
bool is_off(const json::Value& value) {
  switch (value.kind) {
    case json::Kind::null: return true;
    case json::Kind::boolean: return !value.boolean;
    case json::Kind::array: return value.items.empty();
    case json::Kind::object: return value.members.empty();
    default: return false;
  }
}

void refuse_what_is_not_there(const ConfigReader& reader, const json::Value& root) {
  if (const std::string type = reader.text("peft_type"); type != "LORA") reader.unsupported("peft_type \"" + type + "\" (LORA is)");
  for (const auto& [key, value] : root.members)
    if (!contains(kRead, key) && !contains(kHarmless, key) && !is_off(value)) reader.unsupported(key);
  if (const json::Value* dropout = reader.value("lora_dropout"); dropout && !(dropout->is_number() && dropout->number == 0))
    reader.invalid("lora_dropout", "other than 0 is not supported; set it to 0 (it makes no difference to a finished adapter)");
  if (reader.has("bias") && reader.text("bias") != "none") reader.unsupported("bias \"" + reader.text("bias") + "\" (none is)");
  if (const json::Value* start = reader.value("init_lora_weights"); start && start->kind != json::Kind::boolean)
    if (const std::string kind = reader.text("init_lora_weights"); !contains(kBeginnings, kind))
      reader.unsupported("init_lora_weights \"" + kind + "\", which changes the base weights,");
}

void read_targets(const ConfigReader& reader, AdapterConfig& config) {
  const json::Value* targets = reader.value("target_modules");
  if (!targets) reader.invalid("target_modules", "is missing");
  if (targets->kind == json::Kind::string) {
    const std::string& text = targets->string;
    if (text == "all-linear") {
      config.targets.assign(std::begin(kTargets), std::end(kTargets));
      return;
    }
    if (text.size() > kMaxPattern)
      reader.invalid("target_modules", "is a regular expression of more than " + std::to_string(kMaxPattern) + " characters");
    if (text.empty()) reader.invalid("target_modules", "is empty");
    config.pattern = text;
    try {
      config.compiled.assign(text);
    } catch (const std::regex_error&) {
      reader.invalid("target_modules", "\"" + text + "\" is not a regular expression this engine understands; list the modules instead");
    }
    return;
  }
  if (targets->kind != json::Kind::array || targets->items.empty())
    reader.invalid("target_modules", "must be a list of module names, all-linear or a regular expression");
  for (const json::Value& item : targets->items) {
    if (item.kind != json::Kind::string || item.string.empty()) reader.invalid("target_modules", "has an entry that is not a name");
    config.targets.push_back(item.string);
  }
}

void read_layers(const ConfigReader& reader, AdapterConfig& config) {
  const json::Value* layers = reader.value("layers_to_transform");
  if (!layers) return;
  if (!config.pattern.empty()) reader.invalid("layers_to_transform", "cannot be combined with a regular expression in target_modules");
  const auto add = [&](const json::Value& item) {
    if (item.kind != json::Kind::integer || item.integer < 0)
      reader.invalid("layers_to_transform", "must be the number of a layer, or a list of them");
    config.layers.push_back(item.integer);
  };
  if (layers->kind != json::Kind::array) return add(*layers);
  for (const json::Value& item : layers->items) add(item);
}

json::Value empty_list() {
  json::Value out;
  out.kind = json::Kind::array;
  return out;
}

bool names(const std::string& target, const std::string& module) {
  return module.size() >= target.size() && module.compare(module.size() - target.size(), target.size(), target) == 0 &&
         (module.size() == target.size() || module[module.size() - target.size() - 1] == '.');
}

}  // namespace

std::vector<LinearModule> linear_modules(const DecoderConfig& c) {
  const int64_t q = c.H * c.D, kv = c.K * c.D;
  return {{"self_attn.q_proj", Site::qkv, 0, q, c.C},       {"self_attn.k_proj", Site::qkv, q, kv, c.C},
          {"self_attn.v_proj", Site::qkv, q + kv, kv, c.C}, {"self_attn.o_proj", Site::o, 0, c.C, q},
          {"mlp.gate_proj", Site::gate_up, 0, c.F, c.C},    {"mlp.up_proj", Site::gate_up, c.F, c.F, c.C},
          {"mlp.down_proj", Site::down, 0, c.C, c.F}};
}

float AdapterConfig::scale() const { return float(alpha / (rslora ? std::sqrt(double(rank)) : double(rank))); }

bool AdapterConfig::adapts(const std::string& module, int64_t layer) const {
  try {
    if (!pattern.empty()) return std::regex_match(module, compiled);
  } catch (const std::regex_error&) {
    fail(ErrorCode::invalid_file, origin + ": target_modules is too complicated a regular expression; list the modules instead");
  }
  if (!layers.empty() && !std::count(layers.begin(), layers.end(), layer)) return false;
  return std::any_of(targets.begin(), targets.end(), [&](const std::string& target) { return names(target, module); });
}

std::string AdapterConfig::json() const {
  json::Value modules = json::text(pattern), numbers;
  if (pattern.empty()) {
    modules = empty_list();
    for (const std::string& name : targets) modules.items.push_back(json::text(name));
  }
  if (!layers.empty()) {
    numbers = empty_list();
    for (const int64_t layer : layers) numbers.items.push_back(json::integer(layer));
  }
  const bool whole = alpha == std::floor(alpha) && alpha < 1e15;
  return json::dump(json::object({{"base_model_name_or_path", base ? json::text(*base) : json::Value{}},
                                  {"bias", json::text("none")},
                                  {"fan_in_fan_out", json::boolean(false)},
                                  {"inference_mode", json::boolean(true)},
                                  {"init_lora_weights", json::boolean(true)},
                                  {"layers_to_transform", std::move(numbers)},
                                  {"lora_alpha", whole ? json::integer(int64_t(alpha)) : json::real(alpha)},
                                  {"lora_dropout", json::real(0.0)},
                                  {"peft_type", json::text("LORA")},
                                  {"r", json::integer(rank)},
                                  {"target_modules", std::move(modules)},
                                  {"task_type", json::text("CAUSAL_LM")},
                                  {"use_rslora", json::boolean(rslora)}}), 2) + "\n";
}

AdapterConfig parse_adapter_config(const std::string& text, const std::string& origin) {
  const json::Value root = json::parse(text, origin);
  if (root.kind != json::Kind::object) fail(ErrorCode::invalid_file, origin + ": must be a JSON object, it is " + json::name(root.kind));
  const ConfigReader reader(root, origin);
  refuse_what_is_not_there(reader, root);
  AdapterConfig config;
  config.origin = origin;
  config.rank = reader.size("r");
  if (config.rank > kMaxRank) reader.invalid("r", "is " + std::to_string(config.rank) + ": larger than any matrix");
  config.alpha = reader.positive("lora_alpha", 8);
  config.rslora = reader.flag("use_rslora", false);
  read_targets(reader, config);
  read_layers(reader, config);
  if (reader.has("base_model_name_or_path")) config.base = reader.text("base_model_name_or_path");
  return config;
}

void check_targets(const AdapterConfig& adapter, const DecoderConfig& decoder) {
  const auto invalid = [&](const std::string& what) { fail(ErrorCode::invalid_file, adapter.origin + ": " + what); };
  for (const int64_t layer : adapter.layers)
    if (layer >= decoder.L)
      invalid("layers_to_transform has " + std::to_string(layer) + ", the model has layers 0 to " + std::to_string(decoder.L - 1));
  const auto modules = linear_modules(decoder);
  for (const std::string& target : adapter.targets) {
    bool found = false;
    for (int64_t l = 0; l < decoder.L && !found; ++l)
      for (const LinearModule& m : modules) found = found || names(target, "model.layers." + std::to_string(l) + "." + m.name);
    if (!found)
      invalid("target_modules has \"" + target +
              "\", which names no linear layer of this model's blocks (q_proj, k_proj, v_proj, o_proj, "
              "gate_proj, up_proj, down_proj)");
  }
}

}  // namespace exitrl
