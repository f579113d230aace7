// Passes over slabs: four numbers a thread and vector, several vectors on their way at a time.
#include "cuda/ops.h"
#include "cuda/rows.h"

namespace exitrl::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kNormThreads = 512;

struct NormShared {
  double sums[kNormThreads / kWarp];
};

// A block sums kNormBlock numbers: a thread every 512th vector of four.
__global__ void __launch_bounds__(kNormThreads) squares_kernel(const float* x, double* partials, int64_t n) {
  const int64_t first = int64_t(blockIdx.x) * device::kNormBlock, end = min(n, first + device::kNormBlock);
  double sum = 0;
  int64_t i = first + threadIdx.x * 4;
#pragma unroll 4
  for (; i + 4 <= end; i += kNormThreads * 4) {
    const auto v = load<4>(x + i);
    // Four squares in fp32 would lose nothing that matters, but overflow: products are exact in double.
    sum += double(v.at[0]) * v.at[0] + double(v.at[1]) * v.at[1] + double(v.at[2]) * v.at[2] + double(v.at[3]) * v.at[3];
  }
  for (; i < end; ++i) sum += double(x[i]) * x[i];
  sum = block_sum(sum, shared<NormShared>().sums);
  if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(kNormThreads) norm_kernel(const double* partials, int64_t count, double* out, double max_norm) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < count; i += kNormThreads) sum += partials[i];
  sum = block_sum(sum, shared<NormShared>().sums);
  if (threadIdx.x != 0) return;
  const double norm = sqrt(sum);
  out[0] = norm;
  // Not finite: NaN, which is no number to multiply by.
  if (!(norm < 1e300)) out[1] = norm - norm;
  else out[1] = max_norm > 0 && max_norm / (norm + 1e-6) < 1 ? max_norm / (norm + 1e-6) : 1.0;
}

// a = 1 copies bit for bit, whatever the target holds.
__device__ __forceinline__ float average(float a, float source, float target) {
  return a == 1.0f ? source : fmaf(a, source, (1.0f - a) * target);
}

template <class T>
__global__ void __launch_bounds__(kThreads) average_kernel(device::MovingAverage a) {
  const int64_t at = (int64_t(blockIdx.x) * kThreads + threadIdx.x) * 4;
  T* const rounded = static_cast<T*>(a.rounded);
  if (at + 4 <= a.n) {
    const auto source = load<4>(a.source + at);
    auto target = load<4>(a.target + at);
    Vec<T, 4> narrow;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      target.at[i] = average(a.a, source.at[i], target.at[i]);
      narrow.at[i] = from_float<T>(target.at[i]);
    }
    store<4>(a.target + at, target);
    if (rounded) store<4>(rounded + at, narrow);
    return;
  }
  for (int64_t i = at; i < a.n; ++i) {
    a.target[i] = average(a.a, a.source[i], a.target[i]);
    if (rounded) rounded[i] = from_float<T>(a.target[i]);
  }
}

template <class From, class To, int N>
__global__ void __launch_bounds__(kThreads) convert_kernel(const From* from, To* to, int64_t n) {
  const int64_t at = (int64_t(blockIdx.x) * kThreads + threadIdx.x) * N;
  if (at + N <= n) {
    const auto v = load<N>(from + at);
    Vec<To, N> out;
#pragma unroll
    for (int i = 0; i < N; ++i) out.at[i] = from_float<To>(to_float(v.at[i]));
    store<N>(to + at, out);
  } else {
    for (int64_t i = at; i < n; ++i) to[i] = from_float<To>(to_float(from[i]));
  }
}

// Vectors of a row side by side in a block; a thread sums its own.
template <class T, int N>
__global__ void __launch_bounds__(kThreads) scatter_kernel(device::ScatterRows a) {
  const int64_t n = a.C / N, i = int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= a.T * n) return;
  const int64_t t = i / n, c = i % n * N;
  float sum[N] = {};
  for (int32_t j = a.starts[t]; j < a.starts[t + 1]; ++j) {
    const auto v = load<N>(static_cast<const T*>(a.from) + a.index[j] * a.C + c);
#pragma unroll
    for (int k = 0; k < N; ++k) sum[k] += to_float(v.at[k]);
  }
  Vec<T, N> out;
#pragma unroll
  for (int k = 0; k < N; ++k) out.at[k] = from_float<T>(sum[k]);
  store<N>(static_cast<T*>(a.to) + t * a.C + c, out);
}

// A warp per entry: the one that begins a slot's run sums it over 32 columns, one chain of doubles in ascending order; the others
// have nothing to do. Eight rows are on their way at a time.
constexpr int kPoolInFlight = 8;
template <class T>
__global__ void __launch_bounds__(kThreads) pool_kernel(device::PoolRows a) {
  const int lane = int(threadIdx.x) % kWarp;
  const int64_t first = int64_t(blockIdx.x) * (kThreads / kWarp) + threadIdx.x / kWarp, c = int64_t(blockIdx.y) * kWarp + lane;
  if (first >= a.N) return;
  const int32_t slot = a.slots[first];
  if (slot < 0 || (first > 0 && a.slots[first - 1] == slot)) return;
  const bool has = c < a.C;
  double sum = has ? a.sums[slot * a.C + c] : 0.0;
  for (int64_t base = first;; base += kWarp) {
    const bool own = base + lane < a.N && a.slots[base + lane] == slot;
    const int32_t row = own ? a.rows[base + lane] : 0;
    const int count = __popc(__ballot_sync(0xffffffffu, own));  // slots ascend: the first lanes
    for (int j = 0; j < count; j += kPoolInFlight) {
      float x[kPoolInFlight];
#pragma unroll
      for (int k = 0; k < kPoolInFlight; ++k) {
        const int64_t from = __shfl_sync(0xffffffffu, row, (j + k) % kWarp);
        if (has && j + k < count) x[k] = to_float(static_cast<const T*>(a.hidden)[from * a.C + c]);
      }
#pragma unroll
      for (int k = 0; k < kPoolInFlight; ++k)
        if (has && j + k < count) sum += double(x[k]);
    }
    if (count < kWarp) break;
  }
  if (has) a.sums[slot * a.C + c] = sum;
}

}  // namespace

void gradient_norm(Context& context, const device::GradientNorm& a) {
  const int64_t blocks = device::norm_partials(a.n);
  launch(context, "gradient_norm", squares_kernel, dim3(unsigned(blocks)), kNormThreads, sizeof(NormShared), a.x, a.partials, a.n);
  launch(context, "gradient_norm_sum", norm_kernel, dim3(1), kNormThreads, sizeof(NormShared), a.partials, blocks, a.out, a.max_norm);
}

void moving_average(Context& context, const device::MovingAverage& a) {
  by_precision(a.precision, [&](auto tag) {
    launch(context, "moving_average", average_kernel<decltype(tag)>, dim3(unsigned(ceil_div(a.n, 4 * kThreads))), kThreads, 0, a);
  });
}

void convert(Context& context, const device::Convert& a) {
  by_precision(a.from_precision, [&](auto from) {
    by_precision(a.to_precision, [&](auto to) {
      launch(context, "convert", convert_kernel<decltype(from), decltype(to), 4>, dim3(unsigned(ceil_div(a.n, 4 * kThreads))), kThreads, 0,
             static_cast<const decltype(from)*>(a.from), static_cast<decltype(to)*>(a.to), a.n);
    });
  });
}

void gather_rows(Context& context, const device::GatherRows& a) {
  by_precision(a.precision, [&](auto tag) { gather<decltype(tag)>(context, "gather_rows", a.from, a.index, a.to, a.N, a.C, 1.0f); });
}

void scatter_rows(Context& context, const device::ScatterRows& a) {
  by_precision(a.precision, [&](auto tag) {
    using T = decltype(tag);
    by_width<T>(a.C % kVector<T> == 0 && aligned(a.from, a.to), [&](auto width) {
      launch(context, "scatter_rows", scatter_kernel<T, width()>, dim3(unsigned(ceil_div(a.T * a.C / width(), kThreads))), kThreads, 0, a);
    });
  });
}

void pool_rows(Context& context, const device::PoolRows& a) {
  by_precision(a.precision, [&](auto tag) {
    launch(context, "pool_rows", pool_kernel<decltype(tag)>,
           dim3(unsigned(ceil_div(a.N, kThreads / kWarp)), unsigned(ceil_div(a.C, kWarp))), kThreads, 0, a);
  });
}

}  // namespace exitrl::cuda
