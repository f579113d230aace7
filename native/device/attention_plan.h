// Which tiles attention works through: items from the spans of a pass (ops/attention/attention_device.h).
#pragma once
#include <cstdint>
#include <vector>

#include "ops/attention/attention.h"
#include "ops/attention/attention_device.h"

namespace exitrl::device {

struct AttentionPlanSettings {
  int64_t H, K;
  int64_t window;          // of all layers; 0: none, or they differ
  // Blocks that a device needs to be busy: ranges of keys of single rows (decoding) are split until there are about as many, and
  // spans of single rows whose page tables begin alike read these pages together. 0: neither, every item finishes its queries
  // (exact mode, and passes whose spans are long).
  int64_t busy_blocks = 0;
};

struct AttentionPlan {
  std::vector<AttentionItem> items;
  std::vector<int32_t> rows;    // of queries
  std::vector<int32_t> pages;   // tables of all spans
  std::vector<int32_t> merge_rows, merge_starts, merge_parts;  // see AttentionMerge
  int64_t partials = 0;
};
AttentionPlan plan_attention(const AttentionSpan* spans, int64_t count, const AttentionPlanSettings& settings);

// What any plan stays within, for `rows` rows in `spans` spans whose page tables have `entries` entries together.
struct AttentionBounds {
  int64_t items, queries, partials;
  int64_t bytes;  // of all arrays, each padded to 16
};
AttentionBounds attention_bounds(int64_t rows, int64_t spans, int64_t entries);

struct AttentionBackwardPlan {
  std::vector<AttentionBackwardItem> query_items, key_items;
  std::vector<AttentionSegment> segments;
};
// Families of whole sequences: see AttentionBackward in ops/attention/attention.h.
AttentionBackwardPlan plan_attention_backward(const AttentionSpan* spans, const int32_t* families, int64_t F, int64_t window);

}  // namespace exitrl::device
