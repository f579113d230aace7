#include "models/families/families.h"

namespace exitrl {

void llama(ConfigReader& reader, DecoderConfig& config) {
  config.qkv_bias = config.output_bias = reader.flag("attention_bias", false);
  config.mlp_bias = reader.flag("mlp_bias", false);
}

}  // namespace exitrl
