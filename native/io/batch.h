// A rollout batch as the update sees it: views into Arrow columns (napi/arrow_import fills them, nothing is copied).
#pragma once
#include <cstdint>

namespace exitrl {

// A list<T> column: row r holds values[offsets[r] .. offsets[r + 1]). Offsets need not start at 0 (slices).
template <class T>
struct ListView {
  const int32_t* offsets = nullptr;  // (B + 1)
  const T* values = nullptr;
  explicit operator bool() const { return values != nullptr; }
  const T* row(int64_t r) const { return values + offsets[r]; }
  int64_t length(int64_t r) const { return offsets[r + 1] - offsets[r]; }
};

// A list<bool> column: bit-packed, least significant bit first.
struct BitListView {
  const int32_t* offsets = nullptr;  // (B + 1)
  const uint8_t* bits = nullptr;
  int64_t bit_offset = 0;
  explicit operator bool() const { return bits != nullptr; }
  bool at(int64_t r, int64_t i) const {
    const int64_t k = bit_offset + offsets[r] + i;
    return bits[k >> 3] >> (k & 7) & 1;
  }
};

// Lists are token-aligned: entry t belongs to token t; all lists of a row have the same length.
struct RolloutBatch {
  int64_t B = 0;
  ListView<int32_t> tokens;
  BitListView loss_mask;            // absent: score only
  ListView<float> logprob;          // of the policy that sampled (behaviour); optional
  ListView<float> old_logprob;      // optional: `logprob` stands in
  ListView<float> ref_logprob;      // needed when the KL weight is not 0
  ListView<float> token_advantage;  // optional: replaces `advantage`
  const float* advantage = nullptr; // (B)
};

}  // namespace exitrl
