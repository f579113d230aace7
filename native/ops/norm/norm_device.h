// Norms and small passes over slabs and rows on a device.
#pragma once
#include <cstdint>

#include "core/bf16.h"

namespace exitrl::device {

// out[0] = sqrt(sum x^2), out[1] = clip factor min(1, max_norm / (norm + 1e-6)), 1 where max_norm <= 0, NaN where the norm is not
// finite. Sums in double: over fixed blocks, then over the blocks in order.
struct GradientNorm {
  const float* x;    // (n)
  double* partials;  // scratch of norm_partials() doubles
  double* out;       // (2) =
  int64_t n;
  double max_norm;
};
constexpr int64_t kNormBlock = 65536;
inline int64_t norm_partials(int64_t n) { return (n + kNormBlock - 1) / kNormBlock; }

// target = a source + (1 - a) target in fp32; where `rounded` is given, rounded = target in `precision`.
struct MovingAverage {
  float* target;        // (n)
  const float* source;  // (n)
  void* rounded;        // (n) = ; or null
  int64_t n;
  float a;
  Precision precision;
};

// to = from, rounded to nearest even or widened.
struct Convert {
  const void* from;  // (n)
  void* to;          // (n) =
  int64_t n;
  Precision from_precision, to_precision;
};

// to[i] = from[index[i]]
struct GatherRows {
  const void* from;      // (T, C)
  const int32_t* index;  // (N)
  void* to;              // (N, C) =
  int64_t N, C;
  Precision precision;
};

// to[t] = sum of from[index[j]] for j in [starts[t], starts[t + 1]), in that order; 0 where there is none.
struct ScatterRows {
  const void* from;       // (N, C)
  const int32_t* starts;  // (T + 1)
  const int32_t* index;   // (N)
  void* to;               // (T, C) =
  int64_t T, C;
  Precision precision;
};

// sums[slot[i]] += hidden[row[i]] for every i in ascending order of i per slot: mean hidden states of answers.
struct PoolRows {
  const void* hidden;    // (T, C)
  const int32_t* rows;   // (N) row of `hidden`
  const int32_t* slots;  // (N), ascending: rows of one slot lie side by side
  double* sums;          // (S, C) +=
  int64_t N, C;
  Precision precision;
};

}  // namespace exitrl::device
