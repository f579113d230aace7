#include "io/dtype.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "core/status.h"

namespace exitrl {
namespace {

struct Spec {
  const char *name, *torch_name;
  size_t size;
};
constexpr Spec kSpecs[] = {{"F64", "float64", 8}, {"F32", "float32", 4}, {"F16", "float16", 2}, {"BF16", "bfloat16", 2},
                           {"I64", "int64", 8},   {"I32", "int32", 4},   {"U8", "uint8", 1},    {"BOOL", "bool", 1}};

template <class T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <class T>
void store(std::byte* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

constexpr uint32_t kInfinity = 0x7F800000, kMagnitude = 0x7FFFFFFF;

// The loops below have no branches, so that compilers can use vectors.

float widen_f16(uint16_t bits) {
  const uint32_t magnitude = uint32_t(bits & 0x7FFF) << 13;
  // Exponents differ by 112; the product is exact and makes subnormals normal.
  const uint32_t finite = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) * 0x1.0p112f);
  const uint32_t special = kInfinity | magnitude;
  return std::bit_cast<float>((uint32_t(bits & 0x8000) << 16) | ((bits & 0x7C00) == 0x7C00 ? special : finite));
}

uint16_t narrow_bf16(uint32_t bits) {
  const uint32_t magnitude = bits & kMagnitude, upper = bits >> 16;
  const uint32_t rounded = (bits + 0x7FFF + (upper & 1)) >> 16;
  const uint32_t nan = upper | ((upper & 0x7F) == 0 ? 0x40 : 0);  // its payload must not become that of an infinity
  return uint16_t(magnitude > kInfinity ? nan : rounded);
}

uint16_t narrow_f16(uint32_t bits) {
  const uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & kMagnitude;
  if (magnitude > kInfinity) {
    const uint32_t payload = magnitude >> 13 & 0x3FF;
    return uint16_t(sign | 0x7C00 | (payload ? payload : 0x200));
  }
  if (magnitude >= 0x477FF000) return uint16_t(sign | 0x7C00);  // 65520 and above round to infinity
  if (magnitude < 0x38800000) {                                 // below 2^-14: a multiple of 2^-24, rounded by the addition
    const float sum = std::bit_cast<float>(magnitude) + 0.5f;   // whose last place is 2^-24
    return uint16_t(sign | (std::bit_cast<uint32_t>(sum) - std::bit_cast<uint32_t>(0.5f)));
  }
  return uint16_t(sign | ((magnitude - 0x38000000 + 0xFFF + (magnitude >> 13 & 1)) >> 13));
}

bool narrow_f64(const std::byte* in, float* out, int64_t n) {
  bool overflow = false;
  for (int64_t i = 0; i < n; ++i) {
    const auto value = load<double>(in + 8 * i);
    out[i] = float(value);
    overflow |= std::isinf(out[i]) && !std::isinf(value);
  }
  return !overflow;
}

bool to_f32(Dtype from, const std::byte* in, float* out, int64_t n) {
  switch (from) {
    case Dtype::f64: return narrow_f64(in, out, n);
    case Dtype::f32: std::memcpy(out, in, size_t(n) * sizeof(float)); return true;
    case Dtype::bf16:
      for (int64_t i = 0; i < n; ++i) out[i] = std::bit_cast<float>(uint32_t{load<uint16_t>(in + 2 * i)} << 16);
      return true;
    case Dtype::f16: for (int64_t i = 0; i < n; ++i) out[i] = widen_f16(load<uint16_t>(in + 2 * i)); return true;
    default: fail(ErrorCode::internal, std::string("convert: ") + name(from) + " is no floating-point type");
  }
}

template <uint16_t (*narrow_one)(uint32_t)>
bool narrow(const float* in, std::byte* out, int64_t n, uint16_t infinity) {
  bool overflow = false;
  for (int64_t i = 0; i < n; ++i) {
    const auto bits = std::bit_cast<uint32_t>(in[i]);
    const uint16_t narrow = narrow_one(bits);
    overflow |= (narrow & 0x7FFF) == infinity && (bits & kMagnitude) < kInfinity;
    store(out + 2 * i, narrow);
  }
  return !overflow;
}

}  // namespace

const char* name(Dtype dtype) { return kSpecs[size_t(dtype)].name; }
const char* torch_name(Dtype dtype) { return kSpecs[size_t(dtype)].torch_name; }
size_t size_of(Dtype dtype) { return kSpecs[size_t(dtype)].size; }
bool is_float(Dtype dtype) { return dtype <= Dtype::bf16; }

bool find_dtype(std::string_view name, Dtype& dtype) {
  for (size_t i = 0; i < std::size(kSpecs); ++i) {
    if (name != kSpecs[i].name && name != kSpecs[i].torch_name) continue;
    dtype = Dtype(i);
    return true;
  }
  return false;
}

bool convert(Dtype from, const std::byte* in, Dtype to, std::byte* out, int64_t n) {
  if (from == to) {
    if (n > 0) std::memcpy(out, in, size_t(n) * size_of(from));
    return true;
  }
  if (to == Dtype::f32) return to_f32(from, in, reinterpret_cast<float*>(out), n);
  if (to != Dtype::f16 && to != Dtype::bf16) fail(ErrorCode::internal, std::string("convert: ") + name(to) + " is not written");
  bool fits = true;
  constexpr int64_t kBlock = 1024;  // floats on the way, in the first-level cache
  float block[kBlock];
  for (int64_t i = 0; i < n; i += kBlock) {
    const int64_t count = std::min(kBlock, n - i);
    std::byte* const target = out + size_t(i) * size_of(to);
    fits &= to_f32(from, in + size_t(i) * size_of(from), block, count);
    fits &= to == Dtype::bf16 ? narrow<narrow_bf16>(block, target, count, 0x7F80) : narrow<narrow_f16>(block, target, count, 0x7C00);
  }
  return fits;
}

}  // namespace exitrl
