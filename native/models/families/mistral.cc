#include "models/families/families.h"

namespace exitrl {

void mistral(ConfigReader& reader, DecoderConfig& config) {
  if (reader.has("sliding_window")) config.windows.assign(size_t(config.L), reader.size("sliding_window"));
}

}  // namespace exitrl
