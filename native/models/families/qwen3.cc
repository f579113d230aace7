#include "models/families/families.h"

namespace exitrl {

const Family kQwen3{
    .model_type = "qwen3",
    .architecture = "Qwen3ForCausalLM",
    .tied = false,
    .names = kLlamaNames,
    .read =
        [](const ConfigReader& reader, DecoderConfig& config) {
          config.qk_norm = true;
          config.qkv_bias = config.output_bias = reader.flag("attention_bias", false);
          reader.windows_by_layer(config);
        },
};

}  // namespace exitrl
