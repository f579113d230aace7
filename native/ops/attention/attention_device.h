// Attention on a device: causal, grouped heads, sliding windows, packed sequences.
//
// Forward works through items: a few queries of one sequence, or of several sequences that share pages, against a range of
// keys in pages. All heads of a group are rows of one tile, so a key is read once for them. An item either finishes its
// queries, or leaves partial results that attention_merge puts together (split ranges of keys; a shared beginning read once
// for all samples of a group). The same code serves training, prefill and decoding, but for small items of decoding steps whose
// order is free. In it keys of an item go by in tiles of kKeyTile that begin at multiples of it; queries of an item do not see each
// other's numbers. So if every item starts at key 0 and finishes its queries, a query's result depends on nothing but its keys
// (exact mode). Keys before the window of all of an item's queries may be left out: key_begin is then the multiple of kKeyTile at or
// below the first needed one.
//
// Slots at or behind an item's key_end are not read. Below it, a query gives what it does not see the weight 0: keys and values
// there must be finite. Head widths are at most 256, in bfloat16 multiples of 8, with q, pages and strides aligned to 16 bytes;
// else Error(invalid_argument). Graphs of a fixed shape have items without queries and merged rows without parts: they are left out.
//
// FLOPs 4 Tq Tk H D (half of it if causal), backward 10 (the scores are computed twice, for dq and for dk and dv: no atomics).
#pragma once
#include <cstdint>

#include "core/bf16.h"
#include "ops/matmul/gemm_device.h"
#include "ops/rope/qk_rope_device.h"

namespace exitrl::device {

constexpr int kKeyTile = 64;
constexpr int kQueryTile = 64;  // rows of a tile: queries times heads of a group
constexpr int kFewRows = 16;    // an item with at most so many rows is small
// Queries an item may have.
inline int64_t item_queries(int64_t H, int64_t K) { return H / K >= kQueryTile ? 1 : kQueryTile / (H / K); }

struct AttentionItem {
  int32_t query, queries;      // range of AttentionForward::rows; 0 queries: nothing to do
  int32_t table;               // where the page table of its keys begins in `pages`: entry j holds positions 16 j ..
  int32_t key_begin, key_end;  // positions; key_begin is a multiple of kKeyTile
  int32_t partial;             // -1: writes o and lse; else query i leaves partial result partial + i
};

struct AttentionForward {
  const void* q;               // (T, H, D), row stride q_stride numbers
  const void* keys;            // pages of this layer, see qk_rope_device.h
  const void* values;
  const int32_t* pages;
  const AttentionItem* items;
  const int32_t* rows;         // row of q and o of every query of the items
  const int32_t* positions;    // (T) position of every row in its sequence
  void* o;                     // (T, H, D) = , row stride H D
  float* lse;                  // (T, H) = natural log of the sum of exponentials of the scaled scores; or null
  float* partial_o;            // (P, H, D) = , divided by their own sums
  float* partial_lse;          // (P, H) = ; -inf where no key is visible
  int64_t q_stride, page_stride, item_count;
  int64_t H, K, D, window;     // window 0: none; a query sees keys in (position - window, position]
  float scale;
  Precision precision;
  Order order;        // fixed: a row has the same bits in every call
  bool few_queries;   // items have too few to fill tensor cores with: their keys and values come at the memory's speed
  const int32_t* counts;  // (2) large items, which come first, and the small ones after them; behind these are none. Null: not known
};

// o = sum of exp(lse_p - lse) o_p over the partial results of a row, in the order of `parts`; lse = log sum exp(lse_p).
struct AttentionMerge {
  const int32_t* rows;    // (R) rows of o
  const int32_t* starts;  // (R + 1) borders in `parts`
  const int32_t* parts;   // partial results
  const float* partial_o;
  const float* partial_lse;
  void* o;                // (T, H, D)
  float* lse;             // (T, H); or null
  int64_t R, H, D;        // a row without parts is left as it is
  Precision precision;
};

// Consecutive rows of a batch at consecutive positions.
struct AttentionSegment {
  int32_t row, rows, position;
};
// A tile of rows, and the segments of rows it meets: for a tile of queries their keys, for a tile of keys their queries.
struct AttentionBackwardItem {
  AttentionSegment tile;                // at most kKeyTile rows
  int32_t segment_begin, segment_end;   // range of AttentionBackward::segments, in the order of summation
};

struct AttentionBackward {
  const void* qkv;                           // (T, H + 2K, D) after norm and rotation
  const void* o;                             // (T, H, D)
  const void* d_o;                           // (T, H, D)
  const float* lse;                          // (T, H)
  float* delta;                              // (T, H) scratch
  const AttentionBackwardItem* query_items;  // tiles of queries with their keys: all rows once
  const AttentionBackwardItem* key_items;    // tiles of keys with their queries: all rows once
  const AttentionSegment* segments;
  void* dqkv;                                // (T, H + 2K, D) =
  int64_t query_item_count, key_item_count;
  int64_t T, H, K, D, window;
  float scale;
  Precision precision;
};

}  // namespace exitrl::device
