#include "io/dtype.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "check.h"

using namespace exitrl;

namespace {

std::vector<float> widened(Dtype from, const std::vector<uint16_t>& bits) {
  std::vector<float> out(bits.size());
  CHECK(convert(from, reinterpret_cast<const std::byte*>(bits.data()), Dtype::f32, reinterpret_cast<std::byte*>(out.data()),
                int64_t(bits.size())));
  return out;
}

std::vector<uint16_t> narrowed(Dtype to, const std::vector<float>& values, bool fits = true) {
  std::vector<uint16_t> out(values.size());
  CHECK(convert(Dtype::f32, reinterpret_cast<const std::byte*>(values.data()), to, reinterpret_cast<std::byte*>(out.data()),
                int64_t(values.size())) == fits);
  return out;
}

std::vector<uint16_t> every_pattern() {
  std::vector<uint16_t> all(1 << 16);
  for (size_t i = 0; i < all.size(); ++i) all[i] = uint16_t(i);
  return all;
}

// The value of a 16-bit pattern from its definition: `bits` of fraction, the rest exponent.
double value_of(uint16_t pattern, int bits) {
  const int bias = (1 << (14 - bits)) - 1, exponent = pattern >> bits & ((1 << (15 - bits)) - 1), fraction = pattern & ((1 << bits) - 1);
  const double magnitude = exponent == 0 ? std::ldexp(fraction, 1 - bias - bits)
                                         : std::ldexp((1 << bits) + fraction, exponent - bias - bits);
  return pattern & 0x8000 ? -magnitude : magnitude;
}

}  // namespace

TEST(dtype_names) {
  Dtype dtype;
  for (const Dtype d : {Dtype::f64, Dtype::f32, Dtype::f16, Dtype::bf16, Dtype::i64, Dtype::i32, Dtype::u8, Dtype::boolean}) {
    CHECK(find_dtype(name(d), dtype) && dtype == d);
    CHECK(find_dtype(torch_name(d), dtype) && dtype == d);
  }
  CHECK(!find_dtype("F8_E4M3", dtype));
  CHECK(is_float(Dtype::bf16) && !is_float(Dtype::i64));
}

TEST(dtype_widening_is_exact) {
  const auto all = every_pattern();
  const std::pair<Dtype, int> kinds[] = {{Dtype::f16, 10}, {Dtype::bf16, 7}};
  for (const auto& [dtype, bits] : kinds) {
    const auto floats = widened(dtype, all);
    size_t wrong = 0;
    for (size_t i = 0; i < all.size(); ++i) {
      const int largest = (1 << (15 - bits)) - 1;
      if ((all[i] >> bits & largest) != largest)
        wrong += double(floats[i]) != value_of(all[i], bits) || std::signbit(floats[i]) != (all[i] >> 15);
      else wrong += (all[i] & ((1 << bits) - 1)) == 0 ? !std::isinf(floats[i]) : !std::isnan(floats[i]);
    }
    CHECK(wrong == 0);
  }
}

// What was widened narrows to the same bits: subnormals, infinities and NaNs with their payloads included.
TEST(dtype_round_trip) {
  const auto all = every_pattern();
  for (const Dtype dtype : {Dtype::f16, Dtype::bf16}) CHECK(narrowed(dtype, widened(dtype, all)) == all);
}

TEST(dtype_rounds_to_nearest_even) {
  const auto all = every_pattern();
  const std::pair<Dtype, int> kinds[] = {{Dtype::f16, 10}, {Dtype::bf16, 7}};
  for (const auto& [dtype, bits] : kinds) {
    const auto limit = uint16_t(((1 << (15 - bits)) - 1) << bits);  // the infinity
    std::vector<float> between, above, below;
    std::vector<uint16_t> even, upper, lower;
    for (uint16_t p = 0; p + 1 < limit; ++p) {
      const auto middle = float((value_of(p, bits) + value_of(uint16_t(p + 1), bits)) / 2);
      between.push_back(middle);
      even.push_back(uint16_t(p + (p & 1)));
      above.push_back(std::nextafter(middle, std::numeric_limits<float>::infinity()));
      upper.push_back(uint16_t(p + 1));
      below.push_back(-std::nextafter(middle, 0.0f));
      lower.push_back(uint16_t(0x8000 | p));
    }
    CHECK(narrowed(dtype, between) == even);
    CHECK(narrowed(dtype, above) == upper);
    CHECK(narrowed(dtype, below) == lower);
  }
}

TEST(dtype_says_what_does_not_fit) {
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK((narrowed(Dtype::f16, {65504, 65519.99f, -infinity}) == std::vector<uint16_t>{0x7BFF, 0x7BFF, 0xFC00}));
  CHECK((narrowed(Dtype::f16, {65520, 1}, false) == std::vector<uint16_t>{0x7C00, 0x3C00}));
  CHECK((narrowed(Dtype::bf16, {0x1.FEp127f, infinity}) == std::vector<uint16_t>{0x7F7F, 0x7F80}));
  CHECK((narrowed(Dtype::bf16, {-0x1.FFp127f}, false) == std::vector<uint16_t>{0xFF80}));
  CHECK((narrowed(Dtype::bf16, {std::bit_cast<float>(0x7F800001u)}) == std::vector<uint16_t>{0x7FC0}));  // a payload that is cut off
  CHECK((narrowed(Dtype::f16, {std::bit_cast<float>(0xFF800001u)}) == std::vector<uint16_t>{0xFE00}));
  const std::vector<double> doubles{0.1, 1e300};
  std::vector<float> out(2);
  const auto* in = reinterpret_cast<const std::byte*>(doubles.data());
  CHECK(convert(Dtype::f64, in, Dtype::f32, reinterpret_cast<std::byte*>(out.data()), 1) && out[0] == 0.1f);
  CHECK(!convert(Dtype::f64, in, Dtype::f32, reinterpret_cast<std::byte*>(out.data()), 2));
}
