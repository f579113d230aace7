// Attention backward on tensor cores, without atomics: one kernel, run twice.
//
//   own X0, X1        other Y0, Y1     S = X0 Y0^T,  P = exp(scale S - lse),  dP = X1 Y1^T,  dS = P (dP - delta)
//   queries: q, dO    k, v             dq = scale dS Y0                      a block: a query item and one head
//   keys:    k, v     q, dO            dk = scale dS Y0,  dv = P Y1          a block: a key item and one kv head
//
// A block keeps its tile of at most 64 own rows in shared memory (16 per warp) and lets the rows they meet pass in pieces of N,
// double-buffered with cp.async up to width 128; keys pass by the queries of every head of their group. S and dP stay in
// registers and become left operands there. A warp leaves out pieces of which its rows see nothing. dk and dv of width 256 do
// not fit the registers: two blocks have half of their columns each. With Cores::warpgroup, for heads of 64 and 128 on Hopper, wgmma reads
// the tiles, and a block leaves out what none of its rows sees.
#include <type_traits>

#include "ops/attention/attention_mma.h"

namespace exitrl::cuda::attention {
namespace {

using device::AttentionBackward;
using device::AttentionBackwardItem;
static_assert(kRows == device::kKeyTile);

enum class Of { queries, keys };

template <Of of, int D, Cores cores = Cores::warp>
struct Shape {
  static constexpr bool kKeys = of == Of::keys;
  // Rows that pass at once.
  static constexpr int kOther = cores == Cores::warpgroup || D <= (kKeys ? 32 : 64) ? 64 : kKeys && D > 128 ? 16 : 32;
  static constexpr int kStages = D <= 128 ? 2 : 1;
  static constexpr int kColumns = kKeys && D > 128 ? 128 : D;    // of the gradients, in one block
};

// Blocks that share a multiprocessor: as many as registers, or with wgmma shared memory, allow without spilling.
template <Of of, int D>
constexpr int kWarpgroupBlocks = D == 64 && of == Of::queries ? 3 : 2;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 900
constexpr int kOfNarrowKeys = 3;
#else
constexpr int kOfNarrowKeys = 4;
#endif
template <Of of, int D, bool padded>
constexpr int kBlocks = of == Of::queries ? (D <= 32 ? 4 : D == 64 || D == 128 ? 3 : 2)
                                          : (D <= 16 ? kOfNarrowKeys : D < 64 || (D == 64 && !padded) ? 3 : 2);

template <Of of, int D, Cores cores>
struct Columns {};
template <int D, Cores cores>
struct Columns<Of::keys, D, cores> {
  using S = Shape<Of::keys, D, cores>;
  float lse[S::kStages][S::kOther], delta[S::kStages][S::kOther];
};
template <Of of, int D, Cores cores>
struct Shared {
  TileOf<cores, kRows, D> own[2];
  TileOf<cores, Shape<of, D, cores>::kOther, D> other[Shape<of, D, cores>::kStages][2];
  [[no_unique_address]] Columns<of, D, cores> columns;
};

// A matrix in global memory: heads of `width` numbers, rows `stride` apart.
struct Source {
  const bf16* data;
  int64_t stride;
};

// R rows from `row` on, each warp a part of them; those behind `count` become zeros.
template <int R, int D, bool padded, class AnyTile>
__device__ __forceinline__ void copy_rows(AnyTile& to, const Source& from, int64_t row, int count, int64_t width) {
  constexpr int kPart = R / kWarps > kWarp / kAcross<D> ? R / kWarps : kWarp / kAcross<D>;
  const int base = kPart * warp_index();
  if (kPart * kWarps > R && base >= R) return;
  const int own = base + own_row<D>(), own_at = own_column<D>();
  const bf16* const rows = from.data + (row + own) * from.stride + own_at;
  for_each_place<D, kPart>(to, base, [&](int r, int column, bf16* place) {
    copy_async16(place, rows + r * from.stride + column, own + r < count && (!padded || own_at + column < width));
  });
}

template <Of of, int D, bool padded, Cores cores>
__device__ __forceinline__ void backward(const AttentionBackward& a) {
  using S = Shape<of, D, cores>;
  constexpr int N = S::kOther, kStages = S::kStages, kColumns = S::kColumns;
  constexpr bool together = cores == Cores::warpgroup;
  static_assert(!together || (kStages == 2 && kColumns == D && !padded));
  const AttentionBackwardItem item = (of == Of::queries ? a.query_items : a.key_items)[blockIdx.x];
  const int group = int(unsigned(a.H) / unsigned(a.K)), window = int(a.window), width = padded ? int(a.D) : D;
  const int64_t stride = (a.H + 2 * a.K) * width;
  const int kv = of == Of::queries ? int(blockIdx.y) / group : int(blockIdx.y);
  const int first_head = of == Of::queries ? int(blockIdx.y) : kv * group;
  auto& s = shared<Shared<of, D, cores>>();
  const int warp = warp_index(), lane = lane_index(), tile_rows = item.tile.rows;
  if (tile_rows <= 0) return;

  const bf16 *const qkv = static_cast<const bf16*>(a.qkv), *const d_o = static_cast<const bf16*>(a.d_o);
  const auto queries = [&](int head) { return Source{qkv + head * width, stride}; };
  const auto d_outputs = [&](int head) { return Source{d_o + head * width, a.H * width}; };
  const Source keys{qkv + (a.H + kv) * width, stride}, values{qkv + (a.H + a.K + kv) * width, stride};

  // Of the piece that comes next.
  const auto fetch = [&](const Walk<N>& at, int stage) {
    if constexpr (of == Of::queries) {
      copy_rows<N, D, padded>(s.other[stage][0], keys, at.row(), at.count(), width);
      copy_rows<N, D, padded>(s.other[stage][1], values, at.row(), at.count(), width);
    } else {
      const int head = first_head + at.head;
      copy_rows<N, D, padded>(s.other[stage][0], queries(head), at.row(), at.count(), width);
      copy_rows<N, D, padded>(s.other[stage][1], d_outputs(head), at.row(), at.count(), width);
      // Zeros for rows that are not there: with q = dO = 0 their P adds nothing.
      if (const int n = int(threadIdx.x % N); threadIdx.x < 2 * N) {
        const bool valid = n < at.count();
        const float* const from = threadIdx.x < N ? a.lse : a.delta;
        float* const to = threadIdx.x < N ? &s.columns.lse[stage][n] : &s.columns.delta[stage][n];
        copy_async4(to, valid ? from + int64_t(at.row() + n) * a.H + head : from, valid);
      }
    }
    copy_commit();
  };

  Walk<N> ahead(a, item, of == Of::queries ? 1 : group);
  Walk<N> now = ahead;
  copy_rows<kRows, D, padded>(s.own[0], of == Of::queries ? queries(first_head) : keys, item.tile.row, tile_rows, width);
  copy_rows<kRows, D, padded>(s.own[1], of == Of::queries ? d_outputs(first_head) : values, item.tile.row, tile_rows, width);
  if (!ahead.done()) fetch(ahead, 0);
  else copy_commit();

  float own_lse[2], own_delta[2];
  if constexpr (of == Of::queries) {
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      const int64_t at = int64_t(item.tile.row + min(16 * warp + lane / 4 + 8 * e, tile_rows - 1)) * a.H + first_head;
      own_lse[e] = a.lse[at] * kLog2E;
      own_delta[e] = a.delta[at];
    }
  }
  const float scale = a.scale * kLog2E;
  const int first_column = of == Of::keys ? int(blockIdx.z) * kColumns : 0;
  // Positions of the warp's rows.
  const int low = item.tile.position + 16 * warp, high = item.tile.position + min(16 * warp + 16, tile_rows) - 1;
  // Those of the rows that multiply together.
  const int lowest = together ? item.tile.position : low, highest = together ? item.tile.position + tile_rows - 1 : high;
  float d0[kColumns / 8][4] = {}, d1[of == Of::keys ? kColumns / 8 : 1][4] = {};

  for (int stage = 0; !now.done(); now.next()) {
    copy_wait<0>();
    if constexpr (together) publish_copies();
    __syncthreads();
    auto &y0 = s.other[stage][0], &y1 = s.other[stage][1];
    const int current = stage;
    ahead.next();
    if constexpr (kStages == 2) {
      stage ^= 1;
      if (!ahead.done()) fetch(ahead, stage);
    }
    const int first = now.position(), last = first + now.count() - 1;
    const bool visible =
        highest >= lowest && (of == Of::queries ? first <= highest && (window == 0 || last > lowest - window)
                                                : last >= lowest && (window == 0 || highest > first - window));
    if (visible) {
      float p[N / 8][4], ds[N / 8][4];
      if constexpr (together) {
        multiply_both(p, s.own[0], y0, ds, s.own[1], y1);
      } else {
        multiply_rows(p, y0, [&](uint32_t(&left)[4], int k) { left_of(left, s.own[0], 16 * warp, k); });
        multiply_rows(ds, y1, [&](uint32_t(&left)[4], int k) { left_of(left, s.own[1], 16 * warp, k); });
      }
      const bool masked = of == Of::queries ? last > low || now.count() < N || (window > 0 && first <= high - window)
                                            : first < high || (window > 0 && low <= last - window);
#pragma unroll
      for (int n = 0; n < N / 8; ++n)
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          const int column = 8 * n + 2 * (lane % 4) + j % 2;
          float lse, delta;
          if constexpr (of == Of::queries) lse = own_lse[j / 2], delta = own_delta[j / 2];
          else lse = s.columns.lse[current][column] * kLog2E, delta = s.columns.delta[current][column];
          float x = exp2_fast(fmaf(p[n][j], scale, -lse));
          if (masked) {
            const int own = low + lane / 4 + 8 * (j / 2), other = first + column;
            const int query = of == Of::queries ? own : other, key = of == Of::queries ? other : own;
            if (key > query || (window > 0 && key <= query - window) || (of == Of::queries && other > last)) x = 0;
          }
          p[n][j] = x;
          ds[n][j] = x * (ds[n][j] - delta);
        }
      uint32_t left[N / 16][4];
      pack_left(left, ds);
      if constexpr (together) {
        uint32_t left1[N / 16][4];
        hold(d0);
        if constexpr (of == Of::keys) {
          pack_left(left1, p);
          hold(d1);
        }
        products_begin();
#pragma unroll
        for (int k = 0; k < N / 16; ++k) {
          multiply_registers<D, Right::by_row>(d0, left[k], factor_of_columns(y0, 16 * k), true);
          if constexpr (of == Of::keys) multiply_registers<D, Right::by_row>(d1, left1[k], factor_of_columns(y1, 16 * k), true);
        }
        products_commit();
        products_wait<0>();
        hold(d0);
        if constexpr (of == Of::keys) hold(d1);
      } else {
        multiply_columns<kColumns / 8>(d0, left, y0, first_column);
        if constexpr (of == Of::keys) {
          pack_left(left, p);
          multiply_columns<kColumns / 8>(d1, left, y1, first_column);
        }
      }
    }
    if constexpr (kStages == 1) {
      __syncthreads();
      if (!ahead.done()) fetch(ahead, 0);
    }
  }
  copy_wait<0>();
  __syncthreads();

  // Each warp writes over its own rows in shared memory, and from there to its columns of dqkv.
  bf16* const out = static_cast<bf16*>(a.dqkv);
  const auto write = [&](TileOf<cores, kRows, D>& tile, int64_t head) {
    for_each_piece<kColumns>([&](int r, int column) {
      const int row = 16 * warp + r;
      column += first_column;
      if (row >= tile_rows || column >= width) return;
      store<8>(out + (item.tile.row + row) * stride + head * width + column, load<8>(tile.piece(row, column)));
    });
  };
  put_rows(s.own[0], 16 * warp, first_column, d0, a.scale, a.scale);
  if constexpr (of == Of::keys) put_rows(s.own[1], 16 * warp, first_column, d1, 1, 1);
  __syncwarp();
  write(s.own[0], of == Of::queries ? first_head : a.H + kv);
  if constexpr (of == Of::keys) write(s.own[1], a.H + a.K + kv);
}

template <Of of, int D, bool padded>
__global__ void __launch_bounds__(kThreads, (kBlocks<of, D, padded>)) backward_kernel(const AttentionBackward a) {
  backward<of, D, padded, Cores::warp>(a);
}
template <Of of, int D>
__global__ void __launch_bounds__(kThreads, (kWarpgroupBlocks<of, D>)) backward_warpgroup_kernel(const AttentionBackward a) {
  if constexpr (kWarpgroups) backward<of, D, false, Cores::warpgroup>(a);
}

template <Of of, int D, bool padded>
void run(Context& context, const AttentionBackward& a, dim3 grid) {
  constexpr bool kQueries = of == Of::queries;
  if constexpr (kForWarpgroup<D, padded>)
    if (context.warpgroups)
      return launch(context, kQueries ? "attention_backward_queries_warpgroup" : "attention_backward_keys_warpgroup",
                    backward_warpgroup_kernel<of, D>, grid, kThreads, sizeof(Shared<of, D, Cores::warpgroup>), a);
  using Memory = Shared<of, D, Cores::warp>;
  static_assert(sizeof(Memory) <= 99 << 10, "the shared memory of a block on compute capability 8.9");
  launch(context, kQueries ? "attention_backward_queries" : "attention_backward_keys", backward_kernel<of, D, padded>, grid, kThreads,
         sizeof(Memory), a);
}

}  // namespace

void backward_bf16(Context& context, const AttentionBackward& a) {
  by_head_width(a.D, [&](auto width, auto padded) {
    run<Of::queries, width(), padded()>(context, a, dim3(a.query_item_count, a.H));
    run<Of::keys, width(), padded()>(context, a, dim3(a.key_item_count, a.K, width() / Shape<Of::keys, width()>::kColumns));
  });
}

}  // namespace exitrl::cuda::attention
