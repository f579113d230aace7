// The rows of the language-model head. A block of 512 threads per row (128 for a short one).
//   head_rows      reads 4 V bytes of a row, once (row_statistics.cuh)
//   head_gradient  reads 4 V and writes 4 V bytes, 2 V in bf16, in place. A bf16 row lies on the first half of its fp32 row:
//                  numbers [0, n) of it on the logits [0, n / 2). Blocks go up the row tile by tile; before a tile is written,
//                  all threads must have read what it covers, which takes a barrier only when the row's written half has doubled.
#include "cuda/ops.h"
#include "ops/head/row_statistics.cuh"

namespace exitrl::cuda {
namespace {

template <int N>
__global__ void __launch_bounds__(kMaxRowThreads, 3) rows_kernel(device::HeadRows a) {
  auto& s = shared<RowScratch>();
  const int64_t r = blockIdx.x;
  const float* const row = a.logits + r * a.V;
  const float logit = threadIdx.x == 0 ? row[a.targets[r]] : 0.0f;
  const RowNumbers n = row_numbers<N>(int(a.V), a.inverse_temperature, PlainRow{row}, s);
  if (threadIdx.x != 0) return;
  a.logprob[r] = row_logprob(n.max, n.log_sum, logit, a.inverse_temperature);
  a.entropy[r] = n.entropy;
  a.max[r] = n.max;
  a.log_sum[r] = n.log_sum;
}

// dz = -p (dlogprob + dentropy (log p + entropy)), + dlogprob for the target; times 1 / temperature.
template <class T, int N>
__global__ void __launch_bounds__(kMaxRowThreads, N == 1 ? 2 : 3) gradient_kernel(device::HeadGradient a) {
  const int64_t r = blockIdx.x;
  const int V = int(a.V), step = int(blockDim.x) * N, target = a.targets[r];
  float* const row = a.logits + r * a.V;
  T* const out = reinterpret_cast<T*>(row);
  const float inverse = a.inverse_temperature, max = a.max[r], log_sum = a.log_sum[r];
  const float own = a.dlogprob[r] * inverse, slope = a.dentropy ? -a.dentropy[r] * inverse : 0.0f;
  const float constant = slope * a.entropy[r] - own;
  int covered = 0;  // logits below it have been read by all threads
  for (int base = 0; base < V; base += kInFlight<N> * step) {
    const int v = base + int(threadIdx.x) * N, end = min(V, base + kInFlight<N> * step);
    Vec<float, N> x[kInFlight<N>];
#pragma unroll
    for (int j = 0; j < kInFlight<N>; ++j)
      if (v + j * step < V) x[j] = load<N>(row + v + j * step);
    if (sizeof(T) == 2 && (end + 1) / 2 > covered) {
      __syncthreads();
      covered = end;
    }
#pragma unroll
    for (int j = 0; j < kInFlight<N>; ++j) {
      const int first = v + j * step;
      if (first >= V) continue;
      Vec<T, N> y;
#pragma unroll
      for (int i = 0; i < N; ++i) {
        const float log_p = __fmul_rn(x[j].at[i], inverse) - max - log_sum;
        // Bounded as in row_numbers: a token of probability 0 has no gradient through the entropy.
        float g = exp_rounded(log_p) * fmaf(slope, bounded(log_p), constant);
        if (first + i == target) g += own;
        y.at[i] = from_float<T>(g);
      }
      store<N>(out + first, y);
    }
  }
}

}  // namespace

void head_rows(Context& context, const device::HeadRows& a) {
  by_row_width(a.V, [&](auto width) {
    launch(context, "head_rows", rows_kernel<width()>, dim3(a.R), row_threads(a.V), sizeof(RowScratch), a);
  });
}

void head_gradient(Context& context, const device::HeadGradient& a) {
  by_precision(a.precision, [&](auto tag) {
    by_row_width(a.V, [&](auto width) {
      launch(context, "head_gradient", gradient_kernel<decltype(tag), width()>, dim3(a.R), row_threads(a.V), 0, a);
    });
  });
}

}  // namespace exitrl::cuda
