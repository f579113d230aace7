#include "ops/rmsnorm/rmsnorm.h"

#include "ops/rows.h"

#define EXITRL_KERNELS "ops/rmsnorm/rmsnorm.inl"
#include "core/simd/foreach_isa.h"

namespace exitrl {

void rmsnorm_forward(Pool& pool, const RmsNormForward& a) {
  const auto rows = EXITRL_DISPATCH(rmsnorm_forward_rows);
  pool.parallel_for(a.T * a.heads, row_grain(a.C), [&](int64_t begin, int64_t end, int) { rows(a, begin, end); });
}

void rmsnorm_backward(Pool& pool, const RmsNormBackward& a) {
  const auto rows = EXITRL_DISPATCH(rmsnorm_backward_rows);
  const auto channels = EXITRL_DISPATCH(rmsnorm_backward_channels);
  const int64_t count = a.T * a.heads, grain = row_grain(a.C);
  if (pool.size() == 1 || count <= grain) {
    // Few rows at a time, so that the second pass finds them in the cache. dw first: dx may overwrite dy.
    const int64_t step = std::max<int64_t>(1, grain / 4);
    for (int64_t begin = 0; begin < count; begin += step) {
      const int64_t end = std::min(count, begin + step);
      if (a.dw) channels(a, begin, end, 0, a.C);
      rows(a, begin, end);
    }
    return;
  }
  if (a.dw) pool.parallel_for(a.C, 16, [&](int64_t begin, int64_t end, int) { channels(a, 0, count, begin, end); });
  pool.parallel_for(count, grain, [&](int64_t begin, int64_t end, int) { rows(a, begin, end); });
}

}  // namespace exitrl
