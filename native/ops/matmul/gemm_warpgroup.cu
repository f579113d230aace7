// Products of bf16 matrices by warpgroups (wgmma, Hopper). A block computes 128 x 256 of d, each of its two warpgroups 64 rows: so every
// number of a that comes from the L2 cache is used 256 times, every one of b 128 times. 64 numbers of k at a time come through a
// ring of four stages in shared memory (192 KiB, cp.async); wgmma reads both factors there, in any order of their dimensions. While
// it works on a stage, the next is on its way or there, and the last but one is filled again.
//
// An element is one chain over ascending k in steps of 16, as in gemm_bf16.cu, and on Hopper wgmma and mma.sync give the same bits for
// the same 16 products and the same sum (checked when a device is opened: cuda/warpgroup_check.h).
#include "cuda/warpgroup.h"
#include "ops/matmul/gemm_tile.h"

namespace exitrl::cuda {

template <class T, int rows, int columns>
struct PanelTile : Panels<rows, columns> {
  static constexpr int kRows = rows, kColumns = columns, kChunk = kVector<T>, kChunks = columns / kChunk;
  __device__ __forceinline__ T* chunk(int row, int c) { return this->piece(row, c * kChunk); }
};

namespace {

constexpr int kGroups = 2, kThreads = kGroups * kWarpgroup, BM = 64 * kGroups, BN = 256, BK = 64, kStages = 4;

template <GemmKind kind>
using FactorsOf = Factors<bf16, kind, BM, BN, BK, kThreads, false, PanelTile>;
template <GemmKind kind>
struct Ring {
  typename FactorsOf<kind>::Stage stages[kStages];
};

// sum += this warpgroup's 64 rows of the stage times all its columns; without waiting.
template <GemmKind kind>
__device__ __forceinline__ void multiply(float (&sum)[BN / 8][4], const typename FactorsOf<kind>::Stage& stage, int group) {
  constexpr Left left = FactorsOf<kind>::kAByK ? Left::by_column : Left::by_row;
  constexpr Right right = FactorsOf<kind>::kBByK ? Right::by_row : Right::by_column;
  products_begin();
#pragma unroll
  for (int k = 0; k < BK; k += 16) {
    uint64_t a, b;
    if constexpr (left == Left::by_row) a = factor_of_rows(stage.a, 64 * group, k);
    else a = factor_of_columns(stage.a, k, 64 * group);
    if constexpr (right == Right::by_column) b = factor_of_rows(stage.b, 0, k);
    else b = factor_of_columns(stage.b, k);
    multiply_shared<BN, left, right>(sum, a, b, true);
  }
  products_commit();
}

template <GemmKind kind>
__device__ __forceinline__ void compute(const Product<bf16>& p) {
  auto& ring = shared<Ring<kind>>().stages;
  const Place place = place_of_block<BM, BN>(p.M, p.N, int(blockIdx.x));
  const int group = int(threadIdx.x) / kWarpgroup, warp = int(threadIdx.x) % kWarpgroup / kWarp, lane = int(threadIdx.x) % kWarp;
  FactorsOf<kind> factors(p, place.m, place.n);
  const int steps = (p.K + BK - 1) / BK;
#pragma unroll
  for (int s = 0; s < kStages - 2; ++s) {
    if (s < steps) factors.copy_next(ring[s]);
    copy_commit();
  }
  float sum[BN / 8][4] = {};
  hold(sum);
  int read = 0, write = kStages - 2;
  for (int step = 0; step < steps; ++step) {
    copy_wait<kStages - 3>();
    publish_copies();
    __syncthreads();
    multiply<kind>(sum, ring[read], group);
    // The stage that is filled now was read two steps ago: this wait of the step before ended its products, the barrier those of
    // the other warpgroup.
    products_wait<1>();
    if (step + kStages - 2 < steps) factors.copy_next(ring[write]);
    copy_commit();
    read = (read + 1) % kStages;
    write = (write + 1) % kStages;
  }
  products_wait<0>();
  hold(sum);
  const int64_t row = place.m + 64 * group + 16 * warp + lane / 4, column = place.n + 2 * (lane % 4);
  const auto pair_at = [&](int i) { return Pair{i % 2 * 8, i / 2 * 8, sum[i / 2][i % 2 * 2], sum[i / 2][i % 2 * 2 + 1]}; };
  const bool whole = is_whole<BM, BN>(p, place);
  if (p.bf16_output) finish_pairs<bf16, BN / 4, 16>(p, row, column, whole, pair_at);
  else finish_pairs<float, BN / 4, 16>(p, row, column, whole, pair_at);
}

template <GemmKind kind>
__global__ void __launch_bounds__(kThreads, 1) warpgroup_kernel(Product<bf16> p) {
  if constexpr (kWarpgroups) compute<kind>(p);
}

template <GemmKind kind>
void run(Context& context, const device::Gemm& a) {
  launch(context, "gemm_warpgroup", warpgroup_kernel<kind>, grid_of<BM, BN>(a), kThreads, sizeof(Ring<kind>), product<bf16>(a));
}

}  // namespace

bool gemm_warpgroup(Context& context, const device::Gemm& a) {
  if (!(a.order == device::Order::fixed ? context.warpgroups_fixed : context.warpgroups)) return false;
  // Where it leaves a quarter of the multiprocessors idle, smaller tiles do better.
  if (!aligned<bf16>(a) || a.M <= 64 || ceil_div(a.M, BM) * ceil_div(a.N, BN) * 4 < 3 * int64_t(context.multiprocessors)) return false;
  switch (a.kind) {
    case GemmKind::nt: run<GemmKind::nt>(context, a); break;
    case GemmKind::nn: run<GemmKind::nn>(context, a); break;
    case GemmKind::tn: run<GemmKind::tn>(context, a); break;
  }
  return true;
}

}  // namespace exitrl::cuda
