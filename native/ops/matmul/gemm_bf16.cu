// Products of bf16 matrices on tensor cores (mma.sync m16n8k16). A block computes a tile of d: BK numbers of k at a time come
// through a ring of stages in shared memory (cp.async), fragments through ldmatrix, sums stay in registers. An element is one chain
// of mma over ascending k in every tile, also beyond K, where factors are zeros: all tiles give the same bits.
//
//   tile        warps of      shared      for
//   128 x 128   64 x 32       96 KiB      products that give every multiprocessor such a tile; two blocks a multiprocessor
//   64 x 64     32 x 32       64 KiB      the others; the only one for matrices that are not aligned to 16 bytes
//   64 x 16     16 x 16       80 KiB      up to 64 rows and few columns: 4 times as many blocks read the weights
//   16 x 32     16 x 16       60 KiB      decoding, up to 16 rows: the weights at the memory's speed, 40 KiB of them on their way
#include "ops/matmul/gemm_tile.h"

namespace exitrl::cuda {
namespace {

template <int BM_, int BN_, int BK_, int WM_, int WN_, int stages_, int blocks_>
struct Shape {
  static constexpr int BM = BM_, BN = BN_, BK = BK_, WM = WM_, WN = WN_, kStages = stages_, kBlocks = blocks_;
  static constexpr int kThreads = BM / WM * (BN / WN) * kWarp;
  static_assert(WM % 16 == 0 && WN % 16 == 0 && BK % 16 == 0);
};
using Large = Shape<128, 128, 64, 64, 32, 3, 2>;
using Medium = Shape<64, 64, 64, 32, 32, 4, 3>;
using Short = Shape<64, 16, 128, 16, 16, 4, 2>;
using Decode = Shape<16, 32, 128, 16, 16, 5, 3>;

// The fragment of a (16, 16) at (m, k).
template <bool by_k, class Tile>
__device__ __forceinline__ void load_a(uint32_t (&r)[4], Tile& tile, int m, int k) {
  const int lane = int(threadIdx.x) % kWarp;
  if constexpr (by_k) ldmatrix_x4_transposed(r, tile.chunk(k + lane / 16 * 8 + lane % 8, m / 8 + lane / 8 % 2));
  else ldmatrix_x4(r, tile.chunk(m + lane % 16, k / 8 + lane / 16));
}
// The fragments of b (16, 8) at (k, n) and (k, n + 8).
template <bool by_k, class Tile>
__device__ __forceinline__ void load_b(uint32_t (&r)[4], Tile& tile, int k, int n) {
  const int lane = int(threadIdx.x) % kWarp;
  if constexpr (by_k) ldmatrix_x4_transposed(r, tile.chunk(k + lane % 16, n / 8 + lane / 16));
  else ldmatrix_x4(r, tile.chunk(n + lane / 16 * 8 + lane % 8, k / 8 + lane / 8 % 2));
}

template <class S, GemmKind kind, bool narrow>
using FactorsOf = Factors<bf16, kind, S::BM, S::BN, S::BK, S::kThreads, narrow>;
template <class S, GemmKind kind, bool narrow>
struct Ring {
  typename FactorsOf<S, kind, narrow>::Stage stages[S::kStages];
};

template <class S, GemmKind kind, bool narrow>
__global__ void __launch_bounds__(S::kThreads, S::kBlocks) bf16_kernel(Product<bf16> p) {
  using F = FactorsOf<S, kind, narrow>;
  auto& ring = shared<Ring<S, kind, narrow>>();
  const auto m_of = [](int thread) { return thread / kWarp % (S::BM / S::WM) * S::WM; };
  const auto n_of = [](int thread) { return thread / kWarp / (S::BM / S::WM) * S::WN; };
  const Place first = place_of_block<S::BM, S::BN>(p.M, p.N, int(blockIdx.x));
  const int m = m_of(int(threadIdx.x)), n = n_of(int(threadIdx.x));
  constexpr int MT = S::WM / 16, NT = S::WN / 8;
  float sum[MT][NT][4] = {};
  F factors(p, first.m, first.n);
  walk<S::BK>(factors, p.K, ring.stages, [&](typename F::Stage& stage) {
#pragma unroll
    for (int k = 0; k < S::BK; k += 16) {
      uint32_t a[MT][4], b[4];
#pragma unroll
      for (int i = 0; i < MT; ++i) load_a<F::kAByK>(a[i], stage.a, m + i * 16, k);
#pragma unroll
      for (int j = 0; j < NT; j += 2) {
        load_b<F::kBByK>(b, stage.b, k, n + j * 8);
#pragma unroll
        for (int i = 0; i < MT; ++i) {
          mma_m16n8k16(sum[i][j], a[i], b[0], b[1]);
          mma_m16n8k16(sum[i][j + 1], a[i], b[2], b[3]);
        }
      }
    }
  });
  const Place place = place_of_block<S::BM, S::BN>(p.M, p.N, block_again());
  const int thread = thread_again(), lane = thread % kWarp;
  const int64_t row = place.m + m_of(thread) + lane / 4, column = place.n + n_of(thread) + 2 * (lane % 4);
  const auto pair_at = [&](int i) {
    const int tile = i / 2, half = i % 2;
    return Pair{tile / NT * 16 + 8 * half, tile % NT * 8, sum[tile / NT][tile % NT][2 * half], sum[tile / NT][tile % NT][2 * half + 1]};
  };
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  constexpr int kAheadOfLarge = 1;  // no registers are left
#else
  constexpr int kAheadOfLarge = 8;
#endif
  constexpr int kAhead = MT * NT > 8 ? kAheadOfLarge : 2 * MT * NT;
  const bool whole = is_whole<S::BM, S::BN>(p, place);
  if (p.bf16_output) finish_pairs<bf16, 2 * MT * NT, kAhead>(p, row, column, whole, pair_at);
  else finish_pairs<float, 2 * MT * NT, kAhead>(p, row, column, whole, pair_at);
}

template <class S, GemmKind kind, bool narrow = false>
void run(Context& context, const device::Gemm& a) {
  static_assert(sizeof(Ring<S, kind, narrow>) <= 99 << 10, "the shared memory of a block on compute capability 8.9");
  launch(context, "gemm_bf16", bf16_kernel<S, kind, narrow>, grid_of<S::BM, S::BN>(a), S::kThreads, sizeof(Ring<S, kind, narrow>),
         product<bf16>(a));
}

template <GemmKind kind>
void choose(Context& context, const device::Gemm& a) {
  const auto fills = [&](int64_t BM, int64_t BN) { return ceil_div(a.M, BM) * ceil_div(a.N, BN) >= context.multiprocessors; };
  if (!aligned<bf16>(a)) return run<Medium, kind, true>(context, a);
  if constexpr (kind == GemmKind::nt) {
    if (a.M <= 16) return run<Decode, kind>(context, a);
    if (a.M <= 64 && !fills(64, 64)) return run<Short, kind>(context, a);
  }
  if (a.M > 64 && fills(128, 128)) return run<Large, kind>(context, a);
  run<Medium, kind>(context, a);
}

}  // namespace

void gemm_bf16(Context& context, const device::Gemm& a) {
  switch (a.kind) {
    case GemmKind::nt: return choose<GemmKind::nt>(context, a);
    case GemmKind::nn: return choose<GemmKind::nn>(context, a);
    case GemmKind::tn: return choose<GemmKind::tn>(context, a);
  }
}

}  // namespace exitrl::cuda
