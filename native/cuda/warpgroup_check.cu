#include "cuda/warpgroup_check.h"

#include "cuda/warpgroup.h"

namespace exitrl::cuda {
namespace {

constexpr int kRows = 64;
struct Shared {
  Panels<kRows, 128> x;
  union {
    Panels<kRows, 256> wide;
    Panels<256, 64> tall;
  } y;
};

// Small integers, and numbers of 12 binary orders of magnitude: every sum of products loses bits.
[[maybe_unused]] __device__ __forceinline__ int x_at(int row, int column) { return (row * 7 + column * 3) % 5 - 2; }
[[maybe_unused]] __device__ __forceinline__ int y_at(int row, int column) { return (row * 5 + column * 11) % 7 - 3; }
[[maybe_unused]] __device__ __forceinline__ float scattered(int row, int column) {
  const uint32_t hash = (uint32_t(row) * 0x9e3779b1u ^ uint32_t(column) * 0x85ebca77u) * 0xc2b2ae3du, bits = hash ^ hash >> 15;
  return __uint_as_float((bits & 0x80000000u) | (121u + bits % 12u) << 23 | (bits >> 3 & 0x7f0000u));
}

template <int R, int D, class At>
__device__ __forceinline__ void fill(Panels<R, D>& tile, At&& at) {
  for (int i = int(threadIdx.x); i < R * D; i += int(blockDim.x))
    tile.piece(i / D, i % D / 8 * 8)[i % 8] = from_float<bf16>(float(at(i / D, i % D)));
}

// How many of this thread's numbers of d (64, N) differ from want(row, column).
template <int N, class Want>
__device__ __forceinline__ int differing(const float (&d)[N / 8][4], Want&& want) {
  const int row = int(threadIdx.x) / kWarp * 16 + int(threadIdx.x) % kWarp / 4, column = int(threadIdx.x) % 4 * 2;
  int wrong = 0;
#pragma unroll
  for (int j = 0; j < N / 8; ++j)
#pragma unroll
    for (int e = 0; e < 4; ++e) wrong += d[j][e] != float(want(row + e / 2 * 8, 8 * j + column + e % 2));
  return wrong;
}

// This warp's rows of x (columns 16 k ..) as left operands of mma.sync.
__device__ __forceinline__ void left_of(uint32_t (&a)[4], const Panels<kRows, 128>& x, int k) {
  const int warp = int(threadIdx.x) / kWarp, lane = int(threadIdx.x) % kWarp;
  ldmatrix_x4(a, x.piece(16 * warp + lane % 16, 16 * k + lane / 16 * 8));
}

// 1 + x (64, 64) y, over the columns of x and the rows of y or its columns: x in shared memory or in registers, or its transpose.
template <int N>
__device__ __forceinline__ int check_width(Shared& s) {
  int wrong = 0;
  const auto run = [&](auto&& multiply, auto&& x, auto&& y) {
    float d[N / 8][4];
#pragma unroll
    for (int j = 0; j < N / 8; ++j)
#pragma unroll
      for (int e = 0; e < 4; ++e) d[j][e] = 1;
    hold(d);
    products_begin();
#pragma unroll
    for (int k = 0; k < kRows; k += 16) multiply(d, k);
    products_commit();
    products_wait<0>();
    hold(d);
    wrong += differing<N>(d, [&](int row, int column) {
      int sum = 1;
#pragma unroll 1
      for (int k = 0; k < kRows; ++k) sum += x(row, k) * y(k, column);
      return sum;
    });
  };
  const auto x_by_row = [](int row, int k) { return x_at(row, k); };
  const auto x_by_column = [](int row, int k) { return x_at(k, row); };
  const auto y_by_row = [](int k, int column) { return y_at(k, column); };
  const auto y_by_column = [](int k, int column) { return y_at(column, k); };

  fill(s.y.tall, y_at);
  publish_copies();
  __syncthreads();
  run(
      [&](auto& d, int k) {
        multiply_shared<N, Left::by_row, Right::by_column>(d, factor_of_rows(s.x, 0, k), factor_of_rows(s.y.tall, 0, k), true);
      },
      x_by_row, y_by_column);
  if constexpr (N <= 128)
    run([&](auto& d, int k) {
      uint32_t left[4];
      left_of(left, s.x, k / 16);
      products_begin();  // behind the load of `left`
      multiply_registers<N, Right::by_column>(d, left, factor_of_rows(s.y.tall, 0, k), true);
      products_commit();
      products_wait<0>();  // `left` ends here
      hold(d);
    }, x_by_row, y_by_column);
  __syncthreads();
  fill(s.y.wide, y_at);
  publish_copies();
  __syncthreads();
  run(
      [&](auto& d, int k) {
        multiply_shared<N, Left::by_row, Right::by_row>(d, factor_of_rows(s.x, 0, k), factor_of_columns(s.y.wide, k), true);
      },
      x_by_row, y_by_row);
  run(
      [&](auto& d, int k) {
        multiply_shared<N, Left::by_column, Right::by_row>(d, factor_of_columns(s.x, k, 0), factor_of_columns(s.y.wide, k), true);
      },
      x_by_column, y_by_row);
  if constexpr (N <= 128)
    run([&](auto& d, int k) {
      uint32_t left[4];
      left_of(left, s.x, k / 16);
      products_begin();  // behind the load of `left`
      multiply_registers<N, Right::by_row>(d, left, factor_of_columns(s.y.wide, k), true);
      products_commit();
      products_wait<0>();
      hold(d);
    }, x_by_row, y_by_row);
  __syncthreads();
  return wrong;
}

// How many of the numbers differ in their bits from those that come first in `together`.
template <int N, int M>
__device__ __forceinline__ int differing_bits(const float (&together)[M][4], const float (&alone)[N][4]) {
  int different = 0;
#pragma unroll
  for (int j = 0; j < N; ++j)
#pragma unroll
    for (int e = 0; e < 4; ++e) different += __float_as_uint(together[j][e]) != __float_as_uint(alone[j][e]);
  return different;
}

// x (64, 64) y of scattered numbers: y by columns and by rows, x in shared memory and in registers, a narrow and a wide product.
__device__ __forceinline__ int check_bits(Shared& s) {
  constexpr int N = 64;
  fill(s.x, scattered);
  fill(s.y.tall, [](int row, int column) { return scattered(row + 1000, column); });
  publish_copies();
  __syncthreads();
  float together[N / 8][4], alone[N / 8][4] = {};
  products_begin();
#pragma unroll
  for (int k = 0; k < kRows; k += 16)
    multiply_shared<N, Left::by_row, Right::by_column>(together, factor_of_rows(s.x, 0, k), factor_of_rows(s.y.tall, 0, k), k > 0);
  products_commit();
  products_wait<0>();
  hold(together);
  const int lane = int(threadIdx.x) % kWarp;
#pragma unroll
  for (int k = 0; k < kRows; k += 16) {
    uint32_t left[4], right[4];
    left_of(left, s.x, k / 16);
#pragma unroll
    for (int j = 0; j < N / 8; j += 2) {
      ldmatrix_x4(right, s.y.tall.piece(8 * j + lane / 16 * 8 + lane % 8, k + lane / 8 % 2 * 8));
      mma_m16n8k16(alone[j], left, right[0], right[1]);
      mma_m16n8k16(alone[j + 1], left, right[2], right[3]);
    }
  }
  int different = differing_bits(together, alone);
  __syncthreads();
  fill(s.y.wide, [](int row, int column) { return scattered(column + 1000, row); });
  publish_copies();
  __syncthreads();
#pragma unroll
  for (int k = 0; k < kRows; k += 16) {
    uint32_t left[4];
    left_of(left, s.x, k / 16);
    products_begin();  // behind the load of `left`
    multiply_registers<N, Right::by_row>(together, left, factor_of_columns(s.y.wide, k), k > 0);
    products_commit();
    products_wait<0>();
    hold(together);
  }
  different += differing_bits(together, alone);
  float wide[32][4];
  products_begin();
#pragma unroll
  for (int k = 0; k < kRows; k += 16)
    multiply_shared<256, Left::by_row, Right::by_row>(wide, factor_of_rows(s.x, 0, k), factor_of_columns(s.y.wide, k), k > 0);
  products_commit();
  products_wait<0>();
  hold(wide);
  return different + differing_bits(wide, alone);
}

__global__ void __launch_bounds__(kWarpgroup) check_kernel(WarpgroupCheck* found) {
  if constexpr (kWarpgroups) {
    auto& s = shared<Shared>();
    fill(s.x, x_at);
    const int wrong = check_width<64>(s) + check_width<128>(s) + check_width<256>(s);
    if (wrong > 0) atomicAdd(&found->wrong, wrong);
    const int different = check_bits(s);
    if (different > 0) atomicAdd(&found->different, different);
  } else {
    if (threadIdx.x == 0) atomicAdd(&found->wrong, 1);
  }
}

}  // namespace

void check_warpgroup_products(Context& context, WarpgroupCheck* found) {
  launch(context, "check_warpgroup_products", check_kernel, dim3(1), kWarpgroup, sizeof(Shared), found);
}

}  // namespace exitrl::cuda
