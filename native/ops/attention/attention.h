// Causal attention with grouped query heads and optional sliding window, over keys and values in pages.
//
//   o = softmax(q k^T / sqrt(D)) v     for keys j with  i - window < j <= i   (window 0: all j <= i)
//
// Pages hold 16 keys of every kv head of one layer. In a page, head h's keys are stored (D, 16) (lanes over keys) and
// its values (16, D) (lanes over the head width). Page p of a layer starts at `keys + p * page_stride`; head h inside
// it at + h * D * 16; likewise `values`. A sequence's position j lives in page table[j / 16], slot j % 16.
//
// Order: a score is one fused multiply-add chain over the head width; the row maximum is exact in any order; the sum of
// exponentials runs in sixteen lanes (key position mod 16) and a fixed tree; an output is one chain over ascending key
// positions, divided by the sum at the end. Nothing depends on the batch, on the page numbers, on how many query rows
// are computed together, or on whether keys were appended one by one or all at once.
#pragma once
#include <cstdint>

#include "core/legend.h"
#include "core/pool.h"

namespace exitrl {

// Consecutive query rows of one sequence.
struct AttentionSpan {
  int64_t row;             // first row in q and o
  int64_t rows;            // number of rows
  int64_t position;        // position of the first row in its sequence
  const int32_t* pages;    // page table of the sequence: entries for positions 0 .. position + rows - 1
};

// Floats of one layer's keys (or values) in one page.
constexpr int64_t page_floats(int64_t K, int64_t D) { return K * D * kLanes; }

struct KvAppend {
  const float* k;  // (T, K, D), token stride kv_stride
  const float* v;  // (T, K, D), token stride kv_stride
  int64_t kv_stride;
  const AttentionSpan* spans;
  int64_t span_count;
  float* keys;
  float* values;
  int64_t page_stride;
  int64_t K, D;
};
// Writes the rows of every span into their pages. Pages are written by this call only (never shared: copy first).
void kv_append(Pool& pool, const KvAppend& a);

struct AttentionForward {
  const float* q;   // (T, H, D), token stride q_stride
  int64_t q_stride;
  const AttentionSpan* spans;
  int64_t span_count;
  const float* keys;
  const float* values;
  int64_t page_stride;
  float* o;         // (T, H, D) = , token stride H*D
  float* lse;       // (T, H) = log sum exp of the scaled scores; or null
  int64_t H, K, D;
  int64_t window;   // 0: none
  float scale;      // 1 / sqrt(D)
};
void attention_forward(Pool& pool, const AttentionForward& a);

// Whole sequences (positions from 0), q, k and v in the fused rows that the forward pass used. Sequences of a family share
// their first rows: its first span starts at position 0, the others each continue it. A sequence alone is a family of one.
struct AttentionBackward {
  const float* qkv;            // (T, H + 2K, D): q heads, k heads, v heads; after q/k norm and RoPE
  const float* o;              // (T, H, D)
  const float* d_o;            // (T, H, D)
  const float* lse;            // (T, H)
  const AttentionSpan* spans;  // pages are not used
  const int32_t* families;     // (F + 1) borders in spans
  int64_t F;
  float* dqkv;                 // (T, H + 2K, D) =
  int64_t H, K, D;
  int64_t window;
  float scale;
};
void attention_backward(Pool& pool, const AttentionBackward& a);

}  // namespace exitrl
