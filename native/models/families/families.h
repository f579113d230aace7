// The model families. A new one is a file here, with its names and what is particular to its config.json, and a line in
// kFamilies.
#pragma once
#include "models/config.h"
#include "models/config_reader.h"
#include "models/names.h"

namespace exitrl {

struct Family {
  const char* model_type;
  const char* architecture;
  bool tied;  // tie_word_embeddings where config.json is silent
  NameMap names;
  // Sets what is particular to the family; the sizes have been read already.
  void (*read)(const ConfigReader& reader, DecoderConfig& config);
};

extern const Family kLlama, kQwen2, kQwen3, kMistral, kGemma;
inline constexpr const Family* kFamilies[] = {&kLlama, &kQwen2, &kQwen3, &kMistral, &kGemma};

// What a model type outside of kFamilies needs that is not there, "" for one nobody here has heard of.
std::string missing_features(const std::string& model_type);

}  // namespace exitrl
