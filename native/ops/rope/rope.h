// Rotary position embedding (Su et al., arXiv 2104.09864), half-split pairs (i, i + D/2) as Hugging Face checkpoints use.
// Kinds: plain, and the frequency scaling of Llama 3 (llama3).
#pragma once
#include <cstdint>
#include <vector>

#include "core/pool.h"

namespace exitrl {

struct RopeConfig {
  enum class Kind { plain, llama3 } kind = Kind::plain;
  double theta = 10000.0;
  // llama3 only
  double factor = 8.0, low_freq_factor = 1.0, high_freq_factor = 4.0;
  int64_t original_max_position = 8192;
};

// (D/2) inverse frequencies in double.
std::vector<double> rope_inverse_frequencies(const RopeConfig& config, int64_t D);

// cos and sin of position * frequency, computed in double and rounded once: (positions, D/2) each.
struct RopeTable {
  std::vector<float> cos, sin;
  int64_t positions = 0, half = 0;
};
RopeTable rope_table(const RopeConfig& config, int64_t D, int64_t positions);

enum class RopeDirection { forward, backward };  // backward rotates by the negative angle (the transpose)

// Rotates `heads` consecutive heads of every row in place.
struct Rope {
  float* x;                  // (T, heads, D), token stride x_stride
  const int32_t* positions;  // (T), each < table.positions
  const RopeTable* table;
  int64_t T, heads, D, x_stride;
  RopeDirection direction;
};
void rope(Pool& pool, const Rope& a);

}  // namespace exitrl
