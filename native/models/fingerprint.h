// Tells weights from other weights of the same shape.
#pragma once
#include <cstdint>

#include "core/pool.h"
#include "models/weights.h"

namespace exitrl {

// 64 bits of the names, the shapes and every bit of the numbers of `slab`. The same for any number of threads, and for any files that
// the weights were read from: shards, and a wider type of the same numbers, make no difference. Not for use against forgers.
uint64_t fingerprint(Pool& pool, const ParameterList& list, const float* slab);

}  // namespace exitrl
