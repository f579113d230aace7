// Token embedding. The backward pass adds rows in token order (deterministic; threads split the columns).
#pragma once
#include <cstdint>

#include "core/pool.h"

namespace exitrl {

struct EmbeddingForward {
  const int32_t* tokens;  // (T), each in [0, V): checked by the caller
  const float* w;         // (V, C)
  float* y;               // (T, C) = scale * w[token]
  int64_t T, C;
  float scale;            // sqrt(C) for Gemma, else 1
};
void embedding_forward(Pool& pool, const EmbeddingForward& a);

struct EmbeddingBackward {
  const int32_t* tokens;  // (T)
  const float* dy;        // (T, C)
  float* dw;              // (V, C) +=
  int64_t T, C;
  float scale;
};
void embedding_backward(Pool& pool, const EmbeddingBackward& a);

}  // namespace exitrl
