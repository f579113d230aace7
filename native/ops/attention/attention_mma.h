// Pieces of the bf16 attention kernels: tiles in shared memory and their products on tensor cores. A block has four warps, a
// warp 16 rows of the block's tile; lane l has the rows l / 4 and l / 4 + 8 of them (fragments: cuda/tile.h).
#pragma once
#include <type_traits>

#include "cuda/warpgroup.h"
#include "ops/attention/attention_kernels.h"

namespace exitrl::cuda::attention {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * kWarp;
constexpr int kRows = 16 * kWarps;

// Calls body(width, padded), integral constants: the width itself where it is a common one, else the next that can be padded.
// At 256 the padding kernel serves both.
template <class Body>
void by_head_width(int64_t D, Body&& body) {
  const auto one = [&](auto width, auto padded) { return (padded ? D <= width : D == width) && (body(width, padded), true); };
  constexpr std::false_type exact;
  constexpr std::true_type padded;
  using std::integral_constant;
  one(integral_constant<int, 16>{}, exact) || one(integral_constant<int, 32>{}, exact) || one(integral_constant<int, 64>{}, exact) ||
      one(integral_constant<int, 80>{}, exact) || one(integral_constant<int, 96>{}, exact) || one(integral_constant<int, 128>{}, exact) ||
      one(integral_constant<int, 32>{}, padded) || one(integral_constant<int, 64>{}, padded) ||
      one(integral_constant<int, 128>{}, padded) || one(integral_constant<int, 256>{}, padded);
}

// Eight more numbers in a row put the rows that ldmatrix reads at once into different banks.
template <int R, int D>
struct Tile {
  alignas(16) bf16 at[R][D + 8];
  // Eight numbers; column is a multiple of 8.
  __device__ __forceinline__ bf16* piece(int row, int column) { return &at[row][column]; }
  __device__ __forceinline__ const bf16* piece(int row, int column) const { return &at[row][column]; }
};
// Whose tensor cores multiply: of each warp for itself (mma.sync), or of the block's four warps together (wgmma).
enum class Cores { warp, warpgroup };
template <Cores cores, int R, int D>
using TileOf = std::conditional_t<cores == Cores::warp, Tile<R, D>, Panels<R, D>>;

__device__ __forceinline__ int warp_index() { return int(threadIdx.x / kWarp); }
__device__ __forceinline__ int lane_index() { return int(threadIdx.x % kWarp); }

// Heads that warpgroups multiply: of whole panels, and with registers for all of a row.
template <int D, bool padded>
constexpr bool kForWarpgroup = !padded && (D == 64 || D == 128);

// Lanes to a row when a warp takes it in pieces of 16 bytes: a lane's columns then differ by constants.
template <int D>
constexpr int kAcross = D / 8 & -(D / 8);
// body(row, column) for every piece of `Rows` rows that falls to this lane.
template <int D, int Rows = 16, class Body>
__device__ __forceinline__ void for_each_piece(Body&& body) {
  constexpr int kAcross = attention::kAcross<D>;
  static_assert(kAcross <= kWarp && Rows % (kWarp / kAcross) == 0);
  const int lane = lane_index();
#pragma unroll
  for (int row = 0; row < Rows; row += kWarp / kAcross)
#pragma unroll
    for (int column = 0; column < D; column += 8 * kAcross) body(row + lane / kAcross, column + lane % kAcross * 8);
}

// The same for copies into a tile whose rows begin at `first`, a multiple of 8: body(row, column, place) with what has to be added to
// this lane's first row and column, known after unrolling, so that addresses differ by constants.
template <int D>
__device__ __forceinline__ int own_row() { return lane_index() / kAcross<D>; }
template <int D>
__device__ __forceinline__ int own_column() { return lane_index() % kAcross<D> * 8; }
template <int D, int Rows = 16, int R, class Body>
__device__ __forceinline__ void for_each_place(Tile<R, D>& tile, int first, Body&& body) {
  bf16* const own = &tile.at[first + own_row<D>()][own_column<D>()];
#pragma unroll
  for (int row = 0; row < Rows; row += kWarp / kAcross<D>)
#pragma unroll
    for (int column = 0; column < D; column += 8 * kAcross<D>) body(row, column, own + row * (D + 8) + column);
}
// Rows of a lane in panels differ by multiples of a power of two that its first row lies below: their bits do not mix.
template <int D, int Rows = 16, int R, class Body>
__device__ __forceinline__ void for_each_place(Panels<R, D>& tile, int first, Body&& body) {
  const int own = own_row<D>(), column = own_column<D>();
  bf16* const panel = tile.at[column / 64][first];
  const int place = own * 64 + ((column / 8 ^ own) & 7) * 8;
#pragma unroll
  for (int row = 0; row < Rows; row += kWarp / kAcross<D>) body(row, 0, panel + (place ^ (row & 7) * 8) + row * 64);
}

// Rows [row, row + 16), columns [k, k + 16) as left operand.
template <class AnyTile>
__device__ __forceinline__ void left_of(uint32_t (&a)[4], const AnyTile& x, int row, int k) {
  ldmatrix_x4(a, x.piece(row + lane_index() % 16, k + lane_index() / 16 * 8));
}

// s (16, 8 N) = x (16, D) times the first 8 N rows of y; left(a, k) gives the columns [k, k + 16) of x.
template <int N, int R, int D, class Left>
__device__ __forceinline__ void multiply_rows(float (&s)[N][4], const Tile<R, D>& y, Left&& left) {
  const int lane = lane_index();
  const bf16* const from = &y.at[lane / 16 * 8 + lane % 8][lane / 8 % 2 * 8];
#pragma unroll
  for (int n = 0; n < N; ++n)
#pragma unroll
    for (int j = 0; j < 4; ++j) s[n][j] = 0;
#pragma unroll
  for (int k = 0; k < D; k += 16) {
    uint32_t a[4];
    left(a, k);
#pragma unroll
    for (int n = 0; n < N; n += 2) {
      uint32_t b[4];
      ldmatrix_x4(b, from + 8 * n * (D + 8) + k);
      mma_m16n8k16(s[n], a, b[0], b[1]);
      mma_m16n8k16(s[n + 1], a, b[2], b[3]);
    }
  }
}

// What multiply_rows made, as left operands of the next product.
template <int N>
__device__ __forceinline__ void pack_left(uint32_t (&a)[N / 2][4], const float (&p)[N][4]) {
#pragma unroll
  for (int k = 0; k < N / 2; ++k) {
    a[k][0] = pack_bf16(p[2 * k][0], p[2 * k][1]);
    a[k][1] = pack_bf16(p[2 * k][2], p[2 * k][3]);
    a[k][2] = pack_bf16(p[2 * k + 1][0], p[2 * k + 1][1]);
    a[k][3] = pack_bf16(p[2 * k + 1][2], p[2 * k + 1][3]);
  }
}

// d (16, 8 C) += p (16, 16 S) times the first 16 S rows of y, columns [column, column + 8 C).
template <int C, int S, int R, int D>
__device__ __forceinline__ void multiply_columns(float (*d)[4], const uint32_t (&p)[S][4], const Tile<R, D>& y, int column) {
  const int lane = lane_index();
  const bf16* const from = &y.at[lane % 16][column + lane / 16 * 8];
#pragma unroll
  for (int k = 0; k < S; ++k)
#pragma unroll
    for (int c = 0; c < C; c += 2) {
      uint32_t b[4];
      ldmatrix_x4_transposed(b, from + 16 * k * (D + 8) + 8 * c);
      mma_m16n8k16(d[c], p[k], b[0], b[1]);
      mma_m16n8k16(d[c + 1], p[k], b[2], b[3]);
    }
}

// s (64, 8 N) = the rows whose left operands q holds, times the first 8 N rows of y; for four warps.
template <int N, int R, int D>
__device__ __forceinline__ void multiply_rows(float (&s)[N][4], const Panels<R, D>& y, const uint32_t (&q)[D / 16][4]) {
  products_begin();
#pragma unroll
  for (int k = 0; k < D; k += 16) multiply_registers<8 * N, Right::by_column>(s, q[k / 16], factor_of_rows(y, 0, k), k > 0);
  products_commit();
  products_wait<0>();
  hold(s);
}

// As above, for four warps.
template <int C, int S, int R, int D>
__device__ __forceinline__ void multiply_columns(float (*sums)[4], const uint32_t (&p)[S][4], const Panels<R, D>& y, int) {
  static_assert(D == 8 * C);
  auto& d = reinterpret_cast<float (&)[C][4]>(*sums);
  hold(d);
  products_begin();
#pragma unroll
  for (int k = 0; k < S; ++k) multiply_registers<D, Right::by_row>(d, p[k], factor_of_columns(y, 16 * k), true);
  products_commit();
  products_wait<0>();
  hold(d);
}

// s (64, 8 N) = x times the rows of y, and the same of t, u, v at once; for four warps.
template <int N, int R, int D>
__device__ __forceinline__ void multiply_both(float (&s)[N][4], const Panels<kRows, D>& x, const Panels<R, D>& y, float (&t)[N][4],
                                              const Panels<kRows, D>& u, const Panels<R, D>& v) {
  static_assert(R == 8 * N);
  products_begin();
#pragma unroll
  for (int k = 0; k < D; k += 16)
    multiply_shared<R, Left::by_row, Right::by_column>(s, factor_of_rows(x, 0, k), factor_of_rows(y, 0, k), k > 0);
#pragma unroll
  for (int k = 0; k < D; k += 16)
    multiply_shared<R, Left::by_row, Right::by_column>(t, factor_of_rows(u, 0, k), factor_of_rows(v, 0, k), k > 0);
  products_commit();
  products_wait<0>();
  hold(s);
  hold(t);
}

// A warp's 16 rows, 8 C columns, rounded into rows [row, row + 16) of a tile: they leave it in pieces of 16 bytes.
template <int C, class AnyTile>
__device__ __forceinline__ void put_rows(AnyTile& to, int row, int column, const float (&d)[C][4], float first_scale,
                                         float second_scale) {
  const int lane = lane_index(), g = lane / 4, i = lane % 4;
#pragma unroll
  for (int c = 0; c < C; ++c)
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      // Adding 0 makes -0 of numbers that vanished +0, whatever was added to them later.
      const float scale = e == 0 ? first_scale : second_scale, x = d[c][2 * e] * scale + 0.0f, y = d[c][2 * e + 1] * scale + 0.0f;
      store<2>(to.piece(row + g + 8 * e, column + 8 * c) + 2 * i, Vec<bf16, 2>{from_float<bf16>(x), from_float<bf16>(y)});
    }
}

}  // namespace exitrl::cuda::attention
