// Attention's entries, and what is no matrix product: attention_merge and the delta of the backward pass. Both are bound by
// memory: a thread has one piece of 16 bytes of one head; merging reads R H D fp32 numbers for every part and writes R H D,
// delta reads 2 T H D.
#include "ops/attention/attention_kernels.h"

#include <string>

#include "cuda/ops.h"

namespace exitrl::cuda {
namespace {

using device::AttentionMerge;

constexpr int kThreads = 256;

template <class T, int N>
__global__ void __launch_bounds__(kThreads) merge_kernel(const AttentionMerge a) {
  const int64_t at = (int64_t(blockIdx.x) * kThreads + threadIdx.x) * N;
  if (at >= a.R * a.H * a.D) return;
  const int64_t r = at / (a.H * a.D), h = at / a.D % a.H, d = at % a.D;
  const int begin = a.starts[r], end = a.starts[r + 1];
  if (begin == end) return;
  // The first parts are loaded at once: most rows have no more.
  constexpr int kAtOnce = 3;
  const int count = end - begin;
  float best = -INFINITY, sum = 0, lse[kAtOnce];
  Vec<float, N> parts[kAtOnce];
#pragma unroll
  for (int i = 0; i < kAtOnce; ++i) {
    if (i >= count) continue;
    const int64_t from = a.parts[begin + i] * a.H + h;
    lse[i] = a.partial_lse[from];
    parts[i] = load<N>(a.partial_o + from * a.D + d);
  }
#pragma unroll
  for (int i = 0; i < kAtOnce; ++i)
    if (i < count) best = fmaxf(best, lse[i]);
  for (int i = begin + kAtOnce; i < end; ++i) best = fmaxf(best, a.partial_lse[a.parts[i] * a.H + h]);
  if (best == -INFINITY) best = 0;
  float o[N] = {};
  const auto add = [&](float own, const Vec<float, N>& part) {
    const float weight = expf(own - best);
    sum += weight;
#pragma unroll
    for (int j = 0; j < N; ++j) o[j] = fmaf(weight, part.at[j], o[j]);
  };
#pragma unroll
  for (int i = 0; i < kAtOnce; ++i)
    if (i < count) add(lse[i], parts[i]);
  for (int i = begin + kAtOnce; i < end; ++i) {
    const int64_t from = a.parts[i] * a.H + h;
    add(a.partial_lse[from], load<N>(a.partial_o + from * a.D + d));
  }
  const int64_t row = a.rows[r];
  const float inverse = sum > 0 ? 1.0f / sum : sum;  // NaN stays
  Vec<T, N> out;
#pragma unroll
  for (int j = 0; j < N; ++j) out.at[j] = from_float<T>(o[j] * inverse);
  store<N>(static_cast<T*>(a.o) + (row * a.H + h) * a.D + d, out);
  if (d == 0 && a.lse) a.lse[row * a.H + h] = sum > 0 ? best + logf(sum) : sum == 0 ? -INFINITY : sum;
}

// Sixteen lanes to a head of a row.
template <class T, int N>
__global__ void __launch_bounds__(kThreads) delta_kernel(const T* o, const T* d_o, float* delta, int64_t heads, int64_t D) {
  const int64_t at = (int64_t(blockIdx.x) * kThreads + threadIdx.x) / 16;
  const int lane = int(threadIdx.x % 16);
  float sum = 0;
  if (at < heads)
    for (int64_t d = lane * N; d < D; d += 16 * N) {
      const auto x = load<N>(o + at * D + d), g = load<N>(d_o + at * D + d);
#pragma unroll
      for (int j = 0; j < N; ++j) sum = fmaf(to_float(x.at[j]), to_float(g.at[j]), sum);
    }
#pragma unroll
  for (int offset = 8; offset > 0; offset /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, offset);
  if (at < heads && lane == 0) delta[at] = sum;
}

void check_heads(const char* op, int64_t H, int64_t K, int64_t D, Precision precision) {
  const int64_t multiple = precision == Precision::bf16 ? 8 : 1;
  if (K < 1 || H % K != 0)
    fail(ErrorCode::invalid_argument,
         std::string(op) + ": " + std::to_string(H) + " query heads cannot share " + std::to_string(K) +
             " kv heads; the first must be a multiple of the second");
  if (D < 1 || D > 256 || D % multiple != 0)
    fail(ErrorCode::invalid_argument,
         std::string(op) + ": heads of " + std::to_string(D) +
             " numbers; on a device they have at most 256, and in bfloat16 a multiple of 8");
}

}  // namespace

void attention_forward(Context& context, const device::AttentionForward& a) {
  check_heads("attention_forward", a.H, a.K, a.D, a.precision);
  if (a.precision == Precision::bf16) attention::forward_bf16(context, a);
  else attention::forward_f32(context, a);
}

void attention_merge(Context& context, const AttentionMerge& a) {
  by_precision(a.precision, [&](auto tag) {
    using T = decltype(tag);
    const auto run = [&](auto width) {
      const dim3 grid(ceil_div(a.R * a.H * a.D, int64_t(kThreads) * width()));
      launch(context, "attention_merge", merge_kernel<T, width()>, grid, kThreads, 0, a);
    };
    if (a.D % 4 == 0) run(std::integral_constant<int, 4>{});
    else run(std::integral_constant<int, 1>{});
  });
}

void attention_backward(Context& context, const device::AttentionBackward& a) {
  check_heads("attention_backward", a.H, a.K, a.D, a.precision);
  by_precision(a.precision, [&](auto tag) {
    using T = decltype(tag);
    const auto run = [&](auto width) {
      const dim3 grid(ceil_div(a.T * a.H, kThreads / 16));
      launch(context, "attention_delta", delta_kernel<T, width()>, grid, kThreads, 0, static_cast<const T*>(a.o),
             static_cast<const T*>(a.d_o), a.delta, a.T * a.H, a.D);
    };
    if (a.D % kVector<T> == 0) run(std::integral_constant<int, kVector<T>>{});
    else run(std::integral_constant<int, 1>{});
  });
  if (a.precision == Precision::bf16) attention::backward_bf16(context, a);
  else attention::backward_f32(context, a);
}

}  // namespace exitrl::cuda
