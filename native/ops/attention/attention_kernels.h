// What the attention kernels share: which kernel serves a call (attention.cu), and how the backward kernels walk through the
// rows that meet a tile.
#pragma once
#include "cuda/kernel.h"
#include "ops/attention/attention_device.h"

namespace exitrl::cuda::attention {

void forward_bf16(Context&, const device::AttentionForward&);
void forward_f32(Context&, const device::AttentionForward&);
// Of a decoding step whose order is free; false, and nothing is done, where it is something else.
bool decode_bf16(Context&, const device::AttentionForward&);
// dq over query items, then dk and dv over key items; delta is known.
void backward_bf16(Context&, const device::AttentionBackward&);
void backward_f32(Context&, const device::AttentionBackward&);

constexpr float kLog2E = 1.4426950408889634f;

// Goes through the segments of an item in pieces of N rows; each piece comes once for every one of `heads` heads.
template <int N>
struct Walk {
  const device::AttentionSegment* segments;
  int segment, end, heads, offset = 0, head = 0;
  device::AttentionSegment now{};

  __device__ Walk(const device::AttentionBackward& a, const device::AttentionBackwardItem& item, int heads_)
      : segments(a.segments), segment(item.segment_begin), end(item.segment_end), heads(heads_) {
    if (segment < end) now = segments[segment];
  }
  __device__ bool done() const { return segment >= end; }
  __device__ int row() const { return now.row + offset; }
  __device__ int position() const { return now.position + offset; }
  __device__ int count() const { return min(N, now.rows - offset); }
  __device__ void next() {
    if (++head < heads) return;
    head = 0;
    offset += N;
    if (offset < now.rows) return;
    offset = 0;
    if (++segment < end) now = segments[segment];
  }
};

}  // namespace exitrl::cuda::attention
