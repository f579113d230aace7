// How row-wise ops share rows between threads.
#pragma once
#include <algorithm>
#include <cstdint>

namespace exitrl {

// Rows per block for Pool::parallel_for: a block below this many elements costs less than waking a thread.
constexpr int64_t kBlockElements = 16384;
inline int64_t row_grain(int64_t width) { return std::max<int64_t>(1, kBlockElements / std::max<int64_t>(1, width)); }

}  // namespace exitrl
