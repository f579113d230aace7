// Qwen2, Qwen2.5 and what was distilled into them (DeepSeek-R1-Distill-Qwen).
#include "models/families/families.h"

namespace exitrl {

const Family kQwen2{
    .model_type = "qwen2",
    .architecture = "Qwen2ForCausalLM",
    .tied = false,
    .names = kLlamaNames,
    .read =
        [](const ConfigReader& reader, DecoderConfig& config) {
          if (reader.flag("use_mrope", false)) reader.unsupported("use_mrope (rotary embedding in several dimensions)");
          if (reader.has("dual_chunk_attention_config")) reader.unsupported("dual_chunk_attention_config");
          config.qkv_bias = true;
          reader.windows_by_layer(config);
        },
};

}  // namespace exitrl
