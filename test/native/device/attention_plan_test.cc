// Plans of attention: every visible key meets its query exactly once, in order, and sizes stay below what is promised.
#include "device/attention_plan.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "check.h"

using namespace exitrl;
using namespace exitrl::device;

namespace {

struct Spans {
  std::vector<std::vector<int32_t>> tables;
  std::vector<AttentionSpan> list;
  int64_t rows = 0;
  int32_t pages = 0;

  // A span whose sequence begins with `shared` pages of an earlier one.
  void add(int64_t count, int64_t position, size_t like = 0, int64_t shared = 0) {
    std::vector<int32_t> table;
    if (shared > 0) table.assign(tables[like].begin(), tables[like].begin() + shared);
    while (int64_t(table.size()) * 16 < position + count) table.push_back(pages++);
    tables.push_back(table);
    list.push_back({rows, count, position, nullptr});
    rows += count;
    for (size_t i = 0; i < list.size(); ++i) list[i].pages = tables[i].data();
  }
};

AttentionPlan planned(const Spans& spans, const AttentionPlanSettings& s) {
  AttentionPlan plan;
  plan.items.resize(3);  // what an earlier plan left
  plan.pages.resize(5);
  plan_attention(plan, spans.list.data(), int64_t(spans.list.size()), s);
  return plan;
}

// Follows every row through items and merged parts.
void check_plan(const Spans& spans, const AttentionPlanSettings& s, const AttentionPlan& plan) {
  std::map<int32_t, std::pair<const AttentionItem*, int32_t>> partial;  // by number: its item, its row
  std::map<int32_t, std::vector<const AttentionItem*>> items_of;        // by row, in the order of summation
  for (const AttentionItem& item : plan.items) {
    CHECK(item.queries >= 1 && item.queries <= item_queries(s.H, s.K));
    CHECK(item.key_begin % kKeyTile == 0 && item.key_begin < item.key_end);
    for (int32_t q = 0; q < item.queries; ++q) {
      const int32_t row = plan.rows.at(size_t(item.query + q));
      if (item.partial < 0) {
        CHECK(items_of[row].empty());
        items_of[row].push_back(&item);
      } else {
        CHECK(item.partial + q < plan.partials);
        CHECK(partial.emplace(item.partial + q, std::pair{&item, row}).second);
      }
    }
  }
  CHECK(int64_t(partial.size()) == plan.partials);
  CHECK(plan.merge_starts.size() == plan.merge_rows.size() + 1 && plan.merge_starts.back() == int32_t(plan.merge_parts.size()));
  CHECK(plan.merge_parts.size() == partial.size());
  for (size_t r = 0; r < plan.merge_rows.size(); ++r) {
    CHECK(items_of[plan.merge_rows[r]].empty());
    for (int32_t i = plan.merge_starts[r]; i < plan.merge_starts[r + 1]; ++i) {
      const auto& [item, row] = partial.at(plan.merge_parts[size_t(i)]);
      CHECK(row == plan.merge_rows[r]);
      items_of[row].push_back(item);
    }
  }
  for (size_t i = 0; i < spans.list.size(); ++i)
    for (int64_t r = 0; r < spans.list[i].rows; ++r) {
      const int64_t row = spans.list[i].row + r, position = spans.list[i].position + r;
      CHECK(plan.positions.at(size_t(row)) == position);
      const auto& items = items_of[int32_t(row)];
      CHECK(!items.empty());
      if (items.empty()) continue;
      CHECK(items.front()->key_begin <= (s.window > 0 ? std::max<int64_t>(0, position - s.window + 1) : 0));
      CHECK(items.back()->key_end > position);
      for (size_t k = 0; k < items.size(); ++k) {
        if (k > 0) CHECK(items[k]->key_begin == items[k - 1]->key_end);
        for (int64_t key = items[k]->key_begin; key <= std::min<int64_t>(position, items[k]->key_end - 1); ++key)
          CHECK(plan.pages.at(size_t(items[k]->table + key / 16)) == spans.tables[i][size_t(key / 16)]);
      }
      if (!s.split && !s.group) CHECK(items.size() == 1 && items[0]->partial < 0);
    }
  AttentionPlan padded = plan;
  const AttentionPlanSizes sizes = largest_attention_plan(spans.rows, int64_t(spans.list.size()), s);
  pad_attention_plan(padded, sizes);  // throws if a size is not enough
  CHECK(padded.items.size() == size_t(sizes.items) && plan.partials <= sizes.partials);
  for (size_t i = plan.items.size(); i < padded.items.size(); ++i) CHECK(padded.items[i].queries == 0);
  for (size_t r = plan.merge_rows.size(); r < padded.merge_rows.size(); ++r) CHECK(padded.merge_starts[r] == padded.merge_starts[r + 1]);
}

int64_t shared_items(const AttentionPlan& plan) {
  return std::count_if(plan.items.begin(), plan.items.end(), [](const AttentionItem& i) { return i.queries > 1; });
}

}  // namespace

TEST(attention_plan_covers_every_key_once) {
  std::mt19937 random(1);
  const auto below = [&](int64_t n) { return int64_t(random() % uint32_t(n)); };
  for (int round = 0; round < 300; ++round) {
    Spans spans;
    const int64_t count = below(9);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t rows = below(3) ? 1 : 1 + below(90), position = below(4) ? below(700) : below(20);
      const size_t like = i > 0 ? size_t(below(i)) : 0;
      const int64_t most = i > 0 ? std::min<int64_t>(int64_t(spans.tables[like].size()), (position + rows) / 16) : 0;
      spans.add(rows, position, like, below(3) ? most : 0);
    }
    const int64_t group = std::vector<int64_t>{1, 2, 4, 7, 40, 70}[size_t(below(6))], K = 1 + below(3);
    for (const bool split : {false, true})
      for (const bool share : {false, true}) {
        const AttentionPlanSettings s{group * K, K, below(2) ? 0 : 1 + below(300), 1 + below(40), split, share};
        check_plan(spans, s, planned(spans, s));
      }
  }
}

TEST(attention_plan_cuts_long_ranges_where_items_are_few) {
  Spans spans;
  spans.add(1, 6400);
  for (int i = 0; i < 3; ++i) spans.add(1, 63);
  const AttentionPlan plan = planned(spans, {4, 2, 0, 10, true, false});  // 20 blocks wanted: 10 items for 2 kv heads
  CHECK(plan.items.size() == 12);
  CHECK(plan.partials == 9);
  CHECK(plan.merge_rows == std::vector<int32_t>{0});
  CHECK(plan.items[0].key_end - plan.items[0].key_begin <= 12 * kKeyTile);
  // A short one is not cut, and items enough are not either.
  Spans one;
  one.add(1, 7 * 64 - 1);
  CHECK(planned(one, {4, 2, 0, 100, true, false}).items.size() == 1);
  Spans many;
  for (int i = 0; i < 40; ++i) many.add(1, 1000);
  CHECK(planned(many, {4, 2, 0, 10, true, false}).items.size() == 40);
}

TEST(attention_plan_reads_shared_pages_once) {
  Spans spans;
  spans.add(1, 330);  // the sample whose pages others share: 20 whole pages
  spans.add(1, 45);
  for (int i = 0; i < 5; ++i) spans.add(1, 320 + 9 * i, 0, 20);
  const AttentionPlan plan = planned(spans, {8, 2, 0, 1, false, true});
  CHECK(shared_items(plan) == 1);
  CHECK(plan.items[0].queries == 6 && plan.items[0].key_begin == 0 && plan.items[0].key_end == 320);
  CHECK(plan.items.size() == 1 + 6 + 1 && plan.partials == 12 && plan.merge_rows.size() == 6);
  // More samples than rows of a tile: 64 / 16 queries an item.
  CHECK(planned(spans, {32, 2, 0, 1, false, true}).items.size() == 2 + 6 + 1);
  // One query an item, a window that hides shared keys, fewer shared pages than a tile: nothing to gain.
  for (const AttentionPlanSettings& s : {AttentionPlanSettings{80, 2, 0, 1, false, true}, AttentionPlanSettings{8, 2, 300, 1, false, true}})
    CHECK(planned(spans, s).items.size() == 7 && planned(spans, s).partials == 0);
  Spans little;
  little.add(1, 60);
  little.add(1, 60, 0, 3);
  CHECK(planned(little, {8, 2, 0, 1, false, true}).partials == 0);
}

TEST(attention_plan_leaves_out_pages_before_the_window) {
  Spans spans;
  spans.add(1, 999);
  const AttentionPlan plan = planned(spans, {2, 1, 100, 1, false, false});
  CHECK(plan.items[0].key_begin == 896 && plan.items[0].key_end == 1000);
  CHECK(plan.pages.size() == 7);
}

TEST(attention_plan_says_when_there_is_no_room) {
  Spans spans;
  spans.add(1, 5);
  spans.add(1, 5);
  const AttentionPlanSettings s{2, 1};
  AttentionPlan plan = planned(spans, s);
  CHECK_THROWS(pad_attention_plan(plan, largest_attention_plan(1, 1, s)), "2 items, but room for 1");
}

TEST(attention_backward_plan_meets_every_visible_pair_once) {
  std::mt19937 random(2);
  const auto below = [&](int64_t n) { return int64_t(random() % uint32_t(n)); };
  for (int round = 0; round < 60; ++round) {
    std::vector<AttentionSpan> spans;
    std::vector<int32_t> families{0};
    std::vector<int> family_of;
    int64_t rows = 0;
    const int64_t window = below(2) ? 0 : 1 + below(150);
    for (int64_t f = below(3); f >= 0; --f) {
      const int64_t shared = 1 + below(150);
      spans.push_back({rows, shared, 0, nullptr});
      rows += shared;
      for (int64_t i = below(4); i > 0; --i) {
        spans.push_back({rows, 1 + below(150), shared, nullptr});
        rows += spans.back().rows;
      }
      families.push_back(int32_t(spans.size()));
    }
    AttentionBackwardPlan plan;
    plan_attention_backward(plan, spans.data(), families.data(), int64_t(families.size()) - 1, window);

    using Pairs = std::vector<uint8_t>;  // (query row, key row)
    Pairs want(size_t(rows * rows), 0);
    for (size_t f = 0; f + 1 < families.size(); ++f)
      for (int32_t s = families[f]; s < families[f + 1]; ++s)
        for (int64_t q = 0; q < spans[size_t(s)].rows; ++q)
          for (const int32_t k : std::set<int32_t>{families[f], s})
            for (int64_t j = 0; j < spans[size_t(k)].rows; ++j) {
              const int64_t query = spans[size_t(s)].position + q, key = spans[size_t(k)].position + j;
              if (key > query || (window > 0 && key <= query - window)) continue;
              want[size_t((spans[size_t(s)].row + q) * rows + spans[size_t(k)].row + j)] = 1;
            }
    for (const bool keys : {false, true}) {
      Pairs got(want.size(), 0);
      std::vector<int> tiled(size_t(rows), 0);
      for (const AttentionBackwardItem& item : keys ? plan.key_items : plan.query_items) {
        CHECK(item.tile.rows >= 1 && item.tile.rows <= kKeyTile);
        for (int32_t i = 0; i < item.tile.rows; ++i) ++tiled.at(size_t(item.tile.row + i));
        for (int32_t g = item.segment_begin; g < item.segment_end; ++g) {
          const AttentionSegment& segment = plan.segments.at(size_t(g));
          int64_t seen = 0;
          for (int32_t i = 0; i < item.tile.rows; ++i)
            for (int32_t j = 0; j < segment.rows; ++j) {
              const int64_t own = item.tile.position + i, other = segment.position + j;
              const int64_t query = keys ? other : own, key = keys ? own : other;
              if (key > query || (window > 0 && key <= query - window)) continue;
              ++seen;
              const int64_t own_row = item.tile.row + i, other_row = segment.row + j;
              ++got.at(size_t(keys ? other_row * rows + own_row : own_row * rows + other_row));
            }
          CHECK(seen > 0);
        }
      }
      CHECK(got == want);
      CHECK(tiled == std::vector<int>(size_t(rows), 1));
    }
  }
}
