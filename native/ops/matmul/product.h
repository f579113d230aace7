// The matrix product behind linear_forward and linear_backward, compiled once per instruction set (matmul.inl).
#pragma once
#include <cstdint>

#include "ops/matmul/scratch.h"

namespace exitrl {

// c = start + A B + bias + addend, for the rows and columns one thread owns.
struct Product {
  const float* a;
  const float* b;
  const float* start;   // (rows, cols), where the chains begin; null: zero
  const float* bias;    // (cols) or null
  const float* addend;  // (rows, cols) or null; may be c
  float* c;             // (rows, cols) =
  int64_t lda, ldb;
  int64_t ldc;          // of start, addend and c
  int64_t rows, cols, depth;
};

}  // namespace exitrl
