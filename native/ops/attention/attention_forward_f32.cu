// Attention forward in fp32 without tensor cores. A block takes 16 rows (queries times heads of the group) of one item and one
// kv head, eight threads to a row, against the item's keys in the tiles of 64 of the bf16 kernel; keys and values follow each
// other in one buffer. A row's numbers depend on its query and keys only, for the reasons given there.
#include "ops/attention/attention_kernels.h"

namespace exitrl::cuda::attention {
namespace {

using device::AttentionForward;
using device::AttentionItem;
using device::kKeyTile;
using device::kPagePositions;

constexpr int kRows = 16, kAcross = 8, kThreads = kRows * kAcross;

template <int D>
struct Shared {
  float q[kRows][D + 1];
  float keys[kKeyTile][D + 1];  // then values
  float p[kRows][kKeyTile + 1];
};

template <int D>
__device__ void load_tile(const AttentionForward& a, const AttentionItem& item, Shared<D>& s, const void* pages, int first) {
  const int width = int(a.D), head = int(blockIdx.y);
  for (int i = int(threadIdx.x); i < kKeyTile * D; i += kThreads) {
    const int r = i / D, d = i % D, key = first + r;
    float x = 0;
    if (key < item.key_end && d < width) {
      const int64_t page = a.pages[item.table + key / kPagePositions] * a.page_stride;
      x = static_cast<const float*>(pages)[page + (head * kPagePositions + key % kPagePositions) * width + d];
    }
    s.keys[r][d] = x;
  }
}

template <int D>
__global__ void __launch_bounds__(kThreads) forward_kernel(const AttentionForward a) {
  const AttentionItem item = a.items[blockIdx.x];
  const int group = int(a.H / a.K), width = int(a.D), window = int(a.window), first_row = int(blockIdx.z) * kRows;
  const int rows = min(item.queries * group - first_row, kRows);
  if (rows <= 0) return;
  auto& s = shared<Shared<D>>();
  const int row = int(threadIdx.x) / kAcross, j = int(threadIdx.x) % kAcross;
  const int query = (first_row + min(row, rows - 1)) / group, token = a.rows[item.query + query];
  const int h = int(blockIdx.y) * group + (first_row + min(row, rows - 1)) % group, position = a.positions[token];
  const float* const q_row = static_cast<const float*>(a.q) + token * a.q_stride + h * width;
  for (int d = j; d < D; d += kAcross) s.q[row][d] = row < rows && d < width ? q_row[d] : 0.0f;

  const float scale = a.scale * kLog2E;
  float o[D / kAcross] = {}, m = -INFINITY, sum = 0;
  for (int first = item.key_begin; first < item.key_end; first += kKeyTile) {
    __syncthreads();
    load_tile(a, item, s, a.keys, first);
    __syncthreads();
    float x[kKeyTile / kAcross] = {};
    for (int d = 0; d < width; ++d) {
      const float q = s.q[row][d];
#pragma unroll
      for (int n = 0; n < kKeyTile / kAcross; ++n) x[n] = fmaf(q, s.keys[j + kAcross * n][d], x[n]);
    }
    float best = m;
#pragma unroll
    for (int n = 0; n < kKeyTile / kAcross; ++n) {
      const int key = first + j + kAcross * n;
      if (key >= item.key_end || key > position || (window > 0 && key <= position - window)) x[n] = -INFINITY;
      best = fmaxf(best, x[n]);
    }
#pragma unroll
    for (int offset = kAcross / 2; offset > 0; offset /= 2) best = fmaxf(best, __shfl_xor_sync(0xffffffffu, best, offset));
    const float reference = best == -INFINITY ? 0.0f : best, alpha = exp2f((m - reference) * scale);
    m = best;
    float part = 0;
#pragma unroll
    for (int n = 0; n < kKeyTile / kAcross; ++n) {
      const float p = exp2f((x[n] - reference) * scale);
      part += p;
      s.p[row][j + kAcross * n] = p;
    }
    sum = fmaf(sum, alpha, part);
    __syncthreads();
    load_tile(a, item, s, a.values, first);
    __syncthreads();
#pragma unroll
    for (int c = 0; c < D / kAcross; ++c) o[c] *= alpha;
    for (int key = 0; key < kKeyTile; ++key) {
      const float p = s.p[row][key];
#pragma unroll
      for (int c = 0; c < D / kAcross; ++c) o[c] = fmaf(p, s.keys[key][j + kAcross * c], o[c]);
    }
  }

#pragma unroll
  for (int offset = kAcross / 2; offset > 0; offset /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, offset);
  if (row >= rows) return;
  const float inverse = sum > 0 ? 1.0f / sum : sum;  // NaN stays
  const float lse = sum == 0 ? -INFINITY : m * a.scale + logf(sum);
  const bool partial = item.partial >= 0;
  const int64_t to = (partial ? item.partial + query : token) * a.H + h;
  float* const out = (partial ? a.partial_o : static_cast<float*>(a.o)) + to * width;
#pragma unroll
  for (int c = 0; c < D / kAcross; ++c)
    if (j + kAcross * c < width) out[j + kAcross * c] = o[c] * inverse + 0.0f;  // never -0: see put_rows
  float* const lse_out = partial ? a.partial_lse : a.lse;
  if (lse_out && j == 0) lse_out[to] = lse;
}

}  // namespace

void forward_f32(Context& context, const AttentionForward& a) {
  const auto run = [&](auto width) {
    const int64_t group = a.H / a.K, rows = device::item_queries(a.H, a.K) * group;
    const dim3 grid(a.item_count, a.K, ceil_div(rows, kRows));
    static_assert(sizeof(Shared<width()>) <= 99 << 10, "the shared memory of a block on compute capability 8.9");
    launch(context, "attention_forward", forward_kernel<width()>, grid, kThreads, sizeof(Shared<width()>), a);
  };
  if (a.D <= 32) run(std::integral_constant<int, 32>{});
  else if (a.D <= 64) run(std::integral_constant<int, 64>{});
  else if (a.D <= 128) run(std::integral_constant<int, 128>{});
  else run(std::integral_constant<int, 256>{});
}

}  // namespace exitrl::cuda::attention
