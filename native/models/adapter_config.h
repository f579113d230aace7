// What a LoRA adapter adapts: adapter_config.json of the peft package, and what it means for a decoder.
#pragma once
#include <cstdint>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "models/config.h"

namespace exitrl {

// Linear layers that read the same rows lie in one matrix of the slab (models/weights.h).
enum class Site { qkv, o, gate_up, down };
constexpr int kSites = 4;

// A linear layer that can be adapted: rows [row, row + N) of a matrix of every layer.
struct LinearModule {
  const char* name;  // self_attn.q_proj, ...
  Site site;
  int64_t row, N, K;
};
std::vector<LinearModule> linear_modules(const DecoderConfig& config);

struct AdapterConfig {
  int64_t rank = 0;
  double alpha = 0;
  bool rslora = false;                // scale alpha / sqrt(rank) (arXiv 2312.03732) instead of alpha / rank
  std::vector<std::string> targets;   // a module is meant by its name or by the end of it, from a dot on
  std::string pattern;                // instead: a regular expression for a module's whole name
  std::regex compiled;                // of pattern
  std::vector<int64_t> layers;        // layers_to_transform; empty: all
  std::optional<std::string> base;    // base_model_name_or_path
  std::string origin;                 // for messages

  float scale() const;
  std::string json() const;           // complete for peft, whose other keys have defaults that mean "off"
  bool adapts(const std::string& module, int64_t layer) const;
};

// Parses adapter_config.json. Throws Error(invalid_file) that names `origin` and the key; what this engine does not have
// (dropout, DoRA, other kinds of adapters, ...) is refused by name.
AdapterConfig parse_adapter_config(const std::string& text, const std::string& origin);

// Throws when a target names no linear layer of the decoder, or a layer that is not there.
void check_targets(const AdapterConfig& adapter, const DecoderConfig& decoder);

}  // namespace exitrl
