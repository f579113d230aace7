#include <numeric>

#include "../check.h"
#include "device/batch_plan.h"

using namespace exitrl;

TEST(device_batch_plans_sort_rows_and_targets) {
  MicroBatch micro;
  micro.tokens = {5, 2, 5, 9, 2, 5};
  micro.rows = {4, 0, 4, 4, 1};
  micro.targets = {1, 1, 1, 1, 1};
  const device::BatchPlan plan = device::plan_batch(micro);
  CHECK(plan.token_order == std::vector<int32_t>({1, 4, 0, 2, 5, 3}));
  CHECK(plan.token_starts == std::vector<int32_t>({0, 2, 5, 6}));
  CHECK(plan.token_ids == std::vector<int32_t>({2, 5, 9}));
  CHECK(plan.scatter_starts == std::vector<int32_t>({0, 1, 2, 2, 2, 5, 5}));
  CHECK(plan.scatter_index == std::vector<int32_t>({1, 4, 0, 2, 3}));
}
