#include "models/families/families.h"

namespace exitrl {

void qwen2(ConfigReader& reader, DecoderConfig& config) {
  config.qkv_bias = true;
  reader.windows_by_layer(config);
}

}  // namespace exitrl
