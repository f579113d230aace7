#include "cuda/kernel.h"
#include "cuda/ops.h"

namespace exitrl::cuda {
namespace {

constexpr int kThreads = 128;

__global__ void __launch_bounds__(kThreads)
    select_kernel(const int32_t* given, const int32_t* source, const int32_t* latest, int32_t* tokens, int64_t T) {
  const int64_t i = int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (i < T) tokens[i] = source[i] < 0 ? given[i] : latest[source[i]];
}

__global__ void __launch_bounds__(kThreads) store_kernel(const int32_t* token, const int32_t* slot, const int32_t* length, int32_t* latest,
                                                         int32_t* history, int64_t R, int64_t stride) {
  const int64_t i = int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= R || slot[i] < 0) return;
  latest[slot[i]] = token[i];
  if (history) history[slot[i] * stride + length[i]] = token[i];
}

}  // namespace

void select_tokens(Context& context, const device::SelectTokens& a) {
  launch(context, "select_tokens", select_kernel, dim3(unsigned(ceil_div(a.T, kThreads))), kThreads, 0, a.given, a.source, a.latest,
         a.tokens, a.T);
}

void store_tokens(Context& context, const device::StoreTokens& a) {
  launch(context, "store_tokens", store_kernel, dim3(unsigned(ceil_div(a.R, kThreads))), kThreads, 0, a.token, a.slot, a.length, a.latest,
         a.history, a.R, a.history_stride);
}

}  // namespace exitrl::cuda
