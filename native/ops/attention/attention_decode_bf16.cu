// Attention of decoding steps in bf16, for Order::any. A large item (the beginning that a group shares) and one kv head are a block's
// work, as anywhere else. A small one and one kv head are a warp's, so that a block works for four heads: 16 rows against pages of 16
// keys, copied with cp.async one page ahead; warps do not wait for each other, and four times as many pieces of work are on their way
// at once. Without that, steps of short sequences take as long as the chain of loads before a block's first product, times the
// number of times the multiprocessors are filled with blocks.
//
// Blocks stay and take one piece after the other: how many there are is known on the device only (a recorded step serves many plans).
#include <algorithm>

#include "cuda/ops.h"
#include "ops/attention/attention_forward_mma.h"

namespace exitrl::cuda::attention {
namespace {

using device::kFewRows;

struct ChosenPlace {
  const int* piece;
  int heads;
  __device__ int item() const { return *piece / heads; }
  __device__ int head() const { return *piece % heads; }
  __device__ int slice() const { return 0; }
};

// A warp's pages of keys and values; they take the place of a block's tiles.
template <int D>
struct Pages {
  Tile<kPagePositions, D> keys[2], values[2];
};
template <int D>
struct WarpPages {
  Pages<D> of[kWarps];
};
template <int D>
struct DecodeShared {
  Shared<D, Cores::warp> tiles;
  int piece[kThreads];
};

template <int D, bool padded>
struct SmallItem {
  const AttentionForward& a;
  const AttentionItem item;
  const int head, group, rows, width;

  __device__ SmallItem(const AttentionForward& arguments, int index, int kv_head)
      : a(arguments), item(arguments.items[index]), head(kv_head), group(int(unsigned(a.H) / unsigned(a.K))),
        rows(min(item.queries * group, kFewRows)), width(padded ? int(a.D) : D) {}

  __device__ int token(int row) const { return a.rows[item.query + row / group]; }
  __device__ int query_head(int row) const { return head * group + row % group; }
  __device__ int page_at(int first, int end) const { return first < end ? a.pages[item.table + first / kPagePositions] : 0; }
  // Slots at or behind `end` become zeros.
  __device__ void copy(Tile<kPagePositions, D>& to, const void* pages, int page, int first, int end) const {
    const int own = own_row<D>(), own_at = own_column<D>();
    const bf16* const from = static_cast<const bf16*>(pages) + page * a.page_stride + (head * kPagePositions + own) * width + own_at;
    for_each_place<D>(to, 0, [&](int row, int column, bf16* place) {
      copy_async16(place, from + row * width + column, own + row < end - first && (!padded || own_at + column < width));
    });
  }
};

template <int D, bool padded>
__device__ __forceinline__ void small_item(const AttentionForward& a, int index, int head) {
  if (head >= a.K) return;
  const SmallItem<D, padded> work(a, index, head);
  if (work.rows <= 0) return;
  Pages<D>& pages = shared<WarpPages<D>>().of[warp_index()];
  const int g = lane_index() / 4, i = lane_index() % 4, window = int(a.window);

  // This lane's rows: g and g + 8.
  int token[2], query_head[2], position[2], low = 0x7fffffff, high = -1;
  bool exists[2];
#pragma unroll
  for (int e = 0; e < 2; ++e) {
    exists[e] = g + 8 * e < work.rows;
    const int row = min(g + 8 * e, work.rows - 1);
    token[e] = work.token(row);
    query_head[e] = work.query_head(row);
    position[e] = a.positions[token[e]];
    low = min(low, position[e]);
    high = max(high, position[e]);
  }
#pragma unroll
  for (int offset = 4; offset < kWarp; offset *= 2) {
    low = min(low, __shfl_xor_sync(0xffffffffu, low, offset));
    high = max(high, __shfl_xor_sync(0xffffffffu, high, offset));
  }
  const int end = min(work.item.key_end, high + 1);
  int first = work.item.key_begin;
  if (window > 0) first = max(first, (low - window + 1) / kPagePositions * kPagePositions);

  int page = work.page_at(first, end);
  if (first < end) {
    work.copy(pages.keys[0], a.keys, page, first, end);
    work.copy(pages.values[0], a.values, page, first, end);
  }
  copy_commit();
  page = work.page_at(first + kPagePositions, end);

  uint32_t q[D / 16][4];
#pragma unroll
  for (int k = 0; k < D / 16; ++k)
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int e = j % 2, column = 16 * k + j / 2 * 8 + 2 * i;
      const bf16* const from = static_cast<const bf16*>(a.q) + token[e] * a.q_stride + query_head[e] * work.width + column;
      q[k][j] = exists[e] && (!padded || column < work.width) ? *reinterpret_cast<const uint32_t*>(from) : 0u;
    }

  const float scale = a.scale * kLog2E;
  float o[D / 8][4] = {}, m[2] = {-INFINITY, -INFINITY}, sum[2] = {0, 0};
  for (int stage = 0; first < end; first += kPagePositions, stage ^= 1) {
    const int next = first + kPagePositions;
    if (next < end) {
      work.copy(pages.keys[stage ^ 1], a.keys, page, next, end);
      work.copy(pages.values[stage ^ 1], a.values, page, next, end);
    }
    copy_commit();
    page = work.page_at(next + kPagePositions, end);
    copy_wait<1>();
    __syncwarp();

    float s[kPagePositions / 8][4];
    multiply_rows(s, pages.keys[stage], [&](uint32_t(&left)[4], int k) {
#pragma unroll
      for (int j = 0; j < 4; ++j) left[j] = q[k / 16][j];
    });
    if (next > end || next - 1 > low || (window > 0 && first <= high - window)) hide_unseen(s, first, position, end, window);
    float alpha[2];
    softmax_step(s, scale, m, sum, alpha);
    uint32_t p[1][4];
    pack_left(p, s);
    constexpr int kAtOnce = D == 128 ? 8 : D / 8;
#pragma unroll
    for (int c = 0; c < D / 8; c += kAtOnce) {
      if constexpr (kAtOnce < D / 8) __syncwarp();  // else the compiler moves loads of values up until registers spill
#pragma unroll
      for (int n = 0; n < kAtOnce; ++n)
#pragma unroll
        for (int j = 0; j < 4; ++j) o[c + n][j] *= alpha[j / 2];
      multiply_columns<kAtOnce>(&o[c], p, pages.values[stage], 8 * c);
    }
    __syncwarp();  // this stage is copied into again
  }
  copy_wait<0>();

#pragma unroll
  for (int e = 0; e < 2; ++e) {
    sum[e] += __shfl_xor_sync(0xffffffffu, sum[e], 1);
    sum[e] += __shfl_xor_sync(0xffffffffu, sum[e], 2);
    if (!exists[e]) continue;
    const float inverse = sum[e] > 0 ? 1.0f / sum[e] : sum[e];  // NaN stays
    const float lse = sum[e] == 0 ? -INFINITY : m[e] * a.scale + logf(sum[e]);
    const int partial = work.item.partial;
    const int64_t at = int64_t(partial >= 0 ? partial + (g + 8 * e) / work.group : token[e]) * a.H + query_head[e];
    if (i == 0 && (partial >= 0 || a.lse)) (partial >= 0 ? a.partial_lse : a.lse)[at] = lse;
#pragma unroll
    for (int c = 0; c < D / 8; ++c) {
      const int column = 8 * c + 2 * i;
      if (padded && column >= work.width) continue;
      const float x = o[c][2 * e] * inverse + 0.0f, y = o[c][2 * e + 1] * inverse + 0.0f;
      if (partial >= 0) store<2>(a.partial_o + at * work.width + column, Vec<float, 2>{x, y});
      else store<2>(static_cast<bf16*>(a.o) + at * work.width + column, Vec<bf16, 2>{from_float<bf16>(x), from_float<bf16>(y)});
    }
  }
}

// Blocks that share a multiprocessor.
template <int D, bool padded>
constexpr int kStaying = D == 64 ? 3 : kBlocks<D, padded>;

template <int D, bool padded>
__global__ void __launch_bounds__(kThreads, kStaying<D, padded>) decode_kernel(const AttentionForward a) {
  // A thread's piece lies in shared memory while its block works on it, and not in a register.
  const auto mine = []() -> int& { return shared<DecodeShared<D>>().piece[thread_again()]; };
  for (mine() = block_again(); mine() < a.counts[0] * int(a.K); mine() += int(gridDim.x)) {
    forward<D, padded, Cores::warp>(a, ChosenPlace{&mine(), int(a.K)});
    __syncthreads();  // its memory is used again
  }
  int piece = mine();
  const int quads = (int(a.K) + kWarps - 1) / kWarps;
  for (piece -= a.counts[0] * int(a.K); piece < a.counts[1] * quads; piece += int(gridDim.x))
    small_item<D, padded>(a, a.counts[0] + piece / quads, piece % quads * kWarps + warp_index());
}

}  // namespace

bool decode_bf16(Context& context, const AttentionForward& a) {
  if (!a.few_queries || !a.counts || a.order != Order::any || a.H / a.K > kRows) return false;
  bool done = false;
  by_head_width(a.D, [&](auto width, auto padded) {
    constexpr int D = width();
    if constexpr (kDouble<D>) {
      static_assert(sizeof(WarpPages<D>) <= sizeof(Shared<D, Cores::warp>) && sizeof(DecodeShared<D>) <= 99 << 10);
      const int64_t grid = std::min<int64_t>(a.item_count * a.K, int64_t(kStaying<D, padded()>) * context.multiprocessors);
      launch(context, "attention_decode", decode_kernel<D, padded()>, dim3(unsigned(grid)), kThreads, sizeof(DecodeShared<D>), a);
      done = true;
    }
  });
  return done;
}

}  // namespace exitrl::cuda::attention
