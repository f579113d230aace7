#include "cuda/warpgroup_check.h"

#include "cuda/warpgroup.h"

namespace exitrl::cuda {
namespace {

constexpr int kRows = 64;
template <int D>
struct Shared {
  Panels<kRows, D> x, y;
};

__device__ __forceinline__ int x_at(int row, int column) { return (row * 7 + column * 3) % 5 - 2; }
__device__ __forceinline__ int y_at(int row, int column) { return (row * 5 + column * 11) % 7 - 3; }

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

template <int D>
__device__ __forceinline__ int row_product(int row, int column) {
  int sum = 0;
  for (int k = 0; k < D; ++k) sum += x_at(row, k) * y_at(column, k);
  return sum;
}

// x times the first N rows of y, with x in shared memory and in registers.
template <int N, int D>
__device__ __forceinline__ int check_rows(const Shared<D>& s, const uint32_t (&left)[D / 16][4]) {
  float d[N / 8][4], e[N / 8][4];
  products_begin();
#pragma unroll
  for (int k = 0; k < D; k += 16) {
    multiply_shared<N, Right::by_column>(d, factor_of_rows(s.x, 0, k), factor_of_rows(s.y, 0, k), k > 0);
    multiply_registers<N, Right::by_column>(e, left[k / 16], factor_of_rows(s.y, 0, k), k > 0);
  }
  products_commit();
  products_wait<0>();
  hold(d);
  hold(e);
  return differing<N>(d, row_product<D>) + differing<N>(e, row_product<D>);
}

template <int D>
__device__ __forceinline__ int check_all() {
  auto& s = shared<Shared<D>>();
  for (int i = int(threadIdx.x); i < kRows * D; i += int(blockDim.x)) {
    const int row = i / D, column = i % D;
    s.x.piece(row, column / 8 * 8)[column % 8] = from_float<bf16>(float(x_at(row, column)));
    s.y.piece(row, column / 8 * 8)[column % 8] = from_float<bf16>(float(y_at(row, column)));
  }
  publish_copies();
  __syncthreads();
  const int warp = int(threadIdx.x) / kWarp, lane = int(threadIdx.x) % kWarp;
  uint32_t left[D / 16][4];
#pragma unroll
  for (int k = 0; k < D / 16; ++k) ldmatrix_x4(left[k], s.x.piece(16 * warp + lane % 16, 16 * k + lane / 16 * 8));
  int wrong = check_rows<32>(s, left) + check_rows<64>(s, left);

  // 1 + the first 64 columns of x times y.
  float o[D / 8][4];
#pragma unroll
  for (int j = 0; j < D / 8; ++j)
#pragma unroll
    for (int e = 0; e < 4; ++e) o[j][e] = 1;
  hold(o);
  products_begin();
#pragma unroll
  for (int k = 0; k < kRows / 16; ++k) multiply_registers<D, Right::by_row>(o, left[k], factor_of_columns(s.y, 16 * k), true);
  products_commit();
  products_wait<0>();
  hold(o);
  wrong += differing<D>(o, [](int row, int column) {
    int sum = 1;
    for (int k = 0; k < kRows; ++k) sum += x_at(row, k) * y_at(k, column);
    return sum;
  });
  __syncthreads();
  return wrong;
}

__global__ void __launch_bounds__(kWarpgroup) check_kernel(int* wrong) {
  if constexpr (kWarpgroups) {
    const int found = check_all<64>() + check_all<128>();
    if (found > 0) atomicAdd(wrong, found);
  } else {
    if (threadIdx.x == 0) atomicAdd(wrong, 1);
  }
}

}  // namespace

void check_warpgroup_products(Context& context, int* wrong) {
  launch(context, "check_warpgroup_products", check_kernel, dim3(1), kWarpgroup, sizeof(Shared<128>), wrong);
}

}  // namespace exitrl::cuda
