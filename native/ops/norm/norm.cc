#include "ops/norm/norm.h"

#include <cstring>
#include <vector>

#include "ops/rows.h"

#define EXITRL_KERNELS "ops/norm/norm.inl"
#include "core/simd/foreach_isa.h"

namespace exitrl {

double sum_of_squares(Pool& pool, const float* x, int64_t n) {
  constexpr int64_t kBlock = 4096;
  const auto squares = EXITRL_DISPATCH(squares_of_block);
  std::vector<double> sums(size_t((n + kBlock - 1) / kBlock));
  pool.parallel_for(int64_t(sums.size()), row_grain(kBlock), [&](int64_t begin, int64_t end, int) {
    for (int64_t block = begin; block < end; ++block)
      sums[size_t(block)] = squares(x + block * kBlock, std::min(kBlock, n - block * kBlock));
  });
  double total = 0;
  for (double sum : sums) total += sum;
  return total;
}

void moving_average(Pool& pool, float* target, const float* source, int64_t n, float a) {
  const auto average = EXITRL_DISPATCH(moving_average_range);
  pool.parallel_for(n, kBlockElements, [&](int64_t begin, int64_t end, int) {
    if (a == 1.0f) {
      std::memcpy(target + begin, source + begin, size_t(end - begin) * sizeof(float));
    } else {
      average(target + begin, source + begin, end - begin, a);
    }
  });
}

}  // namespace exitrl
