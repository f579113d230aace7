// The model families. A new one is a file here with one function, and one line in kFamilies.
#pragma once
#include "models/config.h"
#include "models/config_reader.h"

namespace exitrl {

// Sets what is particular to a family; the sizes have been read already.
void llama(ConfigReader& reader, DecoderConfig& config);
void qwen2(ConfigReader& reader, DecoderConfig& config);
void qwen3(ConfigReader& reader, DecoderConfig& config);
void mistral(ConfigReader& reader, DecoderConfig& config);
void gemma(ConfigReader& reader, DecoderConfig& config);

struct Family {
  const char* model_type;
  const char* architecture;
  bool tied;  // tie_word_embeddings where config.json is silent
  void (*read)(ConfigReader& reader, DecoderConfig& config);
};
inline constexpr Family kFamilies[] = {
    {"llama", "LlamaForCausalLM", false, llama},       {"qwen2", "Qwen2ForCausalLM", false, qwen2},
    {"qwen3", "Qwen3ForCausalLM", false, qwen3},       {"mistral", "MistralForCausalLM", false, mistral},
    {"gemma", "GemmaForCausalLM", true, gemma},
};

}  // namespace exitrl
