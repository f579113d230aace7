#include "models/config_reader.h"

#include <cmath>

#include "core/status.h"

namespace exitrl {

const json::Value* ConfigReader::value(const char* key) const {
  const json::Value* found = root_.find(key);
  return found && !found->is_null() ? found : nullptr;
}

void ConfigReader::invalid(const std::string& key, const std::string& what) const {
  fail(ErrorCode::invalid_file, origin_ + ": " + prefix_ + key + " " + what);
}

void ConfigReader::unsupported(const std::string& what) const {
  fail(ErrorCode::invalid_file, origin_ + ": " + prefix_ + what + " is not supported");
}

int64_t ConfigReader::size(const char* key) const {
  const json::Value* v = value(key);
  if (!v) invalid(key, "is missing");
  if (v->kind != json::Kind::integer) invalid(key, std::string("must be an integer, it is ") + json::name(v->kind));
  if (v->integer < 1 || v->integer > INT32_MAX) invalid(key, "must be at least 1 and below 2^31, it is " + std::to_string(v->integer));
  return v->integer;
}

double ConfigReader::positive(const char* key) const {
  const json::Value* v = value(key);
  if (!v) invalid(key, "is missing");
  if (!v->is_number()) invalid(key, std::string("must be a number, it is ") + json::name(v->kind));
  if (!(v->number > 0) || !std::isfinite(v->number)) invalid(key, "must be above 0, it is " + std::to_string(v->number));
  return v->number;
}

bool ConfigReader::flag(const char* key, bool otherwise) const {
  const json::Value* v = value(key);
  if (!v) return otherwise;
  if (v->kind != json::Kind::boolean) invalid(key, std::string("must be true or false, it is ") + json::name(v->kind));
  return v->boolean;
}

std::string ConfigReader::text(const char* key) const {
  const json::Value* v = value(key);
  if (!v) invalid(key, "is missing");
  if (v->kind != json::Kind::string) invalid(key, std::string("must be a string, it is ") + json::name(v->kind));
  return v->string;
}

const json::Value& ConfigReader::object(const char* key) const {
  const json::Value* v = value(key);
  if (!v) invalid(key, "is missing");
  if (v->kind != json::Kind::object) invalid(key, std::string("must be an object, it is ") + json::name(v->kind));
  return *v;
}

void ConfigReader::layer_types_are(const std::string& kind) const {
  const json::Value* types = value("layer_types");
  if (!types) return;
  if (types->kind != json::Kind::array) invalid("layer_types", std::string("must be a list, it is ") + json::name(types->kind));
  for (const json::Value& type : types->items)
    if (type.kind != json::Kind::string || type.string != kind)
      unsupported("layer_types entry " +
                  (type.kind == json::Kind::string ? "\"" + type.string + "\"" : std::string(json::name(type.kind))) +
                  " in a model of this type");
}

void ConfigReader::windows_by_layer(DecoderConfig& config) const {
  // Null is a window of none, absence an oversight.
  const bool wanted = flag("use_sliding_window", false);
  if (wanted && !root_.find("sliding_window")) invalid("sliding_window", "is missing, but use_sliding_window is true");
  const bool sliding = wanted && has("sliding_window");
  const json::Value* types = value("layer_types");
  if (!types) {
    if (!sliding) return;
    const int64_t window = size("sliding_window");
    const json::Value* first = value("max_window_layers");
    if (!first || first->kind != json::Kind::integer || first->integer < 0) invalid("max_window_layers", "must be a number of layers");
    for (int64_t l = first->integer; l < config.L; ++l) config.windows[size_t(l)] = window;
    return;
  }
  if (types->kind != json::Kind::array || int64_t(types->items.size()) != config.L)
    invalid("layer_types", "must list num_hidden_layers = " + std::to_string(config.L) + " entries");
  for (int64_t l = 0; l < config.L; ++l) {
    const json::Value& type = types->items[size_t(l)];
    if (type.kind == json::Kind::string && type.string == "full_attention") continue;
    if (type.kind != json::Kind::string || type.string != "sliding_attention")
      unsupported("layer_types entry " +
                  (type.kind == json::Kind::string ? "\"" + type.string + "\"" : std::string(json::name(type.kind))));
    if (!sliding) invalid("layer_types", "has sliding_attention, but use_sliding_window or sliding_window is off");
    config.windows[size_t(l)] = size("sliding_window");
  }
}

}  // namespace exitrl
