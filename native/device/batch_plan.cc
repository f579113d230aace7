#include "device/batch_plan.h"

#include <algorithm>
#include <numeric>

namespace exitrl::device {

BatchPlan plan_batch(const MicroBatch& micro) {
  BatchPlan plan;
  const int64_t T = micro.T(), N = micro.N();
  plan.token_order.resize(size_t(T));
  std::iota(plan.token_order.begin(), plan.token_order.end(), 0);
  std::stable_sort(plan.token_order.begin(), plan.token_order.end(), [&](int32_t a, int32_t b) { return micro.tokens[size_t(a)] < micro.tokens[size_t(b)]; });
  for (int64_t i = 0; i < T; ++i) {
    const int32_t token = micro.tokens[size_t(plan.token_order[size_t(i)])];
    if (!plan.token_ids.empty() && plan.token_ids.back() == token) continue;
    plan.token_ids.push_back(token);
    plan.token_starts.push_back(int32_t(i));
  }
  plan.token_starts.push_back(int32_t(T));

  plan.scatter_starts.assign(size_t(T) + 1, 0);
  for (int64_t row : micro.rows) ++plan.scatter_starts[size_t(row) + 1];
  std::partial_sum(plan.scatter_starts.begin(), plan.scatter_starts.end(), plan.scatter_starts.begin());
  plan.scatter_index.resize(size_t(N));
  std::vector<int32_t> next(plan.scatter_starts.begin(), plan.scatter_starts.end() - 1);
  for (int64_t i = 0; i < N; ++i) plan.scatter_index[size_t(next[size_t(micro.rows[size_t(i)])]++)] = int32_t(i);
  return plan;
}

}  // namespace exitrl::device
