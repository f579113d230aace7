// Attention forward on tensor cores as a block's work: one item and one kv head, up to 64 rows (queries times heads of the group), 16
// per warp, against the item's keys in tiles of 64. Each warp copies one page of the tile (16 keys lie together in a page) with
// cp.async while the tile before is computed; up to width 128 keys and values are double-buffered and q stays in registers, at 256
// there is room for one tile of each: values arrive while scores are computed, the next keys while the values are used. Softmax is
// online, in base 2, with the scale folded in.
//
// A row's numbers depend on its query and keys only: P V is added to o alpha, so a tile in which the row sees nothing leaves it as it
// is (alpha = 1, and tensor cores add zeros exactly), whether others see it or not. Heads of 64 and 128 have a kernel for Hopper whose
// products are wgmma's; in it a block, not a warp, leaves out tiles that it sees nothing of.
#pragma once
#include "ops/attention/attention_mma.h"

namespace exitrl::cuda::attention {

using device::AttentionForward;
using device::AttentionItem;
using device::kKeyTile;
using device::kPagePositions;
using device::Order;
static_assert(kRows == device::kQueryTile && kKeyTile == kWarps * kPagePositions);

template <int D>
constexpr bool kDouble = D <= 128;
// Blocks that share a multiprocessor: as many as registers allow without spilling (before 9.0 fewer).
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 900
constexpr bool kFewer = true;
#else
constexpr bool kFewer = false;
#endif
template <int D, bool padded>
constexpr int kBlocks = (D == 128 && !padded) || (D == 64 && (padded || kFewer)) ? 3 : D <= 64 ? 4 : 2;

// Whether a warpgroup's q stays in shared memory and is loaded for every tile. In registers across the loop it shares them with P at width
// 64: ptxas (seen: 13.0, sm_90a) gives the left factors of both products the same ones, and the second tile is multiplied by P.
template <int D, Cores cores>
constexpr bool kQueriesStay = cores == Cores::warpgroup && D == 64;

// Keys, values, then with double buffers the second ones. The third holds q at the beginning, at width 256 for good; where q stays
// it has a fifth.
template <int D, Cores cores>
struct Shared {
  TileOf<cores, kKeyTile, D> at[kDouble<D> ? 4 : 3];
};
// Lowest and highest position of each warp's rows.
struct Bounds {
  int low[kWarps], high[kWarps];
};
template <int D>
struct Shared<D, Cores::warpgroup> {
  TileOf<Cores::warpgroup, kKeyTile, D> at[kQueriesStay<D, Cores::warpgroup> ? 5 : 4];
  Bounds bounds;
};

// A block's work as its place in the grid says: an item, a kv head, and which 64 of the item's rows.
struct GridPlace {
  __device__ int item() const { return int(blockIdx.x); }
  __device__ int head() const { return int(blockIdx.y); }
  __device__ int slice() const { return int(blockIdx.z); }
};

// `padded`: heads are narrower than D, the columns behind them are zeros.
template <int D, bool padded>
struct Block {
  const AttentionForward& a;
  const AttentionItem item;
  const int group = int(unsigned(a.H) / unsigned(a.K)), head, first_row;
  const int rows = min(item.queries * group - first_row, kRows);

  template <class Place>
  __device__ Block(const AttentionForward& arguments, const Place& place)
      : a(arguments), item(arguments.items[place.item()]), head(place.head()), first_row(place.slice() * kRows) {}
  __device__ int width() const { return padded ? int(a.D) : D; }
  __device__ int token(int row) const { return a.rows[item.query + (first_row + row) / group]; }
  __device__ int query_head(int row) const { return head * group + (first_row + row) % group; }
  // The page this warp copies for the tile that begins at `first`.
  __device__ int page_at(int first) const {
    const int key = first + kPagePositions * warp_index();
    return key < item.key_end ? a.pages[item.table + unsigned(key) / kPagePositions] : 0;
  }
  template <class AnyTile>
  __device__ void copy_queries(AnyTile& to) const {
    const bf16* const q = static_cast<const bf16*>(a.q);
    for_each_piece<D>([&](int r, int column) {
      const int row = 16 * warp_index() + r;
      const bool valid = row < rows && column < width();
      copy_async16(to.piece(row, column), valid ? q + token(row) * a.q_stride + query_head(row) * width() + column : q, valid);
    });
  }
  // This warp's page of keys or values. Slots at or behind key_end are not read: they become zeros.
  template <class AnyTile>
  __device__ void copy_page(AnyTile& to, const void* pages, int page, int first) const {
    const int warp = warp_index(), keys = item.key_end - (first + kPagePositions * warp);
    const int own = own_row<D>(), own_at = own_column<D>();
    const bf16* const from = static_cast<const bf16*>(pages) + page * a.page_stride + (head * kPagePositions + own) * width() + own_at;
    const auto copy = [&]<bool all>() {
      for_each_place<D>(to, kPagePositions * warp, [&](int row, int column, bf16* place) {
        copy_async16(place, from + row * width() + column, all || (own + row < keys && own_at + column < width()));
      });
    };
    if (!padded && keys >= kPagePositions) copy.template operator()<true>();
    else copy.template operator()<false>();
  }
};

// Scores of this lane's two rows with the keys from `first` on that they do not see, before `end` and within the window: -inf.
template <int N>
__device__ __forceinline__ void hide_unseen(float (&s)[N][4], int first, const int (&position)[2], int end, int window) {
  int last[2], below[2];  // the rows see (below, last]
#pragma unroll
  for (int e = 0; e < 2; ++e) {
    last[e] = min(position[e], end - 1);
    below[e] = window > 0 ? position[e] - window : -1;
  }
#pragma unroll
  for (int n = 0; n < N; ++n)
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int key = first + 8 * n + 2 * (lane_index() % 4) + j % 2;
      if (key > last[j / 2] || key <= below[j / 2]) s[n][j] = -INFINITY;
    }
}

// Scores become exponentials below the largest score so far, m, and are added to `sum`; what came before is worth alpha times as much.
template <int N>
__device__ __forceinline__ void softmax_step(float (&s)[N][4], float scale, float (&m)[2], float (&sum)[2], float (&alpha)[2]) {
#pragma unroll
  for (int e = 0; e < 2; ++e) {
    float best = m[e];
#pragma unroll
    for (int n = 0; n < N; ++n) best = fmaxf(best, fmaxf(s[n][2 * e], s[n][2 * e + 1]));
    best = fmaxf(best, __shfl_xor_sync(0xffffffffu, best, 1));
    best = fmaxf(best, __shfl_xor_sync(0xffffffffu, best, 2));
    const float reference = best == -INFINITY ? 0.0f : best, shift = reference * scale;
    alpha[e] = exp2_fast((m[e] - reference) * scale);  // 1 if the maximum stays
    m[e] = best;
    float part = 0;
#pragma unroll
    for (int n = 0; n < N; ++n)
#pragma unroll
      for (int j = 2 * e; j < 2 * e + 2; ++j) part += s[n][j] = exp2_fast(fmaf(s[n][j], scale, -shift));
    sum[e] = fmaf(sum[e], alpha[e], part);
  }
}

template <int D, bool padded, Cores cores, class Place>
__device__ __forceinline__ void forward(const AttentionForward& a, const Place& place) {
  constexpr bool together = cores == Cores::warpgroup;
  static_assert(!together || (kDouble<D> && D % 64 == 0 && !padded));
  const Block<D, padded> block(a, place);
  if (block.rows <= 0) return;
  auto& memory = shared<Shared<D, cores>>();
  auto& tiles = memory.at;
  constexpr bool stay = kQueriesStay<D, cores>;
  auto& queries = tiles[stay ? 4 : 2];
  const int warp = warp_index(), lane = lane_index(), window = int(a.window);

  // Positions of this lane's two rows, and the lowest and highest among the warp's.
  const bool active = 16 * warp < block.rows;
  int position[2], low = 0x7fffffff, high = -1;
#pragma unroll
  for (int e = 0; e < 2; ++e) {
    position[e] = a.positions[block.token(min(16 * warp + lane / 4 + 8 * e, block.rows - 1))];
    low = min(low, position[e]);
    high = max(high, position[e]);
  }
#pragma unroll
  for (int offset = 4; offset < kWarp; offset *= 2) {
    low = min(low, __shfl_xor_sync(0xffffffffu, low, offset));
    high = max(high, __shfl_xor_sync(0xffffffffu, high, offset));
  }

  // Those of the rows that multiply together.
  int lowest = low, highest = high;
  if constexpr (together)
    if (lane == 0) memory.bounds.low[warp] = low, memory.bounds.high[warp] = high;

  const float scale = a.scale * kLog2E;
  float o[D / 8][4] = {}, m[2] = {-INFINITY, -INFINITY}, sum[2] = {0, 0};
  uint32_t q[kDouble<D> ? D / 16 : 1][4];
  int page = block.page_at(block.item.key_begin);
  block.copy_queries(queries);
  block.copy_page(tiles[0], a.keys, page, block.item.key_begin);
  if constexpr (kDouble<D>) block.copy_page(tiles[1], a.values, page, block.item.key_begin);
  copy_commit();
  const auto load_queries = [&] {
#pragma unroll
    for (int k = 0; k < D / 16; ++k) left_of(q[k], queries, 16 * warp, 16 * k);
  };
  if constexpr (kDouble<D>) {
    copy_wait<0>();
    __syncthreads();
    if constexpr (!stay) load_queries();
  }
  if constexpr (together) {
#pragma unroll
    for (int w = 0; w < kWarps; ++w) {
      lowest = min(lowest, memory.bounds.low[w]);
      highest = max(highest, memory.bounds.high[w]);
    }
  }

  int stage = 0;
  for (int first = block.item.key_begin; first < block.item.key_end; first += kKeyTile) {
    const int next = first + kKeyTile;
    const int next_page = block.page_at(next);
    copy_wait<0>();
    if constexpr (together) publish_copies();
    __syncthreads();
    auto &keys = tiles[2 * stage], &values = tiles[2 * stage + 1];
    if constexpr (kDouble<D>) {
      stage ^= 1;
      if (next < block.item.key_end) {
        block.copy_page(tiles[2 * stage], a.keys, next_page, next);
        block.copy_page(tiles[2 * stage + 1], a.values, next_page, next);
      }
    } else {
      block.copy_page(values, a.values, page, first);
      page = next_page;
    }
    copy_commit();

    float s[kKeyTile / 8][4];
    const bool visible = (together || active) && first <= highest && (window == 0 || next - 1 > lowest - window);
    if constexpr (together) {
      if (visible) {
        if constexpr (stay) load_queries();
        multiply_rows(s, keys, q);
      }
    } else if (visible) {
      multiply_rows(s, keys, [&](uint32_t(&left)[4], int k) {
        if constexpr (kDouble<D>) {
#pragma unroll
          for (int j = 0; j < 4; ++j) left[j] = q[k / 16][j];
        } else {
          left_of(left, queries, 16 * warp, k);
        }
      });
    }
    if constexpr (!kDouble<D>) {
      copy_wait<0>();
      __syncthreads();
      if (next < block.item.key_end) block.copy_page(keys, a.keys, next_page, next);
      copy_commit();
    }
    if (!visible) continue;

    if (next > block.item.key_end || next - 1 > low || (window > 0 && first <= high - window))
      hide_unseen(s, first, position, block.item.key_end, window);
    float alpha[2];
    softmax_step(s, scale, m, sum, alpha);
    uint32_t p[kKeyTile / 16][4];
    pack_left(p, s);
    constexpr int kAtOnce = together ? D / 8 : D == 128 ? 8 : D % 32 == 0 && !(D == 256 && kFewer) ? 4 : 2;
#pragma unroll
    for (int c = 0; c < D / 8; c += kAtOnce) {
      if constexpr (!together && D >= 128) __syncwarp();  // else the compiler moves loads of values up until registers spill
#pragma unroll
      for (int n = 0; n < kAtOnce; ++n)
#pragma unroll
        for (int j = 0; j < 4; ++j) o[c + n][j] *= alpha[j / 2];
      multiply_columns<kAtOnce>(&o[c], p, values, 8 * c);
    }
  }
  copy_wait<0>();
  __syncthreads();
  if (!active) return;

  const Block<D, padded> self(a, place);  // read again, so that registers are free above
  const int partial = self.item.partial;
  float inverse[2];
#pragma unroll
  for (int e = 0; e < 2; ++e) {
    sum[e] += __shfl_xor_sync(0xffffffffu, sum[e], 1);
    sum[e] += __shfl_xor_sync(0xffffffffu, sum[e], 2);
    inverse[e] = sum[e] > 0 ? 1.0f / sum[e] : sum[e];  // NaN stays
    const int row = 16 * warp + lane / 4 + 8 * e;
    if (row >= self.rows || lane % 4 != 0) continue;
    const float lse = sum[e] == 0 ? -INFINITY : m[e] * a.scale + logf(sum[e]);
    if (partial >= 0) a.partial_lse[(partial + (self.first_row + row) / self.group) * a.H + self.query_head(row)] = lse;
    else if (a.lse) a.lse[self.token(row) * a.H + self.query_head(row)] = lse;
  }
  if (partial >= 0) {
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      const int row = 16 * warp + lane / 4 + 8 * e;
      if (row >= self.rows) continue;
      float* const to = a.partial_o + ((partial + (self.first_row + row) / self.group) * a.H + self.query_head(row)) * self.width();
#pragma unroll
      for (int c = 0; c < D / 8; ++c)
        if (8 * c < self.width()) {
          const Vec<float, 2> pair{o[c][2 * e] * inverse[e], o[c][2 * e + 1] * inverse[e]};
          store<2>(to + 8 * c + 2 * (lane % 4), pair);
        }
    }
    return;
  }
  put_rows(tiles[0], 16 * warp, 0, o, inverse[0], inverse[1]);
  __syncwarp();
  for_each_piece<D>([&](int r, int column) {
    const int row = 16 * warp + r;
    if (row >= self.rows || column >= self.width()) return;
    bf16* const to = static_cast<bf16*>(a.o) + (int64_t(self.token(row)) * a.H + self.query_head(row)) * self.width();
    store<8>(to + column, load<8>(tiles[0].piece(row, column)));
  });
}

}  // namespace exitrl::cuda::attention
