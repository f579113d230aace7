#include "ops/attention/attention.h"

#include <algorithm>
#include <type_traits>

#include "ops/matmul/scratch.h"

#define EXITRL_KERNELS "ops/attention/attention.inl"
#include "core/simd/foreach_isa.h"

namespace exitrl {
namespace {

thread_local Scratch scratch;

// Rows (query rows times heads of a group) of a tile: enough to use each page many times from the cache.
constexpr int64_t kTargetRows = 96;
// Scores of a tile, in floats: they should stay in the second-level cache.
constexpr int64_t kScoreFloats = 1 << 17;
// Below this a second thread costs more to wake than it saves.
constexpr double kSerialFlops = 2e5;

struct TileTask {
  const AttentionSpan* span;
  int64_t first, rows;
};

int64_t visible_keys(const AttentionSpan& span, int64_t window) {
  const int64_t keys = span.position + span.rows;
  return window > 0 ? std::min(keys, window + span.rows) : keys;
}

}  // namespace

void kv_append(Pool& pool, const KvAppend& a) {
  const int64_t head_floats = a.D * kLanes;
  int64_t rows = 0;
  for (int64_t i = 0; i < a.span_count; ++i) rows += a.spans[i].rows;
  const auto append = [&](const AttentionSpan& span, int64_t head) {
    for (int64_t r = 0; r < span.rows; ++r) {
      const int64_t position = span.position + r, slot = position % kLanes;
      const int64_t page = span.pages[position / kLanes] * a.page_stride + head * head_floats;
      const float* const k = a.k + (span.row + r) * a.kv_stride + head * a.D;
      const float* const v = a.v + (span.row + r) * a.kv_stride + head * a.D;
      float* const keys = a.keys + page + slot;
      for (int64_t d = 0; d < a.D; ++d) keys[d * kLanes] = k[d];
      std::copy(v, v + a.D, a.values + page + slot * a.D);
    }
  };
  const int64_t tasks = a.span_count * a.K;
  // Copying a float costs about as much as ten multiply-adds.
  const int64_t grain = double(rows * a.K * a.D) * 20 < kSerialFlops ? std::max<int64_t>(1, tasks) : 1;
  pool.parallel_for(tasks, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t task = begin; task < end; ++task) append(a.spans[task / a.K], task % a.K);
  });
}

void attention_forward(Pool& pool, const AttentionForward& a) {
  const int64_t group = a.H / a.K;
  int64_t total_rows = 0;
  double flops = 0;
  for (int64_t i = 0; i < a.span_count; ++i) {
    total_rows += a.spans[i].rows;
    flops += 4.0 * double(a.spans[i].rows * a.H * a.D) * double(visible_keys(a.spans[i], a.window));
  }
  // Few rows: smaller tiles, so that every thread gets some.
  const int64_t share = std::max<int64_t>(8, total_rows * a.K / (4 * pool.size()));
  thread_local std::vector<TileTask> tiles;
  tiles.clear();
  for (int64_t i = 0; i < a.span_count; ++i) {
    const AttentionSpan& span = a.spans[i];
    const int64_t limit = std::min(kTargetRows, kScoreFloats / visible_keys(span, a.window));
    const int64_t step = std::clamp<int64_t>(limit / group, 1, share);
    for (int64_t first = 0; first < span.rows; first += step)
      tiles.push_back({&span, first, std::min(step, span.rows - first)});
  }

  const auto kernel = EXITRL_DISPATCH(attention_tile);
  const TileTask* const list = tiles.data();
  const int64_t tasks = int64_t(tiles.size()) * a.K;
  const auto compute = [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const TileTask& tile = list[task / a.K];
      kernel(a, *tile.span, task % a.K, tile.first, tile.rows, scratch);
    }
  };
  if (flops < kSerialFlops) return compute(0, tasks);
  // A decode step has thousands of small tasks: hand them out by the dozen.
  const int64_t chunk = std::clamp<int64_t>(tasks / (16 * pool.size()), 1, 64);
  pool.parallel_tasks((tasks + chunk - 1) / chunk, [&](int64_t index, int) {
    compute(index * chunk, std::min(tasks, (index + 1) * chunk));
  });
}

}  // namespace exitrl
