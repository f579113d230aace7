// Llama 2, 3, 3.1, 3.2, 3.3 and what was distilled into them (DeepSeek-R1-Distill-Llama).
#include "models/families/families.h"

namespace exitrl {

const Family kLlama{
    .model_type = "llama",
    .architecture = "LlamaForCausalLM",
    .tied = false,
    .names = kLlamaNames,
    .read =
        [](const ConfigReader& reader, DecoderConfig& config) {
          reader.full_attention_only();
          config.qkv_bias = config.output_bias = reader.flag("attention_bias", false);
          config.mlp_bias = reader.flag("mlp_bias", false);
        },
};

}  // namespace exitrl
