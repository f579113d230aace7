// What the matrix products of both precisions share: tiles of the factors in shared memory, how they are filled, which tile a
// block computes, and what happens to a finished element.
#pragma once
#include <utility>

#include "cuda/tile.h"
#include "ops/matmul/gemm_device.h"

namespace exitrl::cuda {

using device::GemmKind;

// The arguments in the kernels' types.
template <class T>
struct Product {
  const T* a;
  const T* b;
  const T* bias;
  const void* addend;
  void* d;
  int M, N, K;
  int64_t lda, ldb, ldd;
  float alpha;
  bool bf16_output;
  bool wide_output;  // pairs of d and addend are aligned
};

template <class T>
Product<T> product(const device::Gemm& a) {
  const uintptr_t pair = a.output == Precision::bf16 ? 4 : 8;
  const bool wide = a.ldd % 2 == 0 && reinterpret_cast<uintptr_t>(a.d) % pair == 0 && reinterpret_cast<uintptr_t>(a.addend) % pair == 0;
  return {static_cast<const T*>(a.a), static_cast<const T*>(a.b), static_cast<const T*>(a.bias), a.addend, a.d,
          int(a.M), int(a.N), int(a.K), a.lda, a.ldb, a.ldd, a.alpha, a.output == Precision::bf16, wide};
}

// Rows x columns numbers of a row-major matrix, in chunks of 16 bytes. Chunk c of row r lies in place c ^ (r % 8): eight rows at
// one chunk, or eight chunks of one row, are in different banks.
template <class T, int rows, int columns>
struct alignas(128) SharedTile {
  static constexpr int kRows = rows, kColumns = columns, kChunk = kVector<T>, kChunks = columns / kChunk;
  static_assert(kChunks % 8 == 0);
  T at[rows * columns];
  __device__ __forceinline__ T* chunk(int row, int c) { return at + row * columns + (c ^ (row & 7)) * kChunk; }
};

// One factor's way into shared memory. Each thread copies chunks (row + i rows_apart, c) of every tile; what lies beyond the
// matrix becomes zeros and is not read. `narrow`: the matrix is not aligned to 16 bytes; numbers are loaded one by one.
template <class T, class Tile, int threads, bool narrow>
struct Factor {
  static constexpr int kRowsApart = threads / Tile::kChunks, kCopies = Tile::kRows / kRowsApart;
  static_assert(threads % Tile::kChunks == 0 && Tile::kRows % kRowsApart == 0);
  const T* from;
  int64_t ld;
  int row, c, rows_left, columns_left;

  __device__ __forceinline__ Factor(const T* matrix, int64_t stride, int64_t first_row, int rows, int64_t first_column, int columns)
      : ld(stride), row(int(threadIdx.x) / Tile::kChunks), c(int(threadIdx.x) % Tile::kChunks) {
    from = matrix + (first_row + row) * ld + first_column + c * Tile::kChunk;
    rows_left = rows - int(first_row) - row;
    columns_left = columns - int(first_column) - c * Tile::kChunk;
  }
  __device__ __forceinline__ void copy(Tile& tile) const {
    const int count = max(0, min(columns_left, Tile::kChunk));
#pragma unroll
    for (int i = 0; i < kCopies; ++i) {
      const int n = i * kRowsApart < rows_left ? count : 0;
      const T* const p = from + i * kRowsApart * ld;
      T* const to = tile.chunk(row + i * kRowsApart, c);
      if constexpr (narrow) {
        Vec<T, Tile::kChunk> v;
#pragma unroll
        for (int j = 0; j < Tile::kChunk; ++j) v.at[j] = j < n ? p[j] : from_float<T>(0.0f);
        store(to, v);
      } else {
        copy_async16_part(to, p, n * int(sizeof(T)));
      }
    }
  }
  __device__ __forceinline__ void advance_rows() { from += Tile::kRows * ld, rows_left -= Tile::kRows; }
  __device__ __forceinline__ void advance_columns() { from += Tile::kColumns, columns_left -= Tile::kColumns; }
};

// The two factors of a tile (BM, BN) of d, BK numbers of k at a time: a ring of stages.
template <class T, GemmKind kind, int BM, int BN, int BK, int threads, bool narrow, template <class, int, int> class Tile = SharedTile>
struct Factors {
  static constexpr bool kAByK = kind == GemmKind::tn, kBByK = kind != GemmKind::nt;  // rows are k
  using A = std::conditional_t<kAByK, Tile<T, BK, BM>, Tile<T, BM, BK>>;
  using B = std::conditional_t<kBByK, Tile<T, BK, BN>, Tile<T, BN, BK>>;
  struct Stage {
    A a;
    B b;
  };
  Factor<T, A, threads, narrow> a;
  Factor<T, B, threads, narrow> b;

  __device__ __forceinline__ Factors(const Product<T>& p, int64_t m, int64_t n)
      : a(p.a, p.lda, kAByK ? 0 : m, kAByK ? p.K : p.M, kAByK ? m : 0, kAByK ? p.M : p.K),
        b(p.b, p.ldb, kBByK ? 0 : n, kBByK ? p.K : p.N, kBByK ? n : 0, kBByK ? p.N : p.K) {}
  // The next BK numbers of k.
  __device__ __forceinline__ void copy_next(Stage& stage) {
    a.copy(stage.a);
    b.copy(stage.b);
    if constexpr (kAByK) a.advance_rows();
    else a.advance_columns();
    if constexpr (kBByK) b.advance_rows();
    else b.advance_columns();
  }
};

// Runs compute(stage) for every BK numbers of k, in order, while the copies of the next stages are on their way.
template <int BK, int stages, class Factors, class Compute>
__device__ __forceinline__ void walk(Factors& factors, int K, typename Factors::Stage (&ring)[stages], Compute&& compute) {
  const int steps = (K + BK - 1) / BK;
#pragma unroll
  for (int s = 0; s < stages - 1; ++s) {
    if (s < steps) factors.copy_next(ring[s]);
    copy_commit();
  }
  int read = 0, write = stages - 1;
  for (int step = 0; step < steps; ++step) {
    copy_wait<stages - 2>();
    __syncthreads();
    if (step + stages - 1 < steps) factors.copy_next(ring[write]);
    copy_commit();
    compute(ring[read]);
    read = read + 1 == stages ? 0 : read + 1;
    write = write + 1 == stages ? 0 : write + 1;
  }
}

// Blocks of the grid in groups of eight rows of tiles: neighbours in time share both factors in the L2 cache.
struct Place {
  int64_t m, n;
};
template <int BM, int BN>
__device__ __forceinline__ Place place_of_block(int M, int N, int block) {
  constexpr int kGroup = 8;
  const int rows = (M + BM - 1) / BM, columns = (N + BN - 1) / BN;
  const int first = block / (kGroup * columns) * kGroup, within = block % (kGroup * columns);
  const int height = min(kGroup, rows - first);
  return {int64_t(first + within % height) * BM, int64_t(within / height) * BN};
}
template <int BM, int BN>
dim3 grid_of(const device::Gemm& a) { return dim3(ceil_div(a.M, BM) * ceil_div(a.N, BN)); }

// d = alpha sum + bias + addend, one rounding for each. No compiler may contract this in another way in another kernel.
template <class T>
__device__ __forceinline__ float scaled(const Product<T>& p, float sum, int64_t n) {
  return fmaf(p.alpha, sum, p.bias ? to_float(__ldg(p.bias + n)) : 0.0f);  // no store of d changes a bias
}

template <class D, class T>
__device__ __forceinline__ void finish(const Product<T>& p, int64_t m, int64_t n, float sum) {
  if (m >= p.M || n >= p.N) return;
  float value = scaled(p, sum, n);
  if (p.addend) value += to_float(static_cast<const D*>(p.addend)[m * p.ldd + n]);
  static_cast<D*>(p.d)[m * p.ldd + n] = from_float<D>(value);
}
// Of (m, n) and (m, n + 1), n even.
template <class D, class T>
__device__ __forceinline__ void finish_pair(const Product<T>& p, int64_t m, int64_t n, float first, float second) {
  if (!p.wide_output || n + 1 >= p.N) {
    finish<D>(p, m, n, first);
    finish<D>(p, m, n + 1, second);
    return;
  }
  if (m >= p.M) return;
  float x = scaled(p, first, n), y = scaled(p, second, n + 1);
  if (p.addend) {
    const Vec<D, 2> old = load<2>(static_cast<const D*>(p.addend) + m * p.ldd + n);
    x += to_float(old.at[0]), y += to_float(old.at[1]);
  }
  store(static_cast<D*>(p.d) + m * p.ldd + n, Vec<D, 2>{{from_float<D>(x), from_float<D>(y)}});
}

// Two sums of a thread, of elements side by side: their place from the thread's first one.
struct Pair {
  int m, n;
  float first, second;
};
// All pairs of a thread, pair_at(i) with an i that is known after unrolling. `whole`: the block's tile lies inside d, and pairs are
// aligned. Then addends are loaded `ahead` pairs before the stores: they may be what is stored to.
template <class D, int pairs, int ahead, class T, class PairAt>
__device__ __forceinline__ void finish_pairs(const Product<T>& p, int64_t m, int64_t n, bool whole, PairAt&& pair_at) {
  if (!whole) {
#pragma unroll
    for (int i = 0; i < pairs; ++i) {
      const Pair pair = pair_at(i);
      finish_pair<D>(p, m + pair.m, n + pair.n, pair.first, pair.second);
    }
    return;
  }
  static_assert(pairs % ahead == 0);
  const int64_t first = m * p.ldd + n;
  D* const to = static_cast<D*>(p.d) + first;
  const D* const from = static_cast<const D*>(p.addend) + first;
#pragma unroll
  for (int base = 0; base < pairs; base += ahead) {
    Vec<D, 2> old[ahead];
    if (p.addend) {
#pragma unroll
      for (int i = 0; i < ahead; ++i) {
        const Pair pair = pair_at(base + i);
        old[i] = load<2>(from + pair.m * p.ldd + pair.n);
      }
    }
#pragma unroll
    for (int i = 0; i < ahead; ++i) {
      const Pair pair = pair_at(base + i);
      float x = scaled(p, pair.first, n + pair.n), y = scaled(p, pair.second, n + pair.n + 1);
      if (p.addend) x += to_float(old[i].at[0]), y += to_float(old[i].at[1]);
      store(to + pair.m * p.ldd + pair.n, Vec<D, 2>{{from_float<D>(x), from_float<D>(y)}});
    }
  }
}
template <int BM, int BN, class T>
__device__ __forceinline__ bool is_whole(const Product<T>& p, const Place& place) {
  return p.wide_output && place.m + BM <= p.M && place.n + BN <= p.N;
}

// Both factors may be read 16 bytes at a time.
template <class T>
bool aligned(const device::Gemm& a) {
  return a.lda % kVector<T> == 0 && a.ldb % kVector<T> == 0 &&
         reinterpret_cast<uintptr_t>(a.a) % 16 == 0 && reinterpret_cast<uintptr_t>(a.b) % 16 == 0;
}

void gemm_bf16(Context& context, const device::Gemm& a);
void gemm_f32(Context& context, const device::Gemm& a);
// Whether warpgroups computed it: bf16 factors, large products (ops/matmul/gemm_warpgroup.cu).
bool gemm_warpgroup(Context& context, const device::Gemm& a);
// Whether cuBLASLt computed it (ops/matmul/gemm_cublaslt.cu).
bool gemm_cublaslt(Context& context, const device::Gemm& a);

}  // namespace exitrl::cuda
