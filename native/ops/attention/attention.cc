#include "ops/attention/attention.h"

#include <algorithm>
#include <type_traits>

#include "ops/matmul/scratch.h"

namespace exitrl {

// Rows [first, first + rows) of one span, or the one row of each of several spans that share their first pages.
struct TileTask {
  const AttentionSpan* spans;
  int64_t span_count;
  int64_t shared_pages;
  int64_t first, rows;
};

}  // namespace exitrl

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

int64_t visible_keys(const AttentionSpan& span, int64_t window) {
  const int64_t keys = span.position + span.rows;
  return window > 0 ? std::min(keys, window + span.rows) : keys;
}

// Several spans from `spans` on, of one row each, whose first pages are the same: a decoding step of a group of samples.
// A span joins if that saves reading pages. Returns how many, and how many pages they share.
std::pair<int64_t, int64_t> spans_that_share(const AttentionForward& a, const AttentionSpan* spans, int64_t most) {
  // Every shared page must be complete and visible to all.
  const auto complete = [&](const AttentionSpan& s) {
    return s.rows == 1 && (a.window == 0 || s.position < a.window) ? s.position / kLanes : 0;
  };
  int64_t shared = complete(spans[0]), longest = visible_keys(spans[0], a.window), count = 1;
  for (; count < most; ++count) {
    const int64_t limit = std::min(shared, complete(spans[count])), rows = (count + 1) * a.H / a.K;
    const int64_t common = std::mismatch(spans[0].pages, spans[0].pages + limit, spans[count].pages).first - spans[0].pages;
    longest = std::max(longest, visible_keys(spans[count], a.window));
    if (count * common <= (count - 1) * shared || rows > kTargetRows || rows * longest > kScoreFloats) break;
    shared = common;
  }
  return {count, shared};
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
  for (int64_t i = 0, taken; i < a.span_count; i += taken) {
    const AttentionSpan& span = a.spans[i];
    taken = 1;
    if (span.rows == 1) {
      const auto [count, shared] = spans_that_share(a, &span, std::min(a.span_count - i, share));
      if (count > 1) {
        tiles.push_back({&span, count, shared, 0, 0});
        taken = count;
        continue;
      }
    }
    const int64_t limit = std::min(kTargetRows, kScoreFloats / visible_keys(span, a.window));
    const int64_t step = std::clamp<int64_t>(limit / group, 1, share);
    for (int64_t first = 0; first < span.rows; first += step)
      tiles.push_back({&span, 1, 0, first, std::min(step, span.rows - first)});
  }

  const auto kernel = EXITRL_DISPATCH(attention_tile);
  const TileTask* const list = tiles.data();
  const int64_t tasks = int64_t(tiles.size()) * a.K;
  const auto compute = [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const TileTask& tile = list[task / a.K];
      kernel(a, tile, task % a.K, scratch);
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
