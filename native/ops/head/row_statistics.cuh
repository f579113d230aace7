// What a block computes about one row of logits, in one read: for head_rows and for the sampler, which must give the same bits.
// The order of all sums depends on V alone: row_threads(V) threads, each takes every blockDim-th vector and keeps
//   top = the largest scaled logit so far,  sum of exp(z - top),  weighted sum of exp(z - top) (z - top)
// and rescales both when the top rises. Every rounding is written out, so that nvcc cannot fuse differently in two kernels.
// exp is ex2.approx: relative error 2^-22 and |z - max| 2^-24 from its argument.
#pragma once
#include <cmath>

#include "cuda/tile.h"

namespace exitrl::cuda {

constexpr int kMaxRowThreads = 512;
// A short row does not feed 512 threads. 4 x 16 bytes in flight per thread, two blocks per multiprocessor: 64 KB, more than what
// HBM3e needs (about 25 KB per multiprocessor).
inline int row_threads(int64_t V) { return V > 4096 ? kMaxRowThreads : 128; }
// Logits that a load takes. Rows begin at multiples of it.
template <class Body>
void by_row_width(int64_t V, Body&& body) {
  if (V % 4 == 0) body(std::integral_constant<int, 4>{});
  else body(std::integral_constant<int, 1>{});
}

template <int N>
constexpr int kInFlight = N == 1 ? 8 : 4;  // vectors of a thread

// Calls take(v, vectors) for this thread's vectors of the row, kInFlight at a time: vector j begins at id v + j * blockDim.x * N
// and is -inf past the end.
template <int N, class Row, class Take>
__device__ __forceinline__ void walk_row(int V, const Row& row, Take&& take) {
  const int step = int(blockDim.x) * N;
  for (int v = int(threadIdx.x) * N; v < V; v += kInFlight<N> * step) {
    Vec<float, N> x[kInFlight<N>];
#pragma unroll
    for (int j = 0; j < kInFlight<N>; ++j) {
      if (v + j * step < V) {
        x[j] = load<N>(row.logits + v + j * step);
      } else {
#pragma unroll
        for (int i = 0; i < N; ++i) x[j].at[i] = -INFINITY;
      }
    }
#pragma unroll
    for (int j = 0; j < kInFlight<N>; ++j) row.adjust(v + j * step, x[j]);
    take(v, x);
  }
}

__device__ __forceinline__ float exp_rounded(float d) { return exp2_fast(__fmul_rn(d, 1.4426950408889634f)); }
// exp(z - max) of a scaled logit.
__device__ __forceinline__ float exponential(float logit, float inverse_temperature, float max) {
  return exp_rounded(__fmul_rn(logit, inverse_temperature) - max);
}
// z - max, bounded where exp gives 0 so that 0 * (z - max) is not NaN for a logit of -inf.
__device__ __forceinline__ float bounded(float shifted) { return fmaxf(shifted, -128.0f); }

struct RowNumbers {
  // As RowStatistics (ops/head/head.h). With a NaN or +inf, or without a finite logit, log_sum and entropy are NaN.
  float max, log_sum, entropy;
  double sum;
  float own_max;                // of this thread's scaled logits
};
struct RowScratch {
  double sums[kMaxRowThreads / kWarp];
  float maxima[kMaxRowThreads / kWarp];
};

template <int N, class Row>
__device__ __forceinline__ RowNumbers row_numbers(int V, float inverse_temperature, const Row& row, RowScratch& scratch) {
  float top = -INFINITY, sum = 0, weighted = 0;
  // exp(top - next) times the sums; next is not below top.
  const auto rescale = [&](float next) {
    const float gap = top - next, factor = exp_rounded(gap);
    weighted = __fmul_rn(fmaf(sum, bounded(gap), weighted), factor);
    sum = __fmul_rn(sum, factor);
  };
  walk_row<N>(V, row, [&](int, auto& x) {
    float next = top;
#pragma unroll
    for (int j = 0; j < kInFlight<N>; ++j)
#pragma unroll
      for (int i = 0; i < N; ++i) {
        x[j].at[i] = __fmul_rn(x[j].at[i], inverse_temperature);
        next = fmaxf(next, x[j].at[i]);
      }
    const float shift = next == -INFINITY ? 0.0f : next;  // -inf - -inf would be NaN
    rescale(shift);
    top = next;
#pragma unroll
    for (int j = 0; j < kInFlight<N>; ++j)
#pragma unroll
      for (int i = 0; i < N; ++i) {
        const float d = x[j].at[i] - shift, e = exp_rounded(d);
        sum += e;
        weighted = fmaf(e, bounded(d), weighted);
      }
  });
  RowNumbers r;
  r.own_max = top;
  r.max = block_max(top, scratch.maxima);
  rescale(r.max == -INFINITY ? 0.0f : r.max);
  r.sum = block_sum(double(sum), scratch.sums);
  const double mean = block_sum(double(weighted), scratch.sums) / r.sum;
  if (r.max == -INFINITY) r.sum = NAN;
  const double log_sum = log(r.sum);
  r.log_sum = float(log_sum);
  r.entropy = float(log_sum - mean);
  return r;
}

__device__ __forceinline__ float row_logprob(float max, float log_sum, float logit, float inverse_temperature) {
  return (__fmul_rn(logit, inverse_temperature) - max) - log_sum;
}

// A row as it lies in memory. adjust() may change N logits from v after they were loaded; walk_row calls it past the end, too, up
// to kPastEnd ids further, where it must leave -inf.
constexpr int kPastEnd = kMaxRowThreads * 16;
struct PlainRow {
  const float* logits;
  template <int N>
  __device__ __forceinline__ void adjust(int, Vec<float, N>&) const {}
};

}  // namespace exitrl::cuda
