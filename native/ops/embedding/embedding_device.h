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

// Sums over the rows of each token in ascending order: no atomics. A token with more than kEmbeddingRows rows (a newline,
// padding) is cut into pieces of so many rows; sums of its pieces are added in a fixed order. Its pieces come before those of
// tokens that are one piece. device/batch_plan.h makes the lists.
constexpr int64_t kEmbeddingRows = 32;
struct EmbeddingBackward {
  const int32_t* order;        // (T) rows, piece by piece
  const int32_t* starts;       // (P + 1) borders of the pieces in `order`
  const int32_t* ids;          // (P) token of each piece
  const int32_t* long_starts;  // (M + 1) pieces of the tokens that have several; unused where M = 0
  const void* dy;              // (T, C)
  float* dw;                   // (V, C) +=
  float* partials;             // scratch of embedding_partials() floats; unused where M = 0
  int64_t P, M, long_pieces, C;  // long_pieces = long_starts[M]
  float scale;
  Precision precision;
};
inline int64_t embedding_partials(int64_t T, int64_t C) { return 2 * T / kEmbeddingRows * C; }

}  // namespace exitrl::device
