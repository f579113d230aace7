// Gemma 1. Later ones differ: see unsupported.cc.
#include <cmath>

#include "models/families/families.h"

namespace exitrl {

const Family kGemma{
    .model_type = "gemma",
    .architecture = "GemmaForCausalLM",
    .tied = true,
    .names = kLlamaNames,
    .read =
        [](const ConfigReader& reader, DecoderConfig& config) {
          if (reader.flag("use_bidirectional_attention", false)) reader.unsupported("use_bidirectional_attention");
          reader.full_attention_only();
          config.qkv_bias = config.output_bias = reader.flag("attention_bias", false);
          config.norm_offset = 1.0f;
          config.embedding_scale = std::sqrt(float(config.C));
          // Early Gemma files say "gelu" where the model was trained with its tanh approximation.
          if (config.activation == Activation::gelu_erf && !reader.has("hidden_activation")) config.activation = Activation::gelu_tanh;
        },
};

}  // namespace exitrl
