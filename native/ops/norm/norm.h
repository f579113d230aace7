// Global gradient norm. Sums of squares in double over fixed blocks of 4096 elements, then over the blocks in order:
// independent of the number of threads.
#pragma once
#include <cstdint>

#include "core/pool.h"

namespace exitrl {

double sum_of_squares(Pool& pool, const float* x, int64_t n);
// target = a * source + (1 - a) * target: the moving reference policy. a = 1 copies bit for bit.
void moving_average(Pool& pool, float* target, const float* source, int64_t n, float a);

}  // namespace exitrl
