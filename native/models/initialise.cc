#include "models/initialise.h"

#include <cmath>
#include <numbers>

#include "core/rng.h"

namespace exitrl {
namespace {

// Box-Muller: two normal numbers from one block of random bits.
void fill_normal(float* out, int64_t n, float deviation, uint64_t seed, uint64_t stream) {
  for (int64_t i = 0; i < n; i += 2) {
    const auto bits = philox(seed, stream, uint64_t(i / 2));
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform53(bits[0], bits[1])));
    const double angle = 2.0 * std::numbers::pi * uniform53(bits[2], bits[3]);
    out[i] = float(deviation * radius * std::cos(angle));
    if (i + 1 < n) out[i + 1] = float(deviation * radius * std::sin(angle));
  }
}

bool is_norm(const Parameter& p) { return p.name.size() >= 11 && p.name.compare(p.name.size() - 11, 11, "norm.weight") == 0; }

}  // namespace

void initialise(const DecoderConfig& config, const Layout& layout, uint64_t seed, float* slab) {
  for (size_t i = 0; i < layout.parameters.size(); ++i) {
    const Parameter& p = layout.parameters[i];
    float* at = slab + p.offset;
    if (p.kind != Parameter::Kind::vector) fill_normal(at, p.size, config.initializer_range, seed, i);
    else std::fill_n(at, p.size, is_norm(p) ? 1.0f - config.norm_offset : 0.0f);
  }
}

}  // namespace exitrl
