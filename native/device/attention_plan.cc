#include "device/attention_plan.h"

#include <algorithm>
#include <string>
#include <unordered_map>

#include "core/status.h"

namespace exitrl::device {
namespace {

constexpr int64_t kTilePages = kKeyTile / kPagePositions;
// A range of keys is not cut shorter than this, in tiles: merging reads and writes partial results.
constexpr int64_t kLeastTiles = 4;
constexpr int64_t kLargePerMultiprocessor = 3, kSmallPerMultiprocessor = 2;

int64_t ranges_wanted(const AttentionPlanSettings& s, bool large) {
  return ((large ? kLargePerMultiprocessor : kSmallPerMultiprocessor) * s.multiprocessors + s.K - 1) / s.K;
}

// An item before it is cut.
struct Work {
  int32_t query, queries, table, begin, end;
  int32_t shared = -1, member = 0;  // the work in which its query meets the shared keys, and as which query there
  bool is_shared = false;
  int32_t ranges = 1, partial = -1;
  int64_t tiles() const { return (end - begin + kKeyTile - 1) / kKeyTile; }
};

class Planner {
 public:
  Planner(AttentionPlan& plan, const AttentionSpan* spans, int64_t count, const AttentionPlanSettings& settings)
      : p_(plan), spans_(spans), count_(count), s_(settings), most_queries_(item_queries(settings.H, settings.K)) {}

  void run() {
    p_.items.clear();
    p_.rows.clear();
    p_.positions.clear();
    p_.pages.clear();
    p_.merge_rows.clear();
    p_.merge_starts.assign(1, 0);
    p_.merge_parts.clear();
    p_.partials = 0;
    list_positions();
    std::vector<bool> grouped(size_t(count_), false);
    if (s_.group && most_queries_ > 1) find_groups(grouped);
    for (int64_t i = 0; i < count_; ++i)
      if (!grouped[size_t(i)]) add_span(spans_[i]);
    if (s_.split) cut();
    add_items();
    add_merges();
  }

 private:
  void list_positions() {
    int64_t rows = 0;
    for (int64_t i = 0; i < count_; ++i) rows = std::max(rows, spans_[i].row + spans_[i].rows);
    p_.positions.assign(size_t(rows), 0);
    for (int64_t i = 0; i < count_; ++i)
      for (int64_t r = 0; r < spans_[i].rows; ++r) p_.positions[size_t(spans_[i].row + r)] = int32_t(spans_[i].position + r);
  }

  // The tile of the first key that a query at this position sees.
  int32_t first_key(int64_t position) const {
    return s_.window > 0 && position >= s_.window ? int32_t((position - s_.window + 1) / kKeyTile * kKeyTile) : 0;
  }
  // Entries for positions first .. last. Where entry 0 would lie; entries before the first position are not there.
  int32_t add_table(const AttentionSpan& span, int64_t first, int64_t last) {
    const int64_t page = first / kPagePositions, table = int64_t(p_.pages.size()) - page;
    p_.pages.insert(p_.pages.end(), span.pages + page, span.pages + last / kPagePositions + 1);
    return int32_t(table);
  }

  void add_span(const AttentionSpan& span) {
    if (span.rows == 0) return;
    const int32_t table = add_table(span, first_key(span.position), span.position + span.rows - 1);
    for (int64_t first = 0; first < span.rows; first += most_queries_) {
      const int64_t queries = std::min(most_queries_, span.rows - first), position = span.position + first;
      works_.push_back({int32_t(p_.rows.size()), int32_t(queries), table, first_key(position), int32_t(position + queries)});
      for (int64_t r = 0; r < queries; ++r) p_.rows.push_back(int32_t(span.row + first + r));
    }
  }

  // Whole tiles of keys that a one-row span could share: complete, and visible to its query.
  int64_t tiles_to_share(const AttentionSpan& s) const {
    return s.rows == 1 && (s_.window == 0 || s.position < s_.window) ? s.position / kPagePositions / kTilePages : 0;
  }

  void find_groups(std::vector<bool>& grouped) {
    // Spans by their first page, in the order of the spans.
    std::unordered_map<int32_t, size_t> place;
    std::vector<std::vector<int64_t>> lists;
    for (int64_t i = 0; i < count_; ++i) {
      if (tiles_to_share(spans_[i]) == 0) continue;
      const auto [at, fresh] = place.try_emplace(spans_[i].pages[0], lists.size());
      if (fresh) lists.emplace_back();
      lists[at->second].push_back(i);
    }
    for (const auto& list : lists)
      for (size_t first = 0, last; first < list.size(); first = last) {
        const AttentionSpan& head = spans_[list[first]];
        int64_t shared = tiles_to_share(head);
        for (last = first + 1; last < list.size(); ++last) {
          const AttentionSpan& span = spans_[list[last]];
          const int64_t limit = std::min(shared, tiles_to_share(span)) * kTilePages, members = int64_t(last - first);
          const int64_t common = (std::mismatch(head.pages, head.pages + limit, span.pages).first - head.pages) / kTilePages;
          // Every member but one is spared the shared tiles.
          if (members * common <= (members - 1) * shared) break;
          shared = common;
        }
        if (last - first > 1) add_group(list, first, last, shared, grouped);
      }
  }

  void add_group(const std::vector<int64_t>& list, size_t first, size_t last, int64_t shared_tiles, std::vector<bool>& grouped) {
    const int32_t keys = int32_t(shared_tiles * kKeyTile);
    const int32_t table = add_table(spans_[list[first]], 0, keys - 1);
    for (size_t begin = first; begin < last; begin += size_t(most_queries_)) {
      const size_t end = std::min(last, begin + size_t(most_queries_));
      const int32_t shared = int32_t(works_.size());
      works_.push_back({int32_t(p_.rows.size()), int32_t(end - begin), table, 0, keys});
      works_.back().is_shared = true;
      for (size_t i = begin; i < end; ++i) p_.rows.push_back(int32_t(spans_[list[i]].row));
      for (size_t i = begin; i < end; ++i) {
        const AttentionSpan& span = spans_[list[i]];
        grouped[size_t(list[i])] = true;
        const int32_t own = add_table(span, keys, span.position);
        works_.push_back({int32_t(p_.rows.size()), 1, own, keys, int32_t(span.position + 1), shared, int32_t(i - begin)});
        p_.rows.push_back(int32_t(span.row));
      }
    }
  }

  bool is_large(int64_t queries) const { return queries * (s_.H / s_.K) > kFewRows; }

  // A small work's range has at least a fair part of all tiles, a large one's of the large works' tiles: there are at most as many
  // ranges more than works as are wanted of either kind.
  void cut() {
    int64_t large = 0, all = 0;
    for (const Work& w : works_) all += w.tiles(), large += is_large(w.queries) ? w.tiles() : 0;
    for (Work& w : works_) {
      const int64_t tiles = is_large(w.queries) ? large : all, wanted = ranges_wanted(s_, is_large(w.queries));
      w.ranges = int32_t(std::max<int64_t>(1, w.tiles() / std::max(kLeastTiles, (tiles + wanted - 1) / wanted)));
    }
  }

  void add_items() {
    for (Work& w : works_) {
      if (w.ranges > 1 || w.is_shared || w.shared >= 0) {
        w.partial = int32_t(p_.partials);
        p_.partials += int64_t(w.ranges) * w.queries;
      }
      for (int64_t r = 0; r < w.ranges; ++r) {
        const auto border = [&](int64_t i) { return w.begin + int32_t(w.tiles() * i / w.ranges * kKeyTile); };
        const int32_t partial = w.partial < 0 ? -1 : w.partial + int32_t(r) * w.queries;
        p_.items.push_back({w.query, w.queries, w.table, border(r), std::min(border(r + 1), w.end), partial});
      }
    }
    std::stable_sort(p_.items.begin(), p_.items.end(), [&](const AttentionItem& a, const AttentionItem& b) {
      if (s_.split && is_large(a.queries) != is_large(b.queries)) return is_large(a.queries);
      return a.key_end - a.key_begin > b.key_end - b.key_begin;
    });
    const auto counted = [&](const AttentionItem& item) { return is_large(item.queries); };
    const auto large = int32_t(std::count_if(p_.items.begin(), p_.items.end(), counted));
    p_.counts = {large, int32_t(p_.items.size()) - large};
  }

  void add_parts(const Work& w, int32_t query) {
    for (int32_t r = 0; r < w.ranges; ++r) p_.merge_parts.push_back(w.partial + r * w.queries + query);
  }
  void add_merges() {
    for (const Work& w : works_) {
      if (w.partial < 0 || w.is_shared) continue;
      for (int32_t query = 0; query < w.queries; ++query) {
        p_.merge_rows.push_back(p_.rows[size_t(w.query + query)]);
        if (w.shared >= 0) add_parts(works_[size_t(w.shared)], w.member);
        add_parts(w, query);
        p_.merge_starts.push_back(int32_t(p_.merge_parts.size()));
      }
    }
  }

  AttentionPlan& p_;
  const AttentionSpan* const spans_;
  const int64_t count_;
  const AttentionPlanSettings& s_;
  const int64_t most_queries_;
  std::vector<Work> works_;
};

}  // namespace

void plan_attention(AttentionPlan& plan, const AttentionSpan* spans, int64_t span_count, const AttentionPlanSettings& settings) {
  Planner(plan, spans, span_count, settings).run();
}

AttentionPlanSizes largest_attention_plan(int64_t rows, int64_t spans, const AttentionPlanSettings& s) {
  const int64_t queries = item_queries(s.H, s.K), few = std::max<int64_t>(1, kFewRows / (s.H / s.K));
  const int64_t large = s.split ? ranges_wanted(s, true) : 0, small = s.split ? ranges_wanted(s, false) : 0, ranges = large + small;
  const bool group = s.group && queries > 1;
  // m one-row spans that share pages need at most 2 m / 3 tiles for them: 1 for 2, 2 for 3.
  return {std::min(rows, rows / queries + spans) + (group ? 2 * spans / 3 : 0) + ranges, rows + (group ? spans : 0),
          ranges > 0 || group ? rows : 0, (group ? 2 * spans : 0) + large * queries + small * few};
}

void pad_attention_plan(AttentionPlan& plan, const AttentionPlanSizes& sizes) {
  const auto grow = [](auto& list, int64_t size, auto value, const char* what) {
    if (int64_t(list.size()) > size)
      fail(ErrorCode::internal,
           "an attention plan has " + std::to_string(list.size()) + " " + what + ", but room for " + std::to_string(size));
    list.resize(size_t(size), value);
  };
  grow(plan.items, sizes.items, AttentionItem{0, 0, 0, 0, 0, -1}, "items");
  grow(plan.rows, sizes.rows, 0, "rows");
  grow(plan.merge_rows, sizes.merge_rows, 0, "merged rows");
  grow(plan.merge_starts, sizes.merge_rows + 1, int32_t(plan.merge_parts.size()), "borders of merged rows");
  grow(plan.merge_parts, sizes.partials, 0, "parts");
}

namespace {

// Consecutive positions [from, to) of a span.
AttentionSegment segment(const AttentionSpan& span, int64_t from, int64_t to) {
  return {int32_t(span.row + from - span.position), int32_t(to - from), int32_t(from)};
}

}  // namespace

void plan_attention_backward(AttentionBackwardPlan& plan, const AttentionSpan* spans, const int32_t* families, int64_t F, int64_t window) {
  plan.query_items.clear();
  plan.key_items.clear();
  plan.segments.clear();
  const auto add = [&](const AttentionSpan& span, int64_t from, int64_t to) {
    from = std::max(from, span.position);
    to = std::min(to, span.position + span.rows);
    if (from < to) plan.segments.push_back(segment(span, from, to));
  };
  for (int64_t f = 0; f < F; ++f) {
    const AttentionSpan &common = spans[families[f]], *const end = spans + families[f + 1];
    for (const AttentionSpan* span = &common; span < end; ++span)
      for (int64_t first = 0; first < span->rows; first += kKeyTile) {
        const int64_t from = span->position + first, to = std::min(from + kKeyTile, span->position + span->rows);
        const int32_t queries_begin = int32_t(plan.segments.size());
        const int64_t first_key = window > 0 ? std::max<int64_t>(0, from - window + 1) : 0;
        if (span != &common) add(common, first_key, to);
        add(*span, first_key, to);
        const int32_t keys_begin = int32_t(plan.segments.size());
        const int64_t last_query = window > 0 ? to - 1 + window : INT64_MAX;
        add(*span, from, last_query);
        if (span == &common)
          for (const AttentionSpan* other = span + 1; other < end; ++other) add(*other, from, last_query);
        plan.query_items.push_back({segment(*span, from, to), queries_begin, keys_begin});
        plan.key_items.push_back({segment(*span, from, to), keys_begin, int32_t(plan.segments.size())});
      }
  }
  const auto met = [&](const AttentionBackwardItem& item) {
    int64_t rows = 0;
    for (int32_t s = item.segment_begin; s < item.segment_end; ++s) rows += plan.segments[size_t(s)].rows;
    return rows;
  };
  for (auto* items : {&plan.query_items, &plan.key_items})
    std::stable_sort(items->begin(), items->end(),
                     [&](const AttentionBackwardItem& a, const AttentionBackwardItem& b) { return met(a) > met(b); });
}

}  // namespace exitrl::device
