#pragma once
#include <cstdint>

#include "models/weights.h"

namespace exitrl {

// Matrices from N(0, initializer_range), biases 0, norms 1. A number depends on the seed, its tensor and its place alone.
void initialise(const DecoderConfig& config, const Layout& layout, uint64_t seed, float* slab);

}  // namespace exitrl
