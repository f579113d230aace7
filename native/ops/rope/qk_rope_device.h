// Between the q/k/v product and attention, in one pass over the rows: RMSNorm of every head of q and k (Qwen3), rotary
// positions, and keys and values into their cache pages.
//
// Pages on a device hold 16 positions of one layer: keys (K, 16, D) and values (K, 16, D), row-major. Slot s of a layer is
// position s mod 16 of page s / 16; page p starts at p * page_stride numbers.
#pragma once
#include <cstdint>

#include "core/bf16.h"

namespace exitrl::device {

constexpr int kPagePositions = 16;

struct QkRopeForward {
  void* qkv;                 // (T, H + 2K, D) in place: q and k heads change
  void* raw;                 // (T, H + K, D) = q and k before the norm, for the backward pass; or null
  const void* q_norm;        // (D); null: no q/k norm
  const void* k_norm;        // (D)
  float* rstd;               // (T, H + K) = ; or null
  const int32_t* positions;  // (T)
  const float* cos;          // (P, D / 2)
  const float* sin;          // (P, D / 2)
  const int32_t* slots;      // (T) where the row's key and value go, -1: nowhere; or null
  void* keys;
  void* values;
  int64_t page_stride;       // numbers
  int64_t T, H, K, D;
  float eps, w_offset;
  Precision precision;
};

struct QkRopeBackward {
  void* dqkv;                // (T, H + 2K, D) in place: gradients of q and k heads
  const void* raw;           // (T, H + K, D); null without q/k norm
  const void* q_norm;        // (D); null: none
  const void* k_norm;        // (D)
  const float* rstd;         // (T, H + K)
  const int32_t* positions;  // (T)
  const float* cos;          // (P, D / 2)
  const float* sin;          // (P, D / 2)
  float* dq_norm;            // (D) += ; or null
  float* dk_norm;            // (D) +=
  float* partials;           // scratch of qk_rope_partials() floats; or null
  int64_t T, H, K, D;
  float w_offset;
  Precision precision;
};
constexpr int64_t kQkRopeRows = 16;
inline int64_t qk_rope_partials(int64_t T, int64_t D) { return (T + kQkRopeRows - 1) / kQkRopeRows * 2 * D; }

// Keys and values of chosen rows into further slots: a shared beginning that other sequences continue in a page of their own.
struct KvAppend {
  const void* qkv;       // (T, H + 2K, D) after norm and rotation
  const int32_t* rows;   // (R)
  const int32_t* slots;  // (R)
  void* keys;
  void* values;
  int64_t page_stride;
  int64_t R, H, K, D;
  Precision precision;
};

// Whole pages, page_stride numbers each, in all layers. No page is read and written by one call.
struct PageCopy {
  const int32_t* from;  // (R)
  const int32_t* to;    // (R)
  void* keys;
  void* values;
  int64_t page_stride, layer_stride;
  int64_t R, L;
  Precision precision;
};

}  // namespace exitrl::device
