// What tests of kernels share: random numbers, comparing bits, running on every instruction set.
#pragma once
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "core/pool.h"
#include "core/simd/isa.h"
#include "ops/matmul/matmul.h"

namespace check {

using Floats = std::vector<float>;

inline const float kNan = std::numeric_limits<float>::quiet_NaN();

inline Floats random_floats(int64_t n, uint32_t seed, float scale = 1.0f) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-scale, scale);
  Floats values(static_cast<size_t>(n));
  for (float& value : values) value = uniform(generator);
  return values;
}

inline bool same_bits(const Floats& a, const Floats& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

// A packed weight. std::vector gives no 64-byte border; packed weights need one.
struct Packed {
  Packed(exitrl::Pool& pool, const Floats& w, int64_t N, int64_t K) : storage(size_t(exitrl::packed_weight_size(N, K) + 16), kNan) {
    data = storage.data();
    while (reinterpret_cast<uintptr_t>(data) % 64 != 0) ++data;
    exitrl::pack_weight(pool, w.data(), N, K, data);
  }
  Floats storage;
  float* data;
};

// body(name) with each instruction set forced.
template <class Body>
void with_each_isa(Body body) {
  const std::string before = exitrl::simd::name(exitrl::simd::isa());
  for (const exitrl::simd::Isa isa : exitrl::simd::available()) {
    exitrl::simd::force(exitrl::simd::name(isa));
    body(std::string(exitrl::simd::name(isa)));
  }
  exitrl::simd::force(before);
}

// Runs an op on every instruction set with one, two and three threads and checks that the results are the same bits.
// run(pool) -> Floats; compare(result) once per instruction set. Portable code has its own rounding (foreach_isa.h).
template <class Run, class Compare>
void on_every_setting(Run run, Compare compare) {
  static exitrl::Pool one(1), two(2), three(3);
  const auto best = exitrl::simd::isa();
  Floats fused;
  for (const auto isa : exitrl::simd::available()) {
    exitrl::simd::force(exitrl::simd::name(isa));
    const Floats result = run(one);
    CHECK(same_bits(result, run(two)));
    CHECK(same_bits(result, run(three)));
    if (isa != exitrl::simd::Isa::portable) {
      if (fused.empty()) fused = result;
      CHECK(same_bits(result, fused));
    }
    compare(result);
  }
  exitrl::simd::force(exitrl::simd::name(best));
}

}  // namespace check
