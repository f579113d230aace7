// A thread has four numbers of every slab: five loads and five stores of 16 bytes (8 for bf16 weights), one pass. A block covers
// kBlock numbers; it finds the range of its first number by bisection and goes on from there, as ranges may end inside it.
#include "cuda/kernel.h"
#include "cuda/ops.h"

namespace exitrl::cuda {
namespace {

constexpr int kThreads = 256, kBlock = 4 * kThreads;

// The CPU's order of operations (ops/adamw/adamw.h), factors rounded to fp32 once.
struct Factors {
  float keep_m, take_m, keep_v, take_v, clip, rate, root2, eps, decay;
};
__device__ __forceinline__ Factors factors(const device::AdamWStep& s, double clip) {
  return {float(s.beta1), float(1.0 - s.beta1), float(s.beta2), float(1.0 - s.beta2), float(clip), float(s.lr / s.correction1), float(1.0 / sqrt(s.correction2)), float(s.eps),
          float(1.0 - s.lr * s.weight_decay)};
}

template <class T>
__device__ __forceinline__ void step_one(const Factors& f, bool decayed, float& p, float g, float& m, float& v) {
  g *= f.clip;
  if (decayed) p *= f.decay;
  m = f.keep_m * m + f.take_m * g;
  v = f.keep_v * v + f.take_v * (g * g);
  p -= f.rate * m / (sqrtf(v) * f.root2 + f.eps);
}

template <class T>
__global__ void __launch_bounds__(kThreads) adamw_kernel(device::AdamW a) {
  const int64_t at = int64_t(blockIdx.x) * kBlock + threadIdx.x * 4;
  if (at >= a.n) return;
  const double clip = a.clip[0];
  const bool broken = !(clip >= 0);
  const int count = int(min(int64_t{4}, a.n - at));
  if (broken) {
    for (int i = 0; i < count; ++i) a.grad[at + i] = 0;
    return;
  }
  // The last range that begins at or before this thread's first number.
  int64_t low = 0, high = a.range_count;
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    if (a.ranges[middle].offset <= at) low = middle;
    else high = middle;
  }
  const Factors f = factors(*a.step, clip);
  T* const weights = static_cast<T*>(a.weights);
  const device::AdamWRange range = a.ranges[low];
  if (at >= range.offset && at + 4 <= range.offset + range.size) {
    auto p = load<4>(a.master + at), m = load<4>(a.m + at), v = load<4>(a.v + at);
    const auto g = load<4>(a.grad + at);
    Vec<T, 4> w;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      step_one<T>(f, range.decayed != 0, p.at[i], g.at[i], m.at[i], v.at[i]);
      w.at[i] = from_float<T>(p.at[i]);
    }
    store<4>(a.master + at, p);
    if constexpr (sizeof(T) == 2) store<4>(weights + at, w);
    store<4>(a.m + at, m);
    store<4>(a.v + at, v);
    store<4>(a.grad + at, Vec<float, 4>{0, 0, 0, 0});
    return;
  }
  for (int i = 0; i < count; ++i) {
    const int64_t n = at + i;
    while (low + 1 < a.range_count && a.ranges[low + 1].offset <= n) ++low;
    const bool inside = n >= a.ranges[low].offset && n < a.ranges[low].offset + a.ranges[low].size;
    if (inside) {
      float p = a.master[n], m = a.m[n], v = a.v[n];
      step_one<T>(f, a.ranges[low].decayed != 0, p, a.grad[n], m, v);
      a.master[n] = p;
      if constexpr (sizeof(T) == 2) weights[n] = from_float<T>(p);
      a.m[n] = m;
      a.v[n] = v;
    }
    a.grad[n] = 0;
  }
}

}  // namespace

void adamw(Context& context, const device::AdamW& a) {
  by_precision(a.precision, [&](auto tag) { launch(context, "adamw", adamw_kernel<decltype(tag)>, dim3(unsigned(ceil_div(a.n, kBlock))), kThreads, 0, a); });
}

}  // namespace exitrl::cuda
