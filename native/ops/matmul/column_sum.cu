// Sums of columns in two steps, each in a fixed order: a block adds kColumnSumRows rows of its columns (warp w takes rows w, w + 8,
// ...; then the warps' sums in order), then one thread a column adds the blocks' sums to `out`. Reads T N numbers once.
#include "cuda/kernel.h"
#include "cuda/ops.h"

namespace exitrl::cuda {
namespace {

constexpr int kWarps = 8, kThreads = kWarps * kWarp;

template <int N>
struct Sums {
  float at[kWarps][kWarp * N];
};

// Block (x, y): columns 32 W x .., rows kColumnSumRows y ..
template <class T, int W>
__global__ void __launch_bounds__(kThreads) partial_kernel(const T* x, float* partials, int64_t rows, int64_t columns, int64_t ldx) {
  auto& sums = shared<Sums<W>>();
  const int lane = int(threadIdx.x) % kWarp, warp = int(threadIdx.x) / kWarp;
  const int64_t first = int64_t(blockIdx.x) * kWarp * W, column = first + lane * W;
  const int64_t begin = int64_t(blockIdx.y) * device::kColumnSumRows, end = min(rows, begin + device::kColumnSumRows);
  float sum[W] = {};
  if (column < columns) {
#pragma unroll 4
    for (int64_t row = begin + warp; row < end; row += kWarps) {
      const auto v = load<W>(x + row * ldx + column);
#pragma unroll
      for (int i = 0; i < W; ++i) sum[i] += to_float(v.at[i]);
    }
  }
#pragma unroll
  for (int i = 0; i < W; ++i) sums.at[warp][i * kWarp + lane] = sum[i];
  __syncthreads();
  for (int c = int(threadIdx.x); c < kWarp * W; c += kThreads) {
    if (first + c >= columns) continue;
    float total = 0;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) total += sums.at[w][c % W * kWarp + c / W];
    partials[int64_t(blockIdx.y) * columns + first + c] = total;
  }
}

__global__ void __launch_bounds__(kThreads) total_kernel(const float* partials, float* out, int64_t parts, int64_t columns) {
  const int64_t column = int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (column >= columns) return;
  float sum = out[column];
#pragma unroll 4
  for (int64_t part = 0; part < parts; ++part) sum += partials[part * columns + column];
  out[column] = sum;
}

template <class T, int W>
void run(Context& context, const device::ColumnSum& a) {
  launch(context, "column_sum", partial_kernel<T, W>, dim3(ceil_div(a.N, int64_t(kWarp) * W), ceil_div(a.T, device::kColumnSumRows)),
         kThreads, sizeof(Sums<W>), static_cast<const T*>(a.x), a.partials, a.T, a.N, a.ldx);
}

}  // namespace

void column_sum(Context& context, const device::ColumnSum& a) {
  if (a.T == 0 || a.N == 0) return;
  by_precision(a.precision, [&](auto tag) {
    using T = decltype(tag);
    const bool aligned = a.N % kVector<T> == 0 && a.ldx % kVector<T> == 0 && reinterpret_cast<uintptr_t>(a.x) % 16 == 0;
    if (aligned) run<T, kVector<T>>(context, a);
    else run<T, 1>(context, a);
  });
  launch(context, "column_sum_total", total_kernel, dim3(ceil_div(a.N, kThreads)), kThreads, 0,
         static_cast<const float*>(a.partials), a.out, ceil_div(a.T, device::kColumnSumRows), a.N);
}

}  // namespace exitrl::cuda
