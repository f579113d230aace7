#include "models/families/families.h"

namespace exitrl {

void qwen3(ConfigReader& reader, DecoderConfig& config) {
  config.qk_norm = true;
  config.qkv_bias = config.output_bias = reader.flag("attention_bias", false);
  reader.windows_by_layer(config);
}

}  // namespace exitrl
