// Products of fp32 matrices: fused multiply-adds in ascending k, one chain an element in every tile. Threads hold TM x TN sums in
// registers and take four k at a time of the stages in shared memory (cp.async).
//
//   tile        a thread's   shared     for
//   128 x 128   8 x 8        96 KiB     products that give every multiprocessor such a tile
//   64 x 64     4 x 4        64 KiB     the others; the only one for matrices that are not aligned to 16 bytes
//   16 x 32     2 x 2        36 KiB     decoding, up to 16 rows
#include "ops/matmul/gemm_tile.h"

namespace exitrl::cuda {
namespace {

constexpr int kDepth = 32;  // of k a stage

template <int BM_, int BN_, int TM_, int TN_, int stages_, int blocks_>
struct Shape {
  static constexpr int BM = BM_, BN = BN_, TM = TM_, TN = TN_, kStages = stages_, kBlocks = blocks_;
  static constexpr int kRows = BM / TM, kColumns = BN / TN, kThreads = kRows * kColumns;  // of threads
};
using Large = Shape<128, 128, 8, 8, 3, 2>;
using Medium = Shape<64, 64, 4, 4, 4, 2>;
using Decode = Shape<16, 32, 2, 2, 6, 4>;

// Of a tile's 4 consecutive k, the `count` items of thread t of `threads`, from its item `first` on. Which items a thread has depends on
// the layout, so that neighbours read different banks.
template <bool by_k, int threads>
__device__ __forceinline__ constexpr int item(int t, int j) { return by_k ? 4 * t + j / 4 * 4 * threads + j % 4 : t + j * threads; }

template <bool by_k, int threads, int count, class Tile>
__device__ __forceinline__ void load_items(float (&out)[count][4], Tile& tile, int t, int first, int k) {
  if constexpr (by_k) {
#pragma unroll
    for (int q = 0; q < 4; ++q)
#pragma unroll
      for (int j = 0; j < count; j += 4) {
        const auto v = load<4>(tile.chunk(k + q, item<by_k, threads>(t, first + j) / 4));
#pragma unroll
        for (int i = 0; i < 4; ++i) out[j + i][q] = v.at[i];
      }
  } else {
#pragma unroll
    for (int j = 0; j < count; ++j) {
      const auto v = load<4>(tile.chunk(item<by_k, threads>(t, first + j), k / 4));
#pragma unroll
      for (int q = 0; q < 4; ++q) out[j][q] = v.at[q];
    }
  }
}

template <class S, GemmKind kind, bool narrow>
using FactorsOf = Factors<float, kind, S::BM, S::BN, kDepth, S::kThreads, narrow>;
template <class S, GemmKind kind, bool narrow>
struct Ring {
  typename FactorsOf<S, kind, narrow>::Stage stages[S::kStages];
};

template <class S, GemmKind kind, bool narrow>
__global__ void __launch_bounds__(S::kThreads, S::kBlocks) f32_kernel(Product<float> p) {
  using F = FactorsOf<S, kind, narrow>;
  auto& ring = shared<Ring<S, kind, narrow>>();
  const Place place = place_of_block<S::BM, S::BN>(p.M, p.N, int(blockIdx.x));
  const int row = int(threadIdx.x) / S::kColumns, column = int(threadIdx.x) % S::kColumns;
  constexpr int kAtOnce = S::TN < 4 ? S::TN : 4;
  float sum[S::TM][S::TN] = {};
  F factors(p, place.m, place.n);
  walk<kDepth>(factors, p.K, ring.stages, [&](typename F::Stage& stage) {
#pragma unroll 1
    for (int k = 0; k < kDepth; k += 4) {
      float a[S::TM][4], b[kAtOnce][4];
      load_items<F::kAByK, S::kRows>(a, stage.a, row, 0, k);
#pragma unroll
      for (int first = 0; first < S::TN; first += kAtOnce) {
        load_items<F::kBByK, S::kColumns>(b, stage.b, column, first, k);
#pragma unroll
        for (int q = 0; q < 4; ++q)
#pragma unroll
          for (int i = 0; i < S::TM; ++i)
#pragma unroll
            for (int j = 0; j < kAtOnce; ++j) sum[i][first + j] = fmaf(a[i][q], b[j][q], sum[i][first + j]);
      }
    }
  });
#pragma unroll
  for (int i = 0; i < S::TM; ++i)
#pragma unroll
    for (int j = 0; j < S::TN; ++j) {
      const int64_t m = place.m + item<F::kAByK, S::kRows>(row, i), n = place.n + item<F::kBByK, S::kColumns>(column, j);
      if (p.bf16_output) finish<bf16>(p, m, n, sum[i][j]);
      else finish<float>(p, m, n, sum[i][j]);
    }
}

template <class S, GemmKind kind, bool narrow = false>
void run(Context& context, const device::Gemm& a) {
  static_assert(sizeof(Ring<S, kind, narrow>) <= 99 << 10, "the shared memory of a block on compute capability 8.9");
  launch(context, "gemm_f32", f32_kernel<S, kind, narrow>, grid_of<S::BM, S::BN>(a), S::kThreads, sizeof(Ring<S, kind, narrow>),
         product<float>(a));
}

template <GemmKind kind>
void choose(Context& context, const device::Gemm& a) {
  if (!aligned<float>(a)) return run<Medium, kind, true>(context, a);
  if constexpr (kind == GemmKind::nt)
    if (a.M <= 16) return run<Decode, kind>(context, a);
  if (a.M > 64 && ceil_div(a.M, 128) * ceil_div(a.N, 128) >= context.multiprocessors) return run<Large, kind>(context, a);
  run<Medium, kind>(context, a);
}

}  // namespace

void gemm_f32(Context& context, const device::Gemm& a) {
  switch (a.kind) {
    case GemmKind::nt: return choose<GemmKind::nt>(context, a);
    case GemmKind::nn: return choose<GemmKind::nn>(context, a);
    case GemmKind::tn: return choose<GemmKind::tn>(context, a);
  }
}

}  // namespace exitrl::cuda
