#include "device/batch_plan.h"

#include <algorithm>
#include <numeric>

#include "ops/embedding/embedding_device.h"

namespace exitrl::device {

BatchPlan plan_batch(const MicroBatch& micro) {
  BatchPlan plan;
  const int64_t T = micro.T(), N = micro.N();
  int32_t long_end = 0;
  std::vector<int32_t> sorted(static_cast<size_t>(T));
  std::iota(sorted.begin(), sorted.end(), 0);
  std::stable_sort(sorted.begin(), sorted.end(), [&](int32_t a, int32_t b) { return micro.tokens[size_t(a)] < micro.tokens[size_t(b)]; });
  // Tokens of several pieces first.
  for (const bool several : {true, false})
    for (int64_t begin = 0, end; begin < T; begin = end) {
      const int32_t token = micro.tokens[size_t(sorted[size_t(begin)])];
      for (end = begin + 1; end < T && micro.tokens[size_t(sorted[size_t(end)])] == token;) ++end;
      if ((end - begin > kEmbeddingRows) != several) continue;
      if (several) plan.long_starts.push_back(int32_t(plan.token_ids.size()));
      for (int64_t at = begin; at < end; at += kEmbeddingRows) {
        plan.token_ids.push_back(token);
        plan.token_starts.push_back(int32_t(plan.token_order.size()));
        plan.token_order.insert(plan.token_order.end(), sorted.begin() + at, sorted.begin() + std::min(end, at + kEmbeddingRows));
      }
      if (several) long_end = int32_t(plan.token_ids.size());
    }
  plan.token_starts.push_back(int32_t(T));
  plan.long_starts.push_back(long_end);

  plan.scatter_starts.assign(size_t(T) + 1, 0);
  for (int64_t row : micro.rows) ++plan.scatter_starts[size_t(row) + 1];
  std::partial_sum(plan.scatter_starts.begin(), plan.scatter_starts.end(), plan.scatter_starts.begin());
  plan.scatter_index.resize(size_t(N));
  std::vector<int32_t> next(plan.scatter_starts.begin(), plan.scatter_starts.end() - 1);
  for (int64_t i = 0; i < N; ++i) plan.scatter_index[size_t(next[size_t(micro.rows[size_t(i)])]++)] = int32_t(i);
  return plan;
}

}  // namespace exitrl::device
