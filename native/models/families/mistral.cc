// Mistral 7B, Mistral Nemo and others whose layers all have the same window, or none.
#include "models/families/families.h"

namespace exitrl {

const Family kMistral{
    .model_type = "mistral",
    .architecture = "MistralForCausalLM",
    .tied = false,
    .names = kLlamaNames,
    .read =
        [](const ConfigReader& reader, DecoderConfig& config) {
          if (!reader.has("sliding_window")) return reader.full_attention_only();
          reader.layer_types_are("sliding_attention");
          config.windows.assign(size_t(config.L), reader.size("sliding_window"));
        },
};

}  // namespace exitrl
