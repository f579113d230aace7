#include "ops/glu/glu.h"

#include "ops/rows.h"

#define EXITRL_KERNELS "ops/glu/glu.inl"
#include "core/simd/foreach_isa.h"

namespace exitrl {

void glu_forward(Pool& pool, const GluForward& a) {
  const auto rows = EXITRL_DISPATCH(glu_forward_rows);
  pool.parallel_for(a.T, row_grain(2 * a.F), [&](int64_t begin, int64_t end, int) { rows(a, begin, end); });
}

void glu_backward(Pool& pool, const GluBackward& a) {
  const auto rows = EXITRL_DISPATCH(glu_backward_rows);
  pool.parallel_for(a.T, row_grain(2 * a.F), [&](int64_t begin, int64_t end, int) { rows(a, begin, end); });
}

}  // namespace exitrl
