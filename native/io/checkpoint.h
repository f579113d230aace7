// Hugging Face folders: weights in (sharded or not), weights out, training state.
#pragma once
#include <string>

#include "models/decoder.h"

namespace exitrl {

// Reads every parameter of `layout` from DIR/model.safetensors or DIR/model.safetensors.index.json into `slab`.
// A missing tensor, another shape or an unknown extra tensor is an error that names it (rotary inv_freq buffers are
// ignored, as is lm_head.weight of a tied model when it equals the embedding).
void load_weights(const std::string& directory, const DecoderConfig& config, const Layout& layout, float* slab);
// Writes all parameters to one safetensors file (F32), atomically.
void save_weights(const std::string& path, const Layout& layout, const float* slab);

}  // namespace exitrl
