// Which blocks attention on a device computes (ops/attention/attention_device.h): the host makes a plan of every pass, once for
// all layers with the same window.
#pragma once
#include <cstdint>
#include <vector>

#include "ops/attention/attention.h"
#include "ops/attention/attention_device.h"

namespace exitrl::device {

// Without `split` and `group` a plan is exact: a query's result has the same bits in every such plan.
struct AttentionPlanSettings {
  int64_t H, K;
  int64_t window = 0;           // 0: none
  int64_t multiprocessors = 1;
  bool split = false;           // long ranges of keys are cut so that blocks on every multiprocessor have work
  bool group = false;           // one-row spans whose page tables begin alike read the shared pages once
};

struct AttentionPlan {
  std::vector<AttentionItem> items;    // most keys first; with `split` all large ones (kFewRows) come first
  std::vector<int32_t> counts;         // (2) large items, small items
  std::vector<int32_t> rows;           // of the items' queries
  std::vector<int32_t> positions;      // (T) of every row; 0 for rows of no span
  std::vector<int32_t> pages;          // page tables, without what lies before every window
  std::vector<int32_t> merge_rows;     // (R) arguments of attention_merge, which is not needed where R = 0
  std::vector<int32_t> merge_starts;   // (R + 1)
  std::vector<int32_t> merge_parts;
  int64_t partials = 0;                // P
};
// `plan` is overwritten; its memory is used again. Rows of spans are below 2^31.
void plan_attention(AttentionPlan& plan, const AttentionSpan* spans, int64_t span_count, const AttentionPlanSettings& settings);

// What no plan of `rows` rows in `spans` spans exceeds.
struct AttentionPlanSizes {
  int64_t items, rows, merge_rows, partials;  // at most as many parts as partials
};
AttentionPlanSizes largest_attention_plan(int64_t rows, int64_t spans, const AttentionPlanSettings& settings);
// Adds items without queries and merged rows without parts up to these sizes: kernels leave both out, so that a captured graph
// serves every plan. Throws Error(internal) if the plan is larger.
void pad_attention_plan(AttentionPlan& plan, const AttentionPlanSizes& sizes);

// Tiles and segments of the backward pass, tiles with most work first. Families as in AttentionBackward (ops/attention/attention.h).
// Rows that no query of a tile sees, or that see no key of it, because of the window are left out.
struct AttentionBackwardPlan {
  std::vector<AttentionBackwardItem> query_items, key_items;
  std::vector<AttentionSegment> segments;
};
void plan_attention_backward(AttentionBackwardPlan& plan, const AttentionSpan* spans, const int32_t* families, int64_t F, int64_t window);

}  // namespace exitrl::device
