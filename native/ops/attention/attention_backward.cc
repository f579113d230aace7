#include <algorithm>
#include <type_traits>

#include "ops/attention/attention.h"
#include "ops/matmul/scratch.h"

#define EXITRL_KERNELS "ops/attention/attention_backward.inl"
#include "core/simd/foreach_isa.h"

namespace exitrl {
namespace {

thread_local Scratch scratch;

// Below this a second thread costs more to wake than it saves.
constexpr double kSerialFlops = 2e5;

}  // namespace

void attention_backward(Pool& pool, const AttentionBackward& a) {
  const auto kernel = EXITRL_DISPATCH(attention_family_backward);
  double flops = 0;
  for (int64_t i = 0; i < a.families[a.F]; ++i) {
    const AttentionSpan& span = a.spans[i];
    flops += 10 * double(span.rows) * double(span.position + span.rows) * double(a.H * a.D);
  }
  const int64_t tasks = a.F * a.K;
  const auto compute = [&](int64_t task, int) { kernel(a, task / a.K, task % a.K, scratch); };
  if (flops < kSerialFlops)
    for (int64_t task = 0; task < tasks; ++task) compute(task, 0);
  else pool.parallel_tasks(tasks, compute);
}

}  // namespace exitrl
