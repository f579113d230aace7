// Matrix products on a device.
//
//   d = alpha a b + bias + addend        2 M N K FLOPs
//   nt: a (M, K), b (N, K) transposed: y = x W^T      nn: a (M, K), b (K, N): dx = dy W      tn: a (K, M) transposed, b (K, N): dw = dy^T x
//
// Sums in fp32. Order::fixed: each element is one chain over ascending k in steps of 16 (bf16, tensor cores) or 1 (fp32), whatever
// M, N, the tile and the strides: a row's result does not depend on the rows beside it (exact mode). Order::any may use
// cuBLASLt or split k.
#pragma once
#include <cstdint>

#include "core/bf16.h"

namespace exitrl::device {

enum class GemmKind : int32_t { nt, nn, tn };
enum class Order : int32_t { any, fixed };

struct Gemm {
  GemmKind kind;
  const void* a;       // of precision `input`
  const void* b;
  const void* addend;  // (M, N) of precision `output`, row stride ldd; or null; may be d
  const void* bias;    // (N) of precision `input`; or null
  void* d;             // (M, N) =
  int64_t M, N, K;
  int64_t lda, ldb, ldd;  // numbers from row to row
  float alpha;
  Precision input, output;
  Order order;
};

// out[n] += sum over t of x[t][n]: a bias's gradient.
struct ColumnSum {
  const void* x;    // (T, N), row stride ldx
  float* out;       // (N) +=
  float* partials;  // scratch of column_sum_partials() floats
  int64_t T, N, ldx;
  Precision precision;
};
constexpr int64_t kColumnSumRows = 256;
inline int64_t column_sum_partials(int64_t T, int64_t N) { return (T + kColumnSumRows - 1) / kColumnSumRows * N; }

}  // namespace exitrl::device
