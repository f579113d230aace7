#pragma once
#include <cstdint>

#include "models/adapter.h"
#include "models/weights.h"

namespace exitrl {

// Matrices from N(0, initializer_range), biases 0, norms 1. A number depends on the seed, its tensor and its place alone.
void initialise(Pool& pool, const DecoderConfig& config, const Layout& layout, uint64_t seed, float* slab);
// As peft: A (rank, K) uniform in [-1/sqrt(K), 1/sqrt(K)) (Kaiming with a = sqrt(5)), B zero.
void initialise(const AdapterLayout& layout, uint64_t seed, float* slab);

}  // namespace exitrl
