#include <bit>
#include <cstring>

#include "core/status.h"
#include "io/safetensors.h"

namespace exitrl {
namespace {

template <class T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

float from_bf16(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

float from_f16(uint16_t bits) {
  const uint32_t sign = uint32_t(bits & 0x8000) << 16;
  const uint32_t exponent = bits >> 10 & 31, fraction = bits & 1023;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000 | fraction << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  const float subnormal = float(fraction) * 0x1.0p-24f;
  return sign ? -subnormal : subnormal;
}

}  // namespace

void read_floats(const Tensor& tensor, const std::string& path, float* out) {
  const size_t n = size_t(tensor.count);
  const std::byte* in = tensor.data;
  switch (tensor.dtype) {
    case Dtype::f32:
      if (n > 0) std::memcpy(out, in, n * sizeof(float));
      return;
    case Dtype::f64:
      for (size_t i = 0; i < n; ++i) out[i] = float(load<double>(in + 8 * i));
      return;
    case Dtype::bf16:
      for (size_t i = 0; i < n; ++i) out[i] = from_bf16(load<uint16_t>(in + 2 * i));
      return;
    case Dtype::f16:
      for (size_t i = 0; i < n; ++i) out[i] = from_f16(load<uint16_t>(in + 2 * i));
      return;
    default:
      fail(ErrorCode::invalid_file, path + ": tensor \"" + tensor.name + "\" holds " + name(tensor.dtype) + ", expected floating-point numbers");
  }
}

}  // namespace exitrl
