// bfloat16: the upper half of a float. Rounding is to nearest, ties to even; NaN stays NaN.
#pragma once
#include <cstdint>
#include <cstring>

namespace exitrl {

// What linear layers multiply: floats, or bfloat16 with sums in fp32. Master weights are always fp32.
enum class Precision { f32, bf16 };

inline uint16_t to_bf16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return uint16_t(bits >> 16 | 0x40u);
  return uint16_t((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

inline float from_bf16(uint16_t x) {
  const uint32_t bits = uint32_t(x) << 16;
  float out;
  std::memcpy(&out, &bits, sizeof out);
  return out;
}

}  // namespace exitrl
