#include "models/initialise.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string_view>

#include "core/rng.h"

namespace exitrl {
namespace {

// Box-Muller: two normal numbers from one block of random bits.
void fill_normal(Pool& pool, float* out, int64_t n, float deviation, uint64_t seed, uint64_t stream) {
  constexpr int64_t kGrain = 1 << 13;
  pool.parallel_for((n + 1) / 2, kGrain, [&](int64_t begin, int64_t end, int) {
    for (int64_t pair = begin; pair < end; ++pair) {
      const auto bits = philox(seed, stream, uint64_t(pair));
      const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform53(bits[0], bits[1])));
      const double angle = 2.0 * std::numbers::pi * uniform53(bits[2], bits[3]);
      const int64_t i = 2 * pair;
      out[i] = float(deviation * radius * std::cos(angle));
      if (i + 1 < n) out[i + 1] = float(deviation * radius * std::sin(angle));
    }
  });
}

void fill_uniform(float* out, int64_t n, double bound, uint64_t seed, uint64_t stream) {
  for (int64_t i = 0; i < n; ++i) {
    const auto bits = philox(seed, stream, uint64_t(i));
    out[i] = float(bound * (2 * uniform53(bits[0], bits[1]) - 1));
  }
}

// Vectors are norms and biases.
bool is_norm(const Parameter& p) { return p.kind == Parameter::Kind::vector && p.name.ends_with(".weight"); }

}  // namespace

void initialise(Pool& pool, const DecoderConfig& config, const Layout& layout, uint64_t seed, float* slab) {
  for (size_t i = 0; i < layout.parameters.size(); ++i) {
    const Parameter& p = layout.parameters[i];
    float* at = slab + p.offset;
    if (p.kind != Parameter::Kind::vector) fill_normal(pool, at, p.size, config.initializer_range, seed, i);
    else std::fill_n(at, p.size, is_norm(p) ? 1.0f - config.norm_offset : 0.0f);
  }
}

void initialise(const AdapterLayout& layout, uint64_t seed, float* slab) {
  for (size_t i = 0; i < layout.parameters.size(); ++i) {
    const Parameter& p = layout.parameters[i];
    if (p.name.ends_with("lora_A.weight")) fill_uniform(slab + p.offset, p.size, 1.0 / std::sqrt(double(p.shape[1])), seed, i);
    else std::fill_n(slab + p.offset, p.size, 0.0f);
  }
}

}  // namespace exitrl
