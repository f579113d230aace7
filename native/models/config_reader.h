// Reads keys of a config.json; every error names the file and the key.
#pragma once
#include <string>

#include "io/json.h"
#include "models/config.h"

namespace exitrl {

class ConfigReader {
 public:
  ConfigReader(const json::Value& root, const std::string& origin, std::string prefix = "")
      : root_(root), origin_(origin), prefix_(std::move(prefix)) {}

  // Absent and null are the same thing in these files.
  bool has(const char* key) const { return value(key) != nullptr; }
  int64_t size(const char* key) const;                       // an integer from 1 to 2^31 - 1
  int64_t size(const char* key, int64_t otherwise) const { return has(key) ? size(key) : otherwise; }
  double positive(const char* key) const;                    // a finite number above 0
  double positive(const char* key, double otherwise) const { return has(key) ? positive(key) : otherwise; }
  bool flag(const char* key, bool otherwise) const;
  std::string text(const char* key) const;
  const json::Value& object(const char* key) const;
  const json::Value* value(const char* key) const;

  [[noreturn]] void invalid(const std::string& key, const std::string& what) const;
  [[noreturn]] void unsupported(const std::string& what) const;
  const std::string& origin() const { return origin_; }

  // Qwen's way to say which layers slide: layer_types, or use_sliding_window with max_window_layers.
  void windows_by_layer(DecoderConfig& config) const;
  // layer_types, where it is there, may list nothing but this kind.
  void layer_types_are(const std::string& kind) const;
  void full_attention_only() const { layer_types_are("full_attention"); }

 private:
  const json::Value& root_;
  const std::string& origin_;
  std::string prefix_;
};

}  // namespace exitrl
