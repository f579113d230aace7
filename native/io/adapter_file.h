// The weights of a LoRA adapter as the peft package saves them: DIR/adapter_model.safetensors.
#pragma once
#include <string>

#include "models/adapter.h"

namespace exitrl {

// Reads every parameter of `layout` into `slab`. A missing tensor, another shape or a tensor too many is an error that names
// it. Writing: save_weights (io/checkpoint.h).
void load_adapter(const std::string& directory, const AdapterLayout& layout, float* slab);

}  // namespace exitrl
