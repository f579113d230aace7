#include "ops/matmul/matmul.h"

#include <algorithm>
#include <type_traits>

#include "ops/matmul/amx.h"
#include "ops/matmul/product.h"

#define EXITRL_KERNELS "ops/matmul/matmul.inl"
#include "core/simd/foreach_isa.h"

namespace exitrl {
namespace {

thread_local Scratch scratch;

// Below this a second thread costs more to wake than it saves.
constexpr double kSerialFlops = 2e5;

// How many threads share the rows; the others share the columns.
struct Grid {
  int rows, cols;
};

int64_t pieces(int64_t n, int64_t unit) { return (n + unit - 1) / unit; }
int64_t stride_or(int64_t stride, int64_t dense) { return stride != 0 ? stride : dense; }

// The grid whose largest rectangle is the smallest; among equals the one with the least packing (perimeter).
Grid choose_grid(int threads, int64_t rows, int64_t row_unit, int64_t cols) {
  Grid best{1, 1};
  double best_cost = 1e300;
  for (int r = 1; r <= threads; ++r) {
    const int c = threads / r;
    const double height = double(pieces(pieces(rows, row_unit), r) * row_unit);
    const double width = double(pieces(pieces(cols, kLanes), c) * kLanes);
    const double cost = height * width + 4 * (height + width);
    if (cost < best_cost) {
      best_cost = cost;
      best = {r, c};
    }
  }
  return best;
}

using Kernel = void (*)(const Product&, Scratch&);

// The product of a name in bfloat16, for the unit in use.
#define EXITRL_BF16_KERNEL(product)                                      \
  (bf16_unit() == Bf16Unit::amx        ? &amx::product                   \
   : bf16_unit() == Bf16Unit::avx512   ? &avx512_bf16::product           \
   : bf16_unit() == Bf16Unit::emulated ? &amx_emulated::product          \
                                       : EXITRL_DISPATCH(product##_bf16))

// Gives every thread one rectangle of the output. `a_row` and `b_column` are the distances, in floats, from one row of
// A and from one column of B to the next.
void multiply_parallel(Pool& pool, const Product& g, Kernel kernel, int64_t a_row, int64_t b_column) {
  if (g.rows == 0 || g.cols == 0) return;
  constexpr int64_t kRowUnit = 6;
  const double flops = 2.0 * double(g.rows) * double(g.cols) * double(g.depth);
  const Grid grid = flops < kSerialFlops ? Grid{1, 1} : choose_grid(pool.size(), g.rows, kRowUnit, g.cols);
  const int64_t row_blocks = pieces(g.rows, kRowUnit), col_blocks = pieces(g.cols, kLanes);
  auto rectangle = [&](int thread) {
    if (thread >= grid.rows * grid.cols) return;
    const int i = thread / grid.cols, j = thread % grid.cols;
    const int64_t r0 = row_blocks * i / grid.rows * kRowUnit, c0 = col_blocks * j / grid.cols * kLanes;
    const int64_t r1 = std::min(g.rows, row_blocks * (i + 1) / grid.rows * kRowUnit);
    const int64_t c1 = std::min(g.cols, col_blocks * (j + 1) / grid.cols * kLanes);
    if (r0 >= r1 || c0 >= c1) return;
    Product part = g;
    part.rows = r1 - r0;
    part.cols = c1 - c0;
    part.a += r0 * a_row;
    part.b += c0 * b_column;
    if (part.start) part.start += r0 * g.ldc + c0;
    if (part.bias) part.bias += c0;
    if (part.addend) part.addend += r0 * g.ldc + c0;
    part.c += r0 * g.ldc + c0;
    kernel(part, scratch);
  };
  if (grid.rows * grid.cols == 1) rectangle(0);
  else pool.run(rectangle);
}

}  // namespace

int64_t packed_weight_size(int64_t N, int64_t K) { return pieces(N, kLanes) * K * kLanes; }

void pack_weight(Pool& pool, const float* w, int64_t N, int64_t K, float* packed) {
  pool.parallel_for(pieces(N, kLanes), std::max<int64_t>(1, 4096 / std::max<int64_t>(1, K)),
                    [&](int64_t begin, int64_t end, int) {
    for (int64_t panel = begin; panel < end; ++panel) {
      const int64_t n0 = panel * kLanes, lanes = std::min<int64_t>(kLanes, N - n0);
      float* const out = packed + n0 * K;
      for (int64_t k = 0; k < K; ++k) {
        for (int64_t i = 0; i < lanes; ++i) out[k * kLanes + i] = w[(n0 + i) * K + k];
        for (int64_t i = lanes; i < kLanes; ++i) out[k * kLanes + i] = 0;
      }
    }
  });
}

namespace {

// bfloat16 numbers of a row of the left factor and of a column of the right one, with K filled up.
int64_t padded_depth(int64_t K) { return pieces(K, 32) * 32; }

}  // namespace

int64_t packed_bf16_size(int64_t N, int64_t K) { return pieces(N, kLanes) * kLanes * padded_depth(K); }

void pack_weight(Pool& pool, const float* w, int64_t N, int64_t K, uint16_t* packed) {
  const int64_t depth = padded_depth(K);
  pool.parallel_for(pieces(N, kLanes), std::max<int64_t>(1, 4096 / std::max<int64_t>(1, K)),
                    [&](int64_t begin, int64_t end, int) {
    for (int64_t panel = begin; panel < end; ++panel) {
      const int64_t n0 = panel * kLanes, lanes = std::min<int64_t>(kLanes, N - n0);
      uint16_t* const out = packed + n0 * depth;
      if (lanes < kLanes || depth > K) std::fill_n(out, kLanes * depth, uint16_t{0});
      for (int64_t k = 0; k < K; k += 2)
        for (int64_t i = 0; i < lanes; ++i) {
          const float* const from = w + (n0 + i) * K + k;
          uint16_t* const pair = out + k * kLanes + 2 * i;
          pair[0] = to_bf16(from[0]);
          if (k + 1 < K) pair[1] = to_bf16(from[1]);
        }
    }
  });
}

void linear_forward(Pool& pool, const LinearForward& a) {
  const int64_t x_stride = stride_or(a.x_stride, a.K);
  Product g{};
  g.a = a.x;
  g.b = a.packed.f32;
  g.bias = a.bias;
  g.addend = a.residual;
  g.c = a.y;
  g.lda = x_stride;
  g.ldb = a.K;
  g.ldc = stride_or(a.y_stride, a.N);
  g.rows = a.T;
  g.cols = a.N;
  g.depth = a.K;
  if (a.packed.precision() == Precision::bf16) {
    // Two bfloat16 numbers take the place of a float.
    g.b = reinterpret_cast<const float*>(a.packed.bf16);
    g.ldb = padded_depth(a.K) / 2;
    multiply_parallel(pool, g, EXITRL_BF16_KERNEL(product_forward), x_stride, g.ldb);
    return;
  }
  multiply_parallel(pool, g, EXITRL_DISPATCH(product_forward), x_stride, a.K);
}

void linear_backward(Pool& pool, const LinearBackward& a) {
  const bool bf16 = a.precision == Precision::bf16;
  const int64_t dy_stride = stride_or(a.dy_stride, a.N);
  if (a.dx) {
    Product g{};
    g.a = a.dy;
    g.b = a.w;
    g.addend = a.addend;
    g.c = a.dx;
    g.lda = dy_stride;
    g.ldb = a.K;
    g.ldc = stride_or(a.dx_stride, a.K);
    g.rows = a.T;
    g.cols = a.K;
    g.depth = a.N;
    multiply_parallel(pool, g, bf16 ? EXITRL_BF16_KERNEL(product_dx) : EXITRL_DISPATCH(product_dx), dy_stride, 1);
  }
  if (a.dw) {
    Product g{};
    g.a = a.dy;
    g.b = a.x;
    g.start = a.dw;
    g.c = a.dw;
    g.lda = dy_stride;
    g.ldb = stride_or(a.x_stride, a.K);
    g.ldc = a.K;
    g.rows = a.N;
    g.cols = a.K;
    g.depth = a.T;
    multiply_parallel(pool, g, bf16 ? EXITRL_BF16_KERNEL(product_dw) : EXITRL_DISPATCH(product_dw), 1, 1);
  }
  if (a.dbias) {
    const auto kernel = EXITRL_DISPATCH(add_rows);
    const int64_t grain = a.T * a.N < 100000 ? a.N : kLanes;
    pool.parallel_for(a.N, std::max<int64_t>(1, grain), [&](int64_t begin, int64_t end, int) {
      kernel(a.dy + begin, dy_stride, a.T, end - begin, a.dbias + begin);
    });
  }
}

}  // namespace exitrl
