// One pass: a thread has two vectors of four numbers of every slab, eight loads of 16 bytes that are on their way while the block's
// first warp looks for the range of its first number (32 probes at a time) and rounds the step's factors, in double, once a block.
// At most 80 registers: 3 blocks of 256 threads keep 96 KB of loads on their way to a multiprocessor.
#include "cuda/kernel.h"
#include "cuda/ops.h"

namespace exitrl::cuda {
namespace {

constexpr int kThreads = 256, kVectors = 2, kBlock = 4 * kVectors * kThreads;

// What all elements share, rounded once (ops/adamw/adamw.cc).
struct Factors {
  float clip, decay, eps, beta1, one_minus_beta1, beta2, one_minus_beta2, step_size, unbias;
};
struct AdamWShared {
  Factors factors;
  int64_t first_range;
};
__device__ __forceinline__ Factors factors(const device::AdamWStep& s, double clip) {
  return {float(clip),
          float(1.0 - s.lr * s.weight_decay),
          float(s.eps),
          float(s.beta1),
          float(1.0 - s.beta1),
          float(s.beta2),
          float(1.0 - s.beta2),
          float(s.lr / s.correction1),
          float(1.0 / sqrt(s.correction2))};
}

// The CPU's order of operations, fused where it fuses.
__device__ __forceinline__ void update(const Factors& f, float decay, float& p, float g, float& m, float& v) {
  g = g * f.clip;
  m = fmaf(f.beta1, m, f.one_minus_beta1 * g);
  v = fmaf(f.beta2, v, f.one_minus_beta2 * (g * g));
  p = fmaf(-f.step_size, m / fmaf(sqrtf(v), f.unbias, f.eps), p * decay);
}

// The first range that ends behind `at`, range_count if none does. Called by a whole warp.
__device__ __forceinline__ int64_t find_range(const device::AdamW& a, int64_t at) {
  int64_t low = 0, high = a.range_count;
  while (low < high) {
    const int64_t stride = (high - low + kWarp - 1) / kWarp, probe = low + threadIdx.x % kWarp * stride;
    const int before = __popc(__ballot_sync(0xffffffffu, probe < high && a.ranges[probe].offset + a.ranges[probe].size <= at));
    if (before == 0) return low;  // the probe at `low` already ends behind it
    high = min(high, low + before * stride);
    low += (before - 1) * stride + 1;
  }
  return low;
}

// Numbers one by one: where a range begins or ends inside a vector, and at the end of the slab.
template <class T>
__device__ __forceinline__ void update_singly(const device::AdamW& a, const Factors& f, int64_t range, int64_t begin, int64_t end) {
  for (int64_t n = begin; n < end; ++n) {
    while (range < a.range_count && a.ranges[range].offset + a.ranges[range].size <= n) ++range;
    if (range < a.range_count && n >= a.ranges[range].offset) {
      float p = a.master[n], m = a.m[n], v = a.v[n];
      update(f, a.ranges[range].decayed ? f.decay : 1.0f, p, a.grad[n], m, v);
      a.master[n] = p;
      if constexpr (sizeof(T) == 2) static_cast<T*>(a.weights)[n] = from_float<T>(p);
      a.m[n] = m;
      a.v[n] = v;
    }
    a.grad[n] = 0;
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads, 3) adamw_kernel(device::AdamW a) {
  const int64_t first = int64_t(blockIdx.x) * kBlock;
  Vec<float, 4> p[kVectors], g[kVectors], m[kVectors], v[kVectors];
#pragma unroll
  for (int j = 0; j < kVectors; ++j) {
    const int64_t at = first + (j * kThreads + threadIdx.x) * 4;
    if (at + 4 > a.n) continue;
    p[j] = load<4>(a.master + at);
    g[j] = load<4>(a.grad + at);
    m[j] = load<4>(a.m + at);
    v[j] = load<4>(a.v + at);
  }
  const double clip = *a.clip;
  const bool finite = clip - clip == 0;
  auto& s = shared<AdamWShared>();
  if (threadIdx.x < kWarp) {
    const int64_t range = find_range(a, first);
    if (threadIdx.x == 0) {
      s.first_range = range;
      s.factors = factors(*a.step, clip);
    }
  }
  __syncthreads();
  const Factors f = s.factors;
  int64_t range = s.first_range;
#pragma unroll
  for (int j = 0; j < kVectors; ++j) {
    const int64_t at = first + (j * kThreads + threadIdx.x) * 4, end = min(a.n, at + 4);
    if (!finite) {
      for (int64_t n = at; n < end; ++n) a.grad[n] = 0;
      continue;
    }
    while (range < a.range_count && a.ranges[range].offset + a.ranges[range].size <= at) ++range;
    if (range == a.range_count || at < a.ranges[range].offset || at + 4 > a.ranges[range].offset + a.ranges[range].size) {
      update_singly<T>(a, f, range, at, end);
      continue;
    }
    const float decay = a.ranges[range].decayed ? f.decay : 1.0f;
    Vec<T, 4> w;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      update(f, decay, p[j].at[i], g[j].at[i], m[j].at[i], v[j].at[i]);
      w.at[i] = from_float<T>(p[j].at[i]);
    }
    store<4>(a.master + at, p[j]);
    if constexpr (sizeof(T) == 2) store<4>(static_cast<T*>(a.weights) + at, w);
    store<4>(a.m + at, m[j]);
    store<4>(a.v + at, v[j]);
    store<4>(a.grad + at, Vec<float, 4>{0, 0, 0, 0});
  }
}

}  // namespace

void adamw(Context& context, const device::AdamW& a) {
  by_precision(a.precision, [&](auto tag) {
    launch(context, "adamw", adamw_kernel<decltype(tag)>, dim3(unsigned(ceil_div(a.n, kBlock))), kThreads, sizeof(AdamWShared), a);
  });
}

}  // namespace exitrl::cuda
