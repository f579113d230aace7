#include "ops/embedding/embedding.h"

#include "ops/rows.h"

#define EXITRL_KERNELS "ops/embedding/embedding.inl"
#include "core/simd/foreach_isa.h"

namespace exitrl {

void embedding_forward(Pool& pool, const EmbeddingForward& a) {
  const auto rows = EXITRL_DISPATCH(embedding_forward_rows);
  pool.parallel_for(a.T, row_grain(a.C), [&](int64_t begin, int64_t end, int) { rows(a, begin, end); });
}

void embedding_backward(Pool& pool, const EmbeddingBackward& a) {
  const auto channels = EXITRL_DISPATCH(embedding_backward_channels);
  const int64_t grain = a.T * a.C < kBlockElements ? std::max<int64_t>(1, a.C) : 16;
  pool.parallel_for(a.C, grain, [&](int64_t begin, int64_t end, int) { channels(a, begin, end); });
}

}  // namespace exitrl
