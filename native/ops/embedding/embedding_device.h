// Token embedding on a device: ops/embedding/embedding.h with numbers of a given precision. Forward reads and writes T C
// numbers; backward reads T C and changes U C sums in fp32, U distinct tokens.
#pragma once
#include <cstdint>

#include "core/bf16.h"

namespace exitrl::device {

struct EmbeddingForward {
  const int32_t* tokens;  // (T)
  const void* w;          // (V, C)
  void* y;                // (T, C) = scale * w[token]
  int64_t T, C;
  float scale;
  Precision precision;
};

// Every sum runs over the rows of one token in ascending order: no atomics.
struct EmbeddingBackward {
  const int32_t* order;   // (T) rows, sorted by token; equal tokens by row
  const int32_t* starts;  // (U + 1) borders in `order`
  const int32_t* ids;     // (U) token of each part
  const void* dy;         // (T, C)
  float* dw;              // (V, C) +=
  int64_t U, C;
  float scale;
  Precision precision;
};

}  // namespace exitrl::device
