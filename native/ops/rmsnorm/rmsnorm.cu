// A row stays in registers, four vectors of 16 bytes a thread: W warps of a block share a row, the fewest that can hold it (bf16:
// one up to C = 1024, eight at 8192). Forward: a block has 8 / W rows, each read once; 64 registers, so 4 blocks of 256 threads
// keep 64 KB of x on their way. Backward: a block works through kNormRows rows, 8 / W at a time, with its share of dw in
// registers (128 of them, 2 blocks: 96 KB of dy, x and addend on their way, and the next rows to L2); the shares go through
// `partials`.
// Rows that are too wide or not made of whole vectors take the kernels at the end, which read them twice.
#include "cuda/ops.h"
#include "cuda/rows.h"

namespace exitrl::cuda {
namespace {

constexpr int kWarps = 8, kThreads = kWarps * kWarp, kHeld = 4;

struct RowSums {
  float at[2][kWarps];
};
// Over the `warps` warps of a row, each calling with its own `x`; turns alternate between two halves of the scratch, so one
// barrier a turn is enough.
__device__ __forceinline__ float row_sum(float x, int warps, int turn, RowSums& s) {
  x = warp_sum(x);
  if (warps == 1) return x;
  const int warp = int(threadIdx.x) / kWarp;
  if (threadIdx.x % kWarp == 0) s.at[turn % 2][warp] = x;
  __syncthreads();
  float sum = 0;
  for (int w = 0; w < warps; ++w) sum += s.at[turn % 2][warp / warps * warps + w];
  return sum;
}

template <class T, int N>
__global__ void __launch_bounds__(kThreads, 4) forward_kernel(device::RmsNormForward a, int warps) {
  const int n = int(a.C / N), threads = warps * kWarp, at = int(threadIdx.x) % threads;
  const int64_t row = int64_t(blockIdx.x) * (kWarps / warps) + int(threadIdx.x) / threads;
  const bool exists = row < a.T;
  const T* const from = static_cast<const T*>(a.x) + row * a.C;
  // With the row, not after its sum: a step of few rows takes as long as its chain of loads.
  Vec<T, N> x[kHeld], w[kHeld];
#pragma unroll
  for (int v = 0; v < kHeld; ++v) {
    if (!exists || at + v * threads >= n) continue;
    x[v] = load<N>(from + (at + v * threads) * N);
    w[v] = load<N>(static_cast<const T*>(a.w) + (at + v * threads) * N);
  }
  float squares = 0;
#pragma unroll
  for (int v = 0; v < kHeld; ++v) {
    if (!exists || at + v * threads >= n) continue;
#pragma unroll
    for (int i = 0; i < N; ++i) squares = fmaf(to_float(x[v].at[i]), to_float(x[v].at[i]), squares);
  }
  const float rstd = 1.0f / sqrtf(row_sum(squares, warps, 0, shared<RowSums>()) / float(a.C) + a.eps);
  if (!exists) return;
  if (a.rstd && at == 0) a.rstd[row] = rstd;
  T* const to = static_cast<T*>(a.y) + row * a.C;
#pragma unroll
  for (int v = 0; v < kHeld; ++v) {
    if (at + v * threads >= n) continue;
    hold_narrow(x[v]);
    hold_narrow(w[v]);
    Vec<T, N> y;
#pragma unroll
    for (int i = 0; i < N; ++i) y.at[i] = from_float<T>(to_float(x[v].at[i]) * rstd * (to_float(w[v].at[i]) + a.w_offset));
    store<N>(to + (at + v * threads) * N, y);
  }
}

template <int N>
struct BackwardShared {
  RowSums sums;
  alignas(16) float dw[kThreads * kHeld * N];  // (rows at a time, C)
};

template <class T, int N>
__global__ void __launch_bounds__(kThreads, 2) backward_kernel(device::RmsNormBackward a, int warps) {
  auto& s = shared<BackwardShared<N>>();
  const int n = int(a.C / N), threads = warps * kWarp, at = int(threadIdx.x) % threads, own = int(threadIdx.x) / threads,
            at_once = kWarps / warps;
  const int64_t first = int64_t(blockIdx.x) * device::kNormRows, end = min(a.T, first + device::kNormRows);
  float dw[kHeld][N] = {};
  int turn = 0;
  for (int64_t base = first; base < end; base += at_once, ++turn) {
    const int64_t row = base + own, from = row * a.C;
    const bool exists = row < end;
    Vec<T, N> dy[kHeld], x[kHeld], addend[kHeld];
#pragma unroll
    for (int v = 0; v < kHeld; ++v) {
      const int c = (at + v * threads) * N;
      if (!exists || at + v * threads >= n) continue;
      dy[v] = load<N>(static_cast<const T*>(a.dy) + from + c);
      x[v] = load<N>(static_cast<const T*>(a.x) + from + c);
      if (a.addend) addend[v] = load<N>(static_cast<const T*>(a.addend) + from + c);
    }
    if (row + at_once < end) {
      const int64_t next = from + at_once * a.C;
      const int bytes = int(a.C) * int(sizeof(T));
      prefetch(static_cast<const T*>(a.dy) + next, bytes, at, threads);
      prefetch(static_cast<const T*>(a.x) + next, bytes, at, threads);
      if (a.addend) prefetch(static_cast<const T*>(a.addend) + next, bytes, at, threads);
    }
    const float rstd = exists ? a.rstd[row] : 0.0f;
    float dot = 0;
#pragma unroll
    for (int v = 0; v < kHeld; ++v) {
      if (!exists || at + v * threads >= n) continue;
      const auto w = load<N>(static_cast<const T*>(a.w) + (at + v * threads) * N);
#pragma unroll
      for (int i = 0; i < N; ++i) {
        const float d = to_float(dy[v].at[i]), xi = to_float(x[v].at[i]);
        dot = fmaf(d * (to_float(w.at[i]) + a.w_offset), xi, dot);
        dw[v][i] = fmaf(d, xi * rstd, dw[v][i]);
      }
    }
    // dx = rstd (g - xhat mean(g xhat)) with g = dy (w + w_offset), xhat = x rstd
    const float along = rstd * rstd * rstd * (row_sum(dot, warps, turn, s.sums) / float(a.C));
    if (!exists) continue;
#pragma unroll
    for (int v = 0; v < kHeld; ++v) {
      if (at + v * threads >= n) continue;
      hold_narrow(dy[v]);
      hold_narrow(x[v]);
      const auto w = load<N>(static_cast<const T*>(a.w) + (at + v * threads) * N);
      Vec<T, N> dx;
#pragma unroll
      for (int i = 0; i < N; ++i) {
        const float g = to_float(dy[v].at[i]) * (to_float(w.at[i]) + a.w_offset);
        float d = fmaf(-to_float(x[v].at[i]), along, g * rstd);
        if (a.addend) d += to_float(addend[v].at[i]);
        dx.at[i] = from_float<T>(d);
      }
      store<N>(static_cast<T*>(a.dx) + from + (at + v * threads) * N, dx);
    }
  }
  if (!a.dw) return;
#pragma unroll
  for (int v = 0; v < kHeld; ++v) {
    if (at + v * threads >= n) continue;
#pragma unroll
    for (int i = 0; i < N; i += 4)
      store<4>(s.dw + own * a.C + (at + v * threads) * N + i, Vec<float, 4>{dw[v][i], dw[v][i + 1], dw[v][i + 2], dw[v][i + 3]});
  }
  __syncthreads();
  for (int c = int(threadIdx.x); c < int(a.C); c += kThreads) {
    float sum = 0;
    for (int r = 0; r < at_once; ++r) sum += s.dw[r * a.C + c];
    a.partials[blockIdx.x * a.C + c] = sum;
  }
}

// A block per row.
template <class T>
__global__ void __launch_bounds__(kThreads) wide_forward_kernel(device::RmsNormForward a) {
  const T* const x = static_cast<const T*>(a.x) + blockIdx.x * a.C;
  T* const y = static_cast<T*>(a.y) + blockIdx.x * a.C;
  float squares = 0;
  for (int64_t c = threadIdx.x; c < a.C; c += kThreads) squares = fmaf(to_float(x[c]), to_float(x[c]), squares);
  const float rstd = 1.0f / sqrtf(row_sum(squares, kWarps, 0, shared<RowSums>()) / float(a.C) + a.eps);
  if (a.rstd && threadIdx.x == 0) a.rstd[blockIdx.x] = rstd;
  for (int64_t c = threadIdx.x; c < a.C; c += kThreads)
    y[c] = from_float<T>(to_float(x[c]) * rstd * (to_float(static_cast<const T*>(a.w)[c]) + a.w_offset));
}

template <class T>
__global__ void __launch_bounds__(kThreads) wide_backward_kernel(device::RmsNormBackward a) {
  const int64_t from = blockIdx.x * a.C;
  const T *const dy = static_cast<const T*>(a.dy) + from, *const x = static_cast<const T*>(a.x) + from,
                 *const w = static_cast<const T*>(a.w);
  const T* const addend = static_cast<const T*>(a.addend);
  T* const dx = static_cast<T*>(a.dx) + from;
  const float rstd = a.rstd[blockIdx.x];
  float dot = 0;
  for (int64_t c = threadIdx.x; c < a.C; c += kThreads) dot = fmaf(to_float(dy[c]) * (to_float(w[c]) + a.w_offset), to_float(x[c]), dot);
  const float along = rstd * rstd * rstd * (row_sum(dot, kWarps, 0, shared<RowSums>()) / float(a.C));
  for (int64_t c = threadIdx.x; c < a.C; c += kThreads) {
    const float d = fmaf(-to_float(x[c]), along, to_float(dy[c]) * (to_float(w[c]) + a.w_offset) * rstd);
    dx[c] = from_float<T>(addend ? d + to_float(addend[from + c]) : d);
  }
}

// Block (x, y): rows kNormRows x .., columns 256 y ..; before dx overwrites dy.
template <class T>
__global__ void __launch_bounds__(kThreads) wide_dw_kernel(device::RmsNormBackward a) {
  const int64_t c = int64_t(blockIdx.y) * kThreads + threadIdx.x, first = int64_t(blockIdx.x) * device::kNormRows,
                end = min(a.T, first + device::kNormRows);
  if (c >= a.C) return;
  float sum = 0;
#pragma unroll 4
  for (int64_t row = first; row < end; ++row)
    sum = fmaf(to_float(static_cast<const T*>(a.dy)[row * a.C + c]), to_float(static_cast<const T*>(a.x)[row * a.C + c]) * a.rstd[row],
               sum);
  a.partials[blockIdx.x * a.C + c] = sum;
}

// Warps that share a row; 0: the kernels at the end.
template <class T>
int warps_for(int64_t C, bool is_aligned) {
  if (C % kVector<T> != 0 || !is_aligned) return 0;
  for (int warps = 1; warps <= kWarps; warps *= 2)
    if (C <= int64_t(warps) * kWarp * kHeld * kVector<T>) return warps;
  return 0;
}

}  // namespace

void rmsnorm_forward(Context& context, const device::RmsNormForward& a) {
  by_precision(a.precision, [&](auto tag) {
    using T = decltype(tag);
    if (const int warps = warps_for<T>(a.C, aligned(a.x, a.w, a.y)))
      launch(context, "rmsnorm_forward", forward_kernel<T, kVector<T>>, dim3(ceil_div(a.T, kWarps / warps)), kThreads, sizeof(RowSums), a,
             warps);
    else
      launch(context, "rmsnorm_forward_wide", wide_forward_kernel<T>, dim3(a.T), kThreads, sizeof(RowSums), a);
  });
}

void rmsnorm_backward(Context& context, const device::RmsNormBackward& a) {
  const int64_t shares = ceil_div(a.T, device::kNormRows);
  by_precision(a.precision, [&](auto tag) {
    using T = decltype(tag);
    constexpr int N = kVector<T>;
    if (const int warps = warps_for<T>(a.C, aligned(a.dy, a.x, a.w, a.addend, a.dx))) {
      launch(context, "rmsnorm_backward", backward_kernel<T, N>, dim3(shares), kThreads, sizeof(BackwardShared<N>), a, warps);
    } else {
      if (a.dw) launch(context, "rmsnorm_backward_wide_dw", wide_dw_kernel<T>, dim3(shares, ceil_div(a.C, kThreads)), kThreads, 0, a);
      launch(context, "rmsnorm_backward_wide", wide_backward_kernel<T>, dim3(a.T), kThreads, sizeof(RowSums), a);
    }
  });
  if (a.dw) add_parts(context, "rmsnorm_backward_dw", {a.partials, a.dw, nullptr, a.C, a.C}, shares);
}

}  // namespace exitrl::cuda
