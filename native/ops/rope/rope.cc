#include "ops/rope/rope.h"

#include <cmath>
#include <numbers>

#include "ops/rows.h"

#define EXITRL_KERNELS "ops/rope/rope.inl"
#include "core/simd/foreach_isa.h"

namespace exitrl {

std::vector<double> rope_inverse_frequencies(const RopeConfig& config, int64_t D) {
  std::vector<double> frequencies(size_t(D / 2));
  for (int64_t i = 0; i < D / 2; ++i) {
    double f = 1.0 / std::pow(config.theta, double(2 * i) / double(D));
    if (config.kind == RopeConfig::Kind::llama3) {
      // Long waves are slowed down by `factor`, short ones kept, those in between blended.
      const double context = double(config.original_max_position);
      const double wave = 2.0 * std::numbers::pi / f;
      if (wave > context / config.low_freq_factor) {
        f /= config.factor;
      } else if (wave >= context / config.high_freq_factor) {
        const double keep =
            (context / wave - config.low_freq_factor) / (config.high_freq_factor - config.low_freq_factor);
        f = (1.0 - keep) * f / config.factor + keep * f;
      }
    }
    frequencies[size_t(i)] = f;
  }
  return frequencies;
}

RopeTable rope_table(const RopeConfig& config, int64_t D, int64_t positions) {
  const auto frequencies = rope_inverse_frequencies(config, D);
  RopeTable table;
  table.positions = positions;
  table.half = D / 2;
  table.cos.resize(size_t(positions * table.half));
  table.sin.resize(size_t(positions * table.half));
  for (int64_t p = 0; p < positions; ++p) {
    for (int64_t i = 0; i < table.half; ++i) {
      const double angle = double(p) * frequencies[size_t(i)];
      table.cos[size_t(p * table.half + i)] = float(std::cos(angle));
      table.sin[size_t(p * table.half + i)] = float(std::sin(angle));
    }
  }
  return table;
}

void rope(Pool& pool, const Rope& a) {
  const auto rows = EXITRL_DISPATCH(rope_rows);
  pool.parallel_for(a.T, row_grain(a.heads * a.D), [&](int64_t begin, int64_t end, int) { rows(a, begin, end); });
}

}  // namespace exitrl
