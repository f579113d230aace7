// Linear layers over packed weights.
//
//   forward   y = x W^T + bias + residual          2 T N K FLOPs
//   backward  dx = dy W + addend, dw += dy^T x, dbias += sum_t dy      4 T N K FLOPs
//
// Each output element is ONE chain of fused multiply-adds with ascending reduction index that starts at 0 (forward, dx)
// or at the old value (dw, dbias); bias, then residual/addend are added at the end. K-blocking continues the chain from
// memory. So a result never depends on T, on the tile an element fell into, or on the number of threads, and splitting
// the rows of dw into several calls in order gives the same bits.
//
// With Precision::bf16 both factors are rounded to bfloat16 first, and the chain runs over products that are exact in fp32.
#pragma once
#include <cstdint>

#include "core/bf16.h"
#include "core/legend.h"
#include "core/pool.h"

namespace exitrl {

// A weight matrix (N, K) packed in panels of 16 output features: (ceil(N/16), K, 16), missing features are zero.
int64_t packed_weight_size(int64_t N, int64_t K);                                             // in floats
void pack_weight(Pool& pool, const float* w /* (N, K) */, int64_t N, int64_t K, float* packed);

// The same in bfloat16: pairs of neighbours in K side by side, (ceil(N/16), depth, 16, 2) with K filled up by zeros to twice
// the depth, a multiple of 16.
int64_t packed_bf16_size(int64_t N, int64_t K);                                               // in bfloat16 numbers
void pack_weight(Pool& pool, const float* w /* (N, K) */, int64_t N, int64_t K, uint16_t* packed);

// One of the two.
struct PackedWeight {
  const float* f32 = nullptr;
  const uint16_t* bf16 = nullptr;
  PackedWeight() = default;
  PackedWeight(const float* packed) : f32(packed) {}
  PackedWeight(const uint16_t* packed) : bf16(packed) {}
  Precision precision() const { return bf16 ? Precision::bf16 : Precision::f32; }
};

struct LinearForward {
  const float* x;         // (T, K)
  PackedWeight packed;    // (N, K), 64-byte aligned
  const float* bias;      // (N) or null
  const float* residual;  // (T, N) or null; may be y itself
  float* y;               // (T, N) =
  int64_t T, N, K;
  int64_t x_stride = 0;   // from row to row of x; 0: K
  int64_t y_stride = 0;   // of y and residual; 0: N
};
void linear_forward(Pool& pool, const LinearForward& a);

struct LinearBackward {
  const float* dy;      // (T, N)
  const float* x;       // (T, K); only for dw
  const float* w;       // (N, K) unpacked; only for dx
  const float* addend;  // (T, K) or null, added to dx; may be dx itself
  float* dx;            // (T, K) = ; or null
  float* dw;            // (N, K) += ; or null
  float* dbias;         // (N) += ; or null; never rounded
  int64_t T, N, K;
  Precision precision = Precision::f32;
  int64_t dy_stride = 0;  // from row to row of dy; 0: N
  int64_t x_stride = 0;   // of x; 0: K
  int64_t dx_stride = 0;  // of dx and addend; 0: K
};
void linear_backward(Pool& pool, const LinearBackward& a);

}  // namespace exitrl
