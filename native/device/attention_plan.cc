#include "device/attention_plan.h"

#include <algorithm>

namespace exitrl::device {
namespace {

constexpr int64_t kPagesPerTile = kKeyTile / kPagePositions;
constexpr int64_t kShortestPiece = 4 * kKeyTile;  // keys; shorter pieces cost more in merging than they gain

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t entries_of(const AttentionSpan& s) { return ceil_div(s.position + s.rows, kPagePositions); }
int64_t first_tile(int64_t position, int64_t window) {
  return window > 0 ? std::max<int64_t>(0, position - window + 1) / kKeyTile * kKeyTile : 0;
}

class Planner {
 public:
  Planner(const AttentionSpan* spans, int64_t count, const AttentionPlanSettings& settings)
      : spans_(spans), count_(count), s_(settings), most_(item_queries(settings.H, settings.K)) {}

  AttentionPlan run() {
    for (int64_t i = 0; i < count_; ++i) {
      tables_.push_back(int32_t(plan_.pages.size()));
      plan_.pages.insert(plan_.pages.end(), spans_[i].pages, spans_[i].pages + entries_of(spans_[i]));
    }
    choose_piece();
    for (int64_t i = 0; i < count_;) {
      if (spans_[i].rows > 1 || s_.busy_blocks == 0) add_whole(i++);
      else i = add_single(i);
    }
    plan_.merge_starts.push_back(int32_t(plan_.merge_parts.size()));
    return std::move(plan_);
  }

 private:
  // The length of a piece that makes about busy_blocks blocks of all single rows.
  void choose_piece() {
    int64_t keys = 0;
    for (int64_t i = 0; i < count_; ++i)
      if (spans_[i].rows == 1) keys += spans_[i].position + 1 - first_tile(spans_[i].position, s_.window);
    if (s_.busy_blocks > 0) piece_ = std::max(kShortestPiece, ceil_div(ceil_div(keys * s_.K, s_.busy_blocks), kKeyTile) * kKeyTile);
  }

  void add_whole(int64_t i) {
    const AttentionSpan& span = spans_[i];
    for (int64_t from = 0; from < span.rows; from += most_) {
      const int64_t n = std::min(most_, span.rows - from);
      const auto query = int32_t(plan_.rows.size());
      for (int64_t r = 0; r < n; ++r) plan_.rows.push_back(int32_t(span.row + from + r));
      plan_.items.push_back({query, int32_t(n), tables_[size_t(i)], int32_t(first_tile(span.position + from, s_.window)), int32_t(span.position + from + n), -1});
    }
  }

  // Pages at the beginning that are full and the same in both.
  int64_t common_pages(int64_t a, int64_t b, int64_t limit) const {
    limit = std::min(limit, (spans_[b].position + 1) / kPagePositions);
    int64_t n = 0;
    while (n < limit && spans_[a].pages[n] == spans_[b].pages[n]) ++n;
    return n / kPagesPerTile * kPagesPerTile;
  }

  // The group of single rows that begins at i; where the next one begins. With a window nothing is shared: its rows leave the
  // shared pages at different times.
  int64_t add_single(int64_t i) {
    int64_t end = i + 1, shared = (spans_[i].position + 1) / kPagePositions / kPagesPerTile * kPagesPerTile;
    if (s_.window == 0)
      for (; end < count_ && spans_[end].rows == 1; ++end) {
        const int64_t common = common_pages(i, end, shared);
        // A member that shares much less would take from the others what they share.
        if (common < kPagesPerTile || common * 2 < shared) break;
        shared = common;
      }
    if (end == i + 1) shared = 0;
    std::vector<std::vector<int32_t>> parts(size_t(end - i));
    if (shared > 0)
      for (int64_t from = i; from < end; from += most_) {
        const int64_t n = std::min(most_, end - from);
        add_pieces(from, n, 0, shared * kPagePositions, &parts[size_t(from - i)], true);
      }
    for (int64_t m = i; m < end; ++m) {
      const int64_t begin = shared > 0 ? shared * kPagePositions : first_tile(spans_[m].position, s_.window);
      if (begin <= spans_[m].position) add_pieces(m, 1, begin, spans_[m].position + 1, &parts[size_t(m - i)], shared > 0);
    }
    for (int64_t m = i; m < end; ++m) {
      const auto& mine = parts[size_t(m - i)];
      if (mine.empty()) continue;  // its one item finishes it
      plan_.merge_rows.push_back(int32_t(spans_[m].row));
      plan_.merge_starts.push_back(int32_t(plan_.merge_parts.size()));
      plan_.merge_parts.insert(plan_.merge_parts.end(), mine.begin(), mine.end());
    }
    return end;
  }

  // Rows i .. i + n against keys [begin, end): parts[m] gets the partial results of row i + m.
  void add_pieces(int64_t i, int64_t n, int64_t begin, int64_t end, std::vector<int32_t>* parts, bool partial) {
    const auto query = int32_t(plan_.rows.size());
    for (int64_t m = 0; m < n; ++m) plan_.rows.push_back(int32_t(spans_[i + m].row));
    partial |= end - begin > piece_;
    for (int64_t from = begin; from < end; from += piece_) {
      plan_.items.push_back({query, int32_t(n), tables_[size_t(i)], int32_t(from), int32_t(std::min(end, from + piece_)), partial ? int32_t(plan_.partials) : -1});
      if (!partial) return;
      for (int64_t m = 0; m < n; ++m) parts[m].push_back(int32_t(plan_.partials++));
    }
  }

  const AttentionSpan* const spans_;
  const int64_t count_;
  const AttentionPlanSettings s_;
  const int64_t most_;
  int64_t piece_ = kShortestPiece;
  std::vector<int32_t> tables_;
  AttentionPlan plan_;
};

void add_segment(AttentionBackwardPlan& plan, const AttentionSegment& s) {
  if (s.rows > 0) plan.segments.push_back(s);
}

// Rows of a span at positions [from, to), as far as it has them.
AttentionSegment part_of(const AttentionSpan& s, int64_t from, int64_t to) {
  from = std::max(from, s.position);
  to = std::min(to, s.position + s.rows);
  return {int32_t(s.row + from - s.position), int32_t(std::max<int64_t>(0, to - from)), int32_t(from)};
}

}  // namespace

AttentionPlan plan_attention(const AttentionSpan* spans, int64_t count, const AttentionPlanSettings& settings) { return Planner(spans, count, settings).run(); }

AttentionBounds attention_bounds(int64_t rows, int64_t spans, int64_t entries) {
  // A single row has a piece for every kShortestPiece keys, and two ends; other items finish their queries.
  const int64_t pieces = ceil_div(entries * kPagePositions, kShortestPiece) + 2 * spans;
  const auto padded = [](int64_t bytes) { return ceil_div(bytes, 16) * 16; };
  const int64_t items = rows + pieces, queries = rows + pieces;
  return {items, queries, pieces, padded(items * int64_t(sizeof(AttentionItem))) + padded(queries * 4) + padded(entries * 4) + 2 * padded((spans + 1) * 4) + padded(pieces * 4)};
}

AttentionBackwardPlan plan_attention_backward(const AttentionSpan* spans, const int32_t* families, int64_t F, int64_t window) {
  AttentionBackwardPlan plan;
  constexpr int64_t kAll = int64_t{1} << 40;
  const int64_t reach = window > 0 ? window : kAll;
  for (int64_t f = 0; f < F; ++f) {
    const int32_t first = families[f], end = families[f + 1];
    for (int32_t i = first; i < end; ++i) {
      const AttentionSpan& span = spans[i];
      for (int64_t from = span.position; from < span.position + span.rows; from += kKeyTile) {
        const AttentionSegment tile = part_of(span, from, from + kKeyTile);
        const int64_t last = from + tile.rows - 1;
        auto begin = int32_t(plan.segments.size());
        if (i > first) add_segment(plan, part_of(spans[first], from - reach + 1, span.position));
        add_segment(plan, part_of(span, from - reach + 1, last + 1));
        plan.query_items.push_back({tile, begin, int32_t(plan.segments.size())});

        begin = int32_t(plan.segments.size());
        add_segment(plan, part_of(span, from, last + reach));
        if (i == first)
          for (int32_t other = first + 1; other < end; ++other) add_segment(plan, part_of(spans[other], from, last + reach));
        plan.key_items.push_back({tile, begin, int32_t(plan.segments.size())});
      }
    }
  }
  return plan;
}

}  // namespace exitrl::device
