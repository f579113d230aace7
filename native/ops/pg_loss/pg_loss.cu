// Policy-gradient losses: up to three small kernels, whose formulas are the host's (pg_loss_terms.h).
//   shared_kernel  a block of 256 threads per sequence, only for ratios or importance weights of whole sequences: the sums of its
//                  log-ratios and log-weights and the gradient through its ratio, 3 doubles of scratch
//   token_kernel   a thread per token, 256 to a block: gradients, and the sums of the block's tokens in 21 doubles of scratch
//   total_kernel   one block, a warp per sum: adds the blocks to *sums
// Reads 24 and writes 8 bytes per token: what counts is the number of launches. Sums are taken in double: over the lanes of a
// warp, the warps of a block, the blocks; an order that depends on the number of tokens alone.
#include "cuda/kernel.h"
#include "cuda/ops.h"
#include "ops/pg_loss/pg_loss_terms.h"

namespace exitrl::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarp;
// A block's numbers: the sums of each_sum(), then these.
constexpr int kMin = pg::kSums, kMax = kMin + 1, kTokens = kMin + 2, kMismatch = kMin + 3, kNumbers = kMin + 4, kStride = 22;
constexpr int kTotalThreads = kNumbers * kWarp;

template <class Fold>
__device__ __forceinline__ double warp_fold(double x, Fold fold) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) x = fold(x, __shfl_xor_sync(0xffffffffu, x, offset));
  return x;
}
__device__ __forceinline__ double fold_number(int number, double a, double b) {
  if (number == kMin) return b < a ? b : a;
  if (number == kMax || number == kMismatch) return b > a ? b : a;
  return a + b;
}
__device__ __forceinline__ double neutral(int number) { return number == kMin ? 1e300 : 0.0; }

__device__ __forceinline__ PgTokens tokens_of(const device::PgLoss& a) {
  return {a.cu_trained, a.B, a.logprob, a.entropy, a.old_logprob, a.ref_logprob, a.behaviour, a.advantage, a.dlogprob, a.dentropy};
}
__device__ __forceinline__ double threshold_of(const device::PgLoss& a) {
  return a.entropy_threshold ? *a.entropy_threshold : a.batch.entropy_threshold;
}
__device__ __forceinline__ double* shared_of(const device::PgLoss& a, int64_t sequence) { return a.scratch + 4 * sequence; }
__device__ __forceinline__ double* block_of(const device::PgLoss& a, int64_t block) { return a.scratch + 4 * a.B + kStride * block; }

__global__ void __launch_bounds__(kThreads) shared_kernel(device::PgLoss a) {
  struct S {
    double scratch[kWarps];
  };
  auto& s = shared<S>();
  const PgTokens t = tokens_of(a);
  const pg::Terms terms{a.settings, a.batch, t, threshold_of(a)};
  const int64_t first = a.cu_trained[blockIdx.x], last = a.cu_trained[blockIdx.x + 1];
  if (last <= a.begin || first >= a.end || first == last) return;
  double log_ratios = 0, log_importances = 0, by_ratio = 0;
  const bool ratio = a.settings.ratio != RatioLevel::token, importance = a.settings.importance == ImportanceLevel::sequence;
  for (int64_t i = first + threadIdx.x; i < last; i += kThreads) {
    if (ratio) log_ratios += terms.log_ratio(i);
    if (importance) log_importances += terms.log_importance(i);
  }
  log_ratios = block_sum(log_ratios, s.scratch);
  log_importances = block_sum(log_importances, s.scratch);
  if (ratio) {
    const pg::Shared q = terms.shared(last - first, log_ratios, log_importances);
    for (int64_t i = first + threadIdx.x; i < last; i += kThreads) by_ratio += terms.token(q, i).by_log_ratio;
    by_ratio = block_sum(by_ratio, s.scratch) * q.ratio_share;
  }
  if (threadIdx.x == 0) {
    double* const out = shared_of(a, blockIdx.x);
    out[0] = log_ratios, out[1] = log_importances, out[2] = by_ratio;
  }
}

__global__ void __launch_bounds__(kThreads) token_kernel(device::PgLoss a) {
  struct S {
    double warp[kWarps][kStride];
  };
  auto& s = shared<S>();
  const PgTokens t = tokens_of(a);
  const pg::Terms terms{a.settings, a.batch, t, threshold_of(a)};
  const int64_t i = a.begin + int64_t(blockIdx.x) * kThreads + threadIdx.x;
  PgSums own;
  double mismatch = 0;
  if (i < a.end) {
    const int32_t sequence = a.sequence_of[i];
    double log_ratios = 0, log_importances = 0, by_ratio = 0;
    if (a.settings.ratio != RatioLevel::token || a.settings.importance == ImportanceLevel::sequence) {
      const double* const of = shared_of(a, sequence);
      log_ratios = of[0], log_importances = of[1], by_ratio = of[2];
    }
    const pg::Shared q = terms.shared(a.cu_trained[sequence + 1] - a.cu_trained[sequence], log_ratios, log_importances);
    terms.visit(q, by_ratio, i, own);
    if (a.behaviour) mismatch = fold_number(kMismatch, 0.0, fabsf(a.logprob[i] - a.behaviour[i]));  // NaN is not one
  }
  const int warp = int(threadIdx.x) / kWarp;
  const bool writes = threadIdx.x % kWarp == 0;
  const auto put = [&](int number, double x) {
    x = warp_fold(x, [=](double p, double q) { return fold_number(number, p, q); });
    if (writes) s.warp[warp][number] = x;
  };
  int number = 0;
  pg::each_sum(own, own, [&](double x, double) { put(number++, x); });
  put(kMin, own.ratio_min);
  put(kMax, own.ratio_max);
  put(kTokens, double(own.tokens));
  put(kMismatch, mismatch);
  __syncthreads();
  if (threadIdx.x < kNumbers) {
    double x = s.warp[0][threadIdx.x];
    for (int w = 1; w < kWarps; ++w) x = fold_number(int(threadIdx.x), x, s.warp[w][threadIdx.x]);
    block_of(a, blockIdx.x)[threadIdx.x] = x;
  }
}

__global__ void __launch_bounds__(kTotalThreads) total_kernel(device::PgLoss a, int64_t blocks) {
  struct S {
    double total[kNumbers];
  };
  auto& s = shared<S>();
  const int number = int(threadIdx.x) / kWarp;
  double x = neutral(number);
  for (int64_t b = threadIdx.x % kWarp; b < blocks; b += kWarp) x = fold_number(number, x, block_of(a, b)[number]);
  x = warp_fold(x, [=](double p, double q) { return fold_number(number, p, q); });
  if (threadIdx.x % kWarp == 0) s.total[number] = x;
  __syncthreads();
  if (threadIdx.x != 0) return;
  PgSums& sums = *a.sums;
  int next = 0;
  pg::each_sum(sums, sums, [&](double& to, double) { to += s.total[next++]; });
  sums.ratio_min = fold_number(kMin, sums.ratio_min, s.total[kMin]);
  sums.ratio_max = fold_number(kMax, sums.ratio_max, s.total[kMax]);
  sums.tokens += int64_t(s.total[kTokens]);
  if (a.mismatch && a.behaviour) *a.mismatch = fmaxf(*a.mismatch, float(s.total[kMismatch]));
}

}  // namespace

void pg_loss(Context& context, const device::PgLoss& a) {
  if (a.begin >= a.end) return;
  if (a.settings.ratio != RatioLevel::token || a.settings.importance == ImportanceLevel::sequence)
    launch(context, "pg_loss_shared", shared_kernel, dim3(a.B), kThreads, sizeof(double) * kWarps, a);
  const int64_t blocks = ceil_div(a.end - a.begin, kThreads);
  launch(context, "pg_loss_tokens", token_kernel, dim3(blocks), kThreads, sizeof(double) * kWarps * kStride, a);
  launch(context, "pg_loss_total", total_kernel, dim3(1), kTotalThreads, sizeof(double) * kNumbers, a, blocks);
}

}  // namespace exitrl::cuda
