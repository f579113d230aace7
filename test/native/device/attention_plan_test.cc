// Plans of attention: every query meets every key it may see exactly once, whatever is shared or split.
#include <map>
#include <random>
#include <set>

#include "../check.h"
#include "device/attention_plan.h"

using namespace exitrl;
using namespace exitrl::device;

namespace {

struct Spans {
  std::vector<AttentionSpan> spans;
  std::vector<std::vector<int32_t>> tables;
  int64_t rows = 0;
  void add(int64_t position, int64_t n, std::vector<int32_t> table) {
    table.resize(size_t((position + n + 15) / 16));
    tables.push_back(std::move(table));
    spans.push_back({rows, n, position, nullptr});
    rows += n;
  }
  const AttentionSpan* data() {
    for (size_t i = 0; i < spans.size(); ++i) spans[i].pages = tables[i].data();
    return spans.data();
  }
  int64_t entries() const {
    int64_t n = 0;
    for (const auto& t : tables) n += int64_t(t.size());
    return n;
  }
};

std::vector<int32_t> table(int64_t first, int64_t n) {
  std::vector<int32_t> out;
  for (int64_t i = 0; i < n; ++i) out.push_back(int32_t(first + i));
  return out;
}

// Which page each key position of a row is read from, over all items of the row; fails on a position that is met twice.
void check_plan(Spans& s, const AttentionPlanSettings& settings) {
  const AttentionPlan plan = plan_attention(s.data(), int64_t(s.spans.size()), settings);
  std::map<int32_t, std::map<int64_t, int32_t>> met;  // row -> position -> page
  std::map<int32_t, std::vector<int32_t>> partials;   // row -> in the order of items
  std::set<int32_t> finished;
  for (const AttentionItem& item : plan.items) {
    CHECK(item.key_begin % kKeyTile == 0 && item.key_begin < item.key_end);
    CHECK(item.queries >= 1 && item.queries <= item_queries(settings.H, settings.K));
    for (int32_t q = 0; q < item.queries; ++q) {
      const int32_t row = plan.rows[size_t(item.query + q)];
      for (int64_t p = item.key_begin; p < item.key_end; ++p) CHECK(met[row].emplace(p, plan.pages[size_t(item.table + p / 16)]).second);
      if (item.partial < 0) CHECK(finished.insert(row).second);
      else partials[row].push_back(item.partial + q);
    }
  }
  std::map<int32_t, std::vector<int32_t>> merged;
  for (size_t i = 0; i < plan.merge_rows.size(); ++i)
    merged[plan.merge_rows[i]] = {plan.merge_parts.begin() + plan.merge_starts[i], plan.merge_parts.begin() + plan.merge_starts[i + 1]};
  CHECK(merged == partials);
  for (size_t i = 0; i < s.spans.size(); ++i)
    for (int64_t r = 0; r < s.spans[i].rows; ++r) {
      const auto row = int32_t(s.spans[i].row + r);
      const int64_t position = s.spans[i].position + r;
      CHECK(finished.contains(row) != merged.contains(row));
      const int64_t first = settings.window > 0 ? std::max<int64_t>(0, position - settings.window + 1) : 0;
      for (int64_t p = first; p <= position; ++p) CHECK(met[row].contains(p) && met[row][p] == s.tables[i][size_t(p / 16)]);
    }
  const AttentionBounds bounds = attention_bounds(s.rows, int64_t(s.spans.size()), s.entries());
  CHECK(plan.partials <= bounds.partials);
  const auto padded = [](size_t bytes) { return int64_t((bytes + 15) / 16 * 16); };
  CHECK(padded(plan.items.size() * sizeof(AttentionItem)) + padded(plan.rows.size() * 4) + padded(plan.pages.size() * 4) + padded(plan.merge_rows.size() * 4) +
            padded(plan.merge_starts.size() * 4) + padded(plan.merge_parts.size() * 4) <=
        bounds.bytes);
}

}  // namespace

TEST(device_attention_plans_meet_every_key_once) {
  for (const auto& [H, K] : {std::pair<int64_t, int64_t>{4, 4}, {8, 2}, {7, 1}, {128, 1}})
    for (int64_t window : {0, 1, 40, 200})
      for (int64_t busy : {0, 8, 264}) {
        Spans s;
        s.add(0, 100, table(0, 7));
        s.add(37, 5, table(10, 3));
        // A group with eight full pages in common, one that shares four, one alone, and one whose first page is another's.
        for (int64_t i = 0; i < 5; ++i) {
          auto own = table(20, 8);
          own.push_back(int32_t(100 + i));
          s.add(128 + i, 1, own);
        }
        auto less = table(20, 4);
        less.push_back(200);
        s.add(70, 1, less);
        s.add(2000, 1, table(300, 126));
        s.add(3, 1, table(20, 1));
        s.add(0, 1, table(600, 1));
        check_plan(s, {H, K, window, busy});
      }
}

TEST(device_attention_plans_share_and_split) {
  Spans group;
  for (int64_t i = 0; i < 16; ++i) {
    auto own = table(0, 32);
    own.push_back(int32_t(100 + i));
    group.add(512 + i % 3, 1, own);
  }
  const AttentionPlan together = plan_attention(group.data(), 16, {16, 8, 0, 1});
  // Two heads a group: all sixteen are one tile over the 512 shared keys; each has a rest of its own.
  CHECK(together.items.size() == 17);
  CHECK(together.items[0].queries == 16 && together.items[0].key_end == 512);
  CHECK(together.partials == 32);
  const AttentionPlan apart = plan_attention(group.data(), 16, {16, 8, 0, 0});
  CHECK(apart.items.size() == 16 && apart.partials == 0 && apart.merge_rows.empty());

  Spans alone;
  alone.add(8191, 1, table(0, 512));
  CHECK(plan_attention(alone.data(), 1, {16, 8, 0, 264}).items.size() == 32);  // pieces of 256 keys
  CHECK(plan_attention(alone.data(), 1, {16, 8, 0, 8}).items.size() == 1);
}

TEST(device_attention_backward_plans_meet_every_pair_once) {
  // Families: one alone; three that share 70 rows; two that share 5.
  const std::vector<AttentionSpan> spans{{0, 130, 0, nullptr},  {130, 70, 0, nullptr}, {200, 1, 70, nullptr}, {201, 66, 70, nullptr},
                                         {267, 10, 70, nullptr}, {277, 5, 0, nullptr},  {282, 3, 5, nullptr},  {285, 90, 5, nullptr}};
  const std::vector<int32_t> families{0, 1, 5, 8};
  const auto position_of = [&](int64_t row) {
    for (const auto& s : spans)
      if (row >= s.row && row < s.row + s.rows) return s.position + row - s.row;
    return int64_t{-1};
  };
  for (int64_t window : {0, 1, 64, 77}) {
    std::set<std::pair<int64_t, int64_t>> want;
    for (size_t f = 0; f + 1 < families.size(); ++f)
      for (int32_t i = families[f]; i < families[f + 1]; ++i)
        for (int64_t q = spans[size_t(i)].row; q < spans[size_t(i)].row + spans[size_t(i)].rows; ++q)
          for (int32_t j : {families[f], i})
            for (int64_t k = spans[size_t(j)].row; k < spans[size_t(j)].row + spans[size_t(j)].rows; ++k) {
              const int64_t distance = position_of(q) - position_of(k);
              if (distance >= 0 && (window == 0 || distance < window)) want.insert({q, k});
            }
    const AttentionBackwardPlan plan = plan_attention_backward(spans.data(), families.data(), 3, window);
    for (const bool of_queries : {true, false}) {
      std::set<std::pair<int64_t, int64_t>> got;
      std::set<int64_t> tiled;
      for (const AttentionBackwardItem& item : of_queries ? plan.query_items : plan.key_items) {
        CHECK(item.tile.rows >= 1 && item.tile.rows <= kKeyTile);
        for (int32_t r = 0; r < item.tile.rows; ++r) {
          const int64_t row = item.tile.row + r;
          CHECK(tiled.insert(row).second);
          CHECK(position_of(row) == item.tile.position + r);
          for (int32_t s = item.segment_begin; s < item.segment_end; ++s)
            for (int32_t o = 0; o < plan.segments[size_t(s)].rows; ++o) {
              const int64_t other = plan.segments[size_t(s)].row + o;
              CHECK(position_of(other) == plan.segments[size_t(s)].position + o);
              const auto pair = of_queries ? std::pair{row, other} : std::pair{other, row};
              const int64_t distance = position_of(pair.first) - position_of(pair.second);
              if (distance >= 0 && (window == 0 || distance < window)) CHECK(got.insert(pair).second);
            }
        }
      }
      CHECK(tiled.size() == 375);
      CHECK(got == want);
    }
  }
}
