// Attention backward in fp32 without tensor cores: the two passes of the bf16 kernel. A block takes 16 own rows of an item,
// eight threads to a row; the rows they meet pass 16 at a time. A thread has every eighth column of the gradients.
#include <type_traits>

#include "ops/attention/attention_kernels.h"

namespace exitrl::cuda::attention {
namespace {

using device::AttentionBackward;
using device::AttentionBackwardItem;

enum class Of { queries, keys };

constexpr int kRows = 16, kAcross = 8, kThreads = kRows * kAcross;

template <int D>
struct Shared {
  float own[2][kRows][D + 1], other[2][kRows][D + 1];
  float p[kRows][kRows + 1], ds[kRows][kRows + 1];  // (own, other)
};

struct Source {
  const float* data;
  int64_t stride;
};

template <int D>
__device__ void load_rows(float (&to)[kRows][D + 1], const Source& from, int64_t row, int count, int width) {
  for (int i = int(threadIdx.x); i < kRows * D; i += kThreads) {
    const int r = i / D, d = i % D;
    to[r][d] = r < count && d < width ? from.data[(row + r) * from.stride + d] : 0.0f;
  }
}

template <Of of, int D>
__global__ void __launch_bounds__(kThreads) backward_kernel(const AttentionBackward a) {
  const AttentionBackwardItem item = (of == Of::queries ? a.query_items : a.key_items)[blockIdx.x];
  const int first = int(blockIdx.z) * kRows, rows = min(item.tile.rows - first, kRows);
  if (rows <= 0) return;
  const int group = int(a.H / a.K), width = int(a.D), window = int(a.window);
  const int64_t stride = (a.H + 2 * a.K) * width;
  const int kv = of == Of::queries ? int(blockIdx.y) / group : int(blockIdx.y);
  const int first_head = of == Of::queries ? int(blockIdx.y) : kv * group;
  const float *const qkv = static_cast<const float*>(a.qkv), *const d_o = static_cast<const float*>(a.d_o);
  const auto queries = [&](int head) { return Source{qkv + head * width, stride}; };
  const auto d_outputs = [&](int head) { return Source{d_o + head * width, a.H * width}; };
  const Source keys{qkv + (a.H + kv) * width, stride}, values{qkv + (a.H + a.K + kv) * width, stride};

  auto& s = shared<Shared<D>>();
  const int row = int(threadIdx.x) / kAcross, j = int(threadIdx.x) % kAcross;
  load_rows<D>(s.own[0], of == Of::queries ? queries(first_head) : keys, item.tile.row + first, rows, width);
  load_rows<D>(s.own[1], of == Of::queries ? d_outputs(first_head) : values, item.tile.row + first, rows, width);
  const int own = item.tile.position + first + row;
  float d0[D / kAcross] = {}, d1[of == Of::keys ? D / kAcross : 1] = {};

  for (Walk<kRows> walk(a, item, of == Of::queries ? 1 : group); !walk.done(); walk.next()) {
    const int head = first_head + walk.head;
    __syncthreads();
    load_rows<D>(s.other[0], of == Of::queries ? keys : queries(head), walk.row(), walk.count(), width);
    load_rows<D>(s.other[1], of == Of::queries ? values : d_outputs(head), walk.row(), walk.count(), width);
    __syncthreads();
#pragma unroll
    for (int n = 0; n < kRows / kAcross; ++n) {
      const int column = j + kAcross * n, other = walk.position() + column;
      const int query = of == Of::queries ? own : other, key = of == Of::queries ? other : own;
      float p = 0, ds = 0;
      if (row < rows && column < walk.count() && key <= query && (window == 0 || key > query - window)) {
        float x = 0, dp = 0;
        for (int d = 0; d < width; ++d) {
          x = fmaf(s.own[0][row][d], s.other[0][column][d], x);
          dp = fmaf(s.own[1][row][d], s.other[1][column][d], dp);
        }
        const int64_t at = int64_t(of == Of::queries ? item.tile.row + first + row : walk.row() + column) * a.H + head;
        p = exp2f((x * a.scale - a.lse[at]) * kLog2E);
        ds = p * (dp - a.delta[at]) * a.scale;
      }
      s.p[row][column] = p;
      s.ds[row][column] = ds;
    }
    __syncwarp();  // a row's threads belong to one warp
    for (int r = 0; r < walk.count(); ++r) {
      const float ds = s.ds[row][r], p = s.p[row][r];
#pragma unroll
      for (int c = 0; c < D / kAcross; ++c) {
        d0[c] = fmaf(ds, s.other[0][r][j + kAcross * c], d0[c]);
        if constexpr (of == Of::keys) d1[c] = fmaf(p, s.other[1][r][j + kAcross * c], d1[c]);
      }
    }
  }

  if (row >= rows) return;
  float* const out = static_cast<float*>(a.dqkv) + (item.tile.row + first + row) * stride;
#pragma unroll
  for (int c = 0; c < D / kAcross; ++c) {
    const int d = j + kAcross * c;
    if (d >= width) continue;
    out[(of == Of::queries ? first_head : a.H + kv) * width + d] = d0[c];
    if constexpr (of == Of::keys) out[(a.H + a.K + kv) * width + d] = d1[c];
  }
}

}  // namespace

void backward_f32(Context& context, const AttentionBackward& a) {
  const auto run = [&](auto width) {
    constexpr int D = width();
    const dim3 queries(a.query_item_count, a.H, device::kKeyTile / kRows), keys(a.key_item_count, a.K, device::kKeyTile / kRows);
    static_assert(sizeof(Shared<D>) <= 99 << 10, "the shared memory of a block on compute capability 8.9");
    launch(context, "attention_backward_queries", backward_kernel<Of::queries, D>, queries, kThreads, sizeof(Shared<D>), a);
    launch(context, "attention_backward_keys", backward_kernel<Of::keys, D>, keys, kThreads, sizeof(Shared<D>), a);
  };
  if (a.D <= 32) run(std::integral_constant<int, 32>{});
  else if (a.D <= 64) run(std::integral_constant<int, 64>{});
  else if (a.D <= 128) run(std::integral_constant<int, 128>{});
  else run(std::integral_constant<int, 256>{});
}

}  // namespace exitrl::cuda::attention
