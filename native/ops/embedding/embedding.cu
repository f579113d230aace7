// Forward copies rows (cuda/rows.h). Backward: a block sums the rows of one piece over 128 vectors of columns; every thread has
// its own vector, four rows of it on their way at a time, so that a piece of 32 rows is eight trips to memory and many
// short pieces fit beside each other (at most 80 registers, 6 blocks). Pieces of a token that
// has several go to `partials`, and a second launch adds them up.
#include "cuda/ops.h"
#include "cuda/rows.h"

namespace exitrl::cuda {
namespace {

constexpr int kThreads = 128, kInFlight = 4;
constexpr int kLongWarps = 8;

// Block (x, y): piece x, columns kThreads N y ..
template <class T, int N>
__global__ void __launch_bounds__(kThreads, 6) piece_kernel(device::EmbeddingBackward a) {
  const int64_t piece = blockIdx.x, c = (int64_t(blockIdx.y) * blockDim.x + threadIdx.x) * N;
  if (c >= a.C) return;
  const T* const dy = static_cast<const T*>(a.dy) + c;
  const int begin = a.starts[piece], end = a.starts[piece + 1];
  const bool whole = piece >= a.long_pieces;
  float* const to = whole ? a.dw + a.ids[piece] * a.C + c : a.partials + piece * a.C + c;
  constexpr int M = N > 4 ? 4 : N;  // numbers of an fp32 vector
  Vec<float, M> before[N / M];
  if (whole) {
#pragma unroll
    for (int i = 0; i < N / M; ++i) before[i] = load<M>(to + i * M);
  }
  float sum[N] = {};
  for (int first = begin; first < end; first += kInFlight) {
    Vec<T, N> v[kInFlight];
#pragma unroll
    for (int j = 0; j < kInFlight; ++j)
      if (first + j < end) v[j] = load<N>(dy + a.order[first + j] * a.C);
#pragma unroll
    for (int j = 0; j < kInFlight; ++j) {
      if (first + j >= end) continue;
#pragma unroll
      for (int i = 0; i < N; ++i) sum[i] += to_float(v[j].at[i]);
    }
  }
#pragma unroll
  for (int i = 0; i < N / M; ++i) {
    Vec<float, M> out;
#pragma unroll
    for (int k = 0; k < M; ++k) out.at[k] = whole ? fmaf(a.scale, sum[i * M + k], before[i].at[k]) : sum[i * M + k];
    store<M>(to + i * M, out);
  }
}

// Block (x, y): token x of those in several pieces, columns 32 y ..
__global__ void __launch_bounds__(kLongWarps * kWarp) long_kernel(device::EmbeddingBackward a) {
  const int begin = a.long_starts[blockIdx.x], end = a.long_starts[blockIdx.x + 1];
  add_parts({a.partials, a.dw + a.ids[begin] * a.C, nullptr, a.C, a.C}, int64_t(blockIdx.y) * kWarp, begin, end, a.scale,
            shared<PartSums>());
}

}  // namespace

void embedding_forward(Context& context, const device::EmbeddingForward& a) {
  by_precision(a.precision, [&](auto tag) { gather<decltype(tag)>(context, "embedding_forward", a.w, a.tokens, a.y, a.T, a.C, a.scale); });
}

void embedding_backward(Context& context, const device::EmbeddingBackward& a) {
  by_precision(a.precision, [&](auto tag) {
    using T = decltype(tag);
    by_width<T>(a.C % kVector<T> == 0 && aligned(a.dy, a.dw, a.partials), [&](auto width) {
      const int64_t n = a.C / width();
      const int threads = int(n < kThreads ? ceil_div(n, kWarp) * kWarp : kThreads);
      launch(context, "embedding_backward", piece_kernel<T, width()>, dim3(a.P, ceil_div(n, threads)), threads, 0, a);
    });
  });
  if (a.M > 0)
    launch(context, "embedding_backward_long", long_kernel, dim3(a.M, ceil_div(a.C, kWarp)), kLongWarps * kWarp, sizeof(PartSums), a);
}

}  // namespace exitrl::cuda
