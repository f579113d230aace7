// Products of a warpgroup (the four warps of a block of 128 threads) on Hopper's tensor cores. wgmma takes its right factor, and if
// wanted its left one, from shared memory by itself, where with mma.sync (cuda/tile.h) every warp loads all of the right factor. On
// the host it is emulated from the same descriptors, when it is waited for. Formats: PTX ISA, "Asynchronous Warpgroup Level Matrix
// Multiply-Accumulate Instructions".
//
// Warp w of the four has rows 16 w to 16 w + 15 of a and d. Within them numbers lie in lanes as in m16n8k16: d[j] are the columns
// 8 j to 8 j + 7, a left factor in registers is a[4] for 16 columns. The order of things:
//   wait for copies, publish_copies(), a barrier        before products read what was copied
//   hold(d), products_begin(), multiply_...             hold only where d is added to; factors in registers are there by then
//   products_commit(), products_wait<0>(), hold(d)      before then neither d nor a left factor may be touched
#pragma once
#include "cuda/tile.h"

namespace exitrl::cuda {

// How a factor lies in shared memory: the numbers of one row side by side, or those of one column. Those that are summed over lie
// side by side in factor_of_rows (a left one by row, a right one by column), else in factor_of_columns.
enum class Left { by_row, by_column };
enum class Right { by_column, by_row };

}  // namespace exitrl::cuda

#ifdef __CUDACC__
#include "cuda/wgmma.h"
#endif

namespace exitrl::cuda {

// wgmma exists for 9.0a only: in code for other cards, and in PTX, kernels that need it are empty, and are not launched
// (Context::warpgroups).
#if !defined(__CUDACC__) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
constexpr bool kWarpgroups = true;
#else
constexpr bool kWarpgroups = false;
#endif

constexpr int kWarpgroup = 4 * kWarp;

// R rows of D numbers as wgmma reads them. Columns 64 p to 64 p + 63 are panel p, rows of 128 bytes; the eight numbers from column
// 8 c of row r lie at place c ^ (r % 8) of its eight ("128-byte swizzle": the hardware flips address bits 4 to 6 by bits 7 to 9, so
// panels begin at multiples of 1024). ldmatrix and stores of fragments find their rows in different banks, too.
template <int R, int D>
struct Panels {
  static_assert(R % 8 == 0 && D % 64 == 0);
  alignas(1024) bf16 at[D / 64][R][64];

  // Eight numbers; column is a multiple of 8.
  __device__ __forceinline__ bf16* piece(int row, int column) { return &at[column / 64][row][((column / 8 ^ row) & 7) * 8]; }
  __device__ __forceinline__ const bf16* piece(int row, int column) const { return &at[column / 64][row][((column / 8 ^ row) & 7) * 8]; }
};

// A matrix descriptor: a factor in shared memory. `leading`: bytes from one panel to the next.
__device__ __forceinline__ uint64_t factor_at(const bf16* first, int leading) {
  constexpr uint64_t kSwizzle128 = uint64_t{1} << 62, kEightRows = uint64_t{1024 >> 4} << 32;
  return kSwizzle128 | kEightRows | uint64_t(uint32_t(leading) >> 4) << 16 | (shared_address(first) & 0x3ffff) >> 4;
}
// What moves a factor by so many bytes, which its address has room for: one is made for a tile, the others differ by constants.
__device__ __forceinline__ uint64_t factor_step(int bytes) { return uint64_t(uint32_t(bytes) >> 4); }
// Columns [k, k + 16) of the rows from `row` on, a multiple of 8, where k is summed over.
template <int R, int D>
__device__ __forceinline__ uint64_t factor_of_rows(const Panels<R, D>& x, int row, int k) {
  return factor_at(&x.at[0][0][0], 16) + factor_step(k / 64 * int(sizeof x.at[0]) + row * 128 + k % 64 * 2);
}
// Rows [k, k + 16), where k is summed over: the columns from `column` on, a multiple of 64.
template <int R, int D>
__device__ __forceinline__ uint64_t factor_of_columns(const Panels<R, D>& x, int k, int column = 0) {
  return factor_at(&x.at[0][0][0], int(sizeof x.at[0])) + factor_step(column / 64 * int(sizeof x.at[0]) + k * 128);
}

#ifndef __CUDACC__

// Makes finished copies of this thread visible to products.
inline void publish_copies() {}
// Orders the use of registers before products and by them.
inline void products_begin() {}
inline void products_commit() { emulate::commit_products(); }
template <int groups_left>
void products_wait() { emulate::wait_products(groups_left); }
// The compiler neither reads nor moves these sums across this line.
template <int N>
void hold(float (&)[N][4]) {}

// d (64, N) = a b, or += where `add`: a (64, 16) in registers.
template <int N, Right right>
void multiply_registers(float (&d)[N / 8][4], const uint32_t (&a)[4], uint64_t b, bool add) {
  emulate::multiply_later(d, N, a, b, right == Right::by_row, add);
}
// The same with a in shared memory.
template <int N, Left left, Right right>
void multiply_shared(float (&d)[N / 8][4], uint64_t a, uint64_t b, bool add) {
  emulate::multiply_later(d, N, a, left == Left::by_column, b, right == Right::by_row, add);
}

#endif

}  // namespace exitrl::cuda
