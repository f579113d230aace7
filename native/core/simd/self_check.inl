// One copy per instruction set: F16 operations against scalar code, on values that show a wrong lane or operand order.
namespace exitrl::EXITRL_ISA {

const char* simd_self_check() {
  float a[16], b[16], c[16], out[16];
  for (int i = 0; i < 16; ++i) {
    a[i] = 1.25f + 0.37f * float(i);
    b[i] = (i % 3 == 0 ? -1.0f : 1.0f) * (0.5f + 0.11f * float(i));
    c[i] = 3.0f - 0.7f * float(i);
  }
  const F16 x = load(a), y = load(b), z = load(c);
  const auto same = [&](F16 got, auto want) {
    store(out, got);
    for (int i = 0; i < 16; ++i) {
      const float w = want(i);
      if (std::memcmp(&out[i], &w, 4) != 0) return false;
    }
    return true;
  };
  if (!same(zero(), [](int) { return 0.0f; })) return "zero";
  if (!same(set1(2.5f), [](int) { return 2.5f; })) return "set1";
  if (!same(add(x, y), [&](int i) { return a[i] + b[i]; })) return "add";
  if (!same(sub(x, y), [&](int i) { return a[i] - b[i]; })) return "sub";
  if (!same(mul(x, y), [&](int i) { return a[i] * b[i]; })) return "mul";
  if (!same(div(x, y), [&](int i) { return a[i] / b[i]; })) return "div";
  if (!same(sqrt(x), [&](int i) { return std::sqrt(a[i]); })) return "sqrt";
  if (!same(max(y, z), [&](int i) { return b[i] > c[i] ? b[i] : c[i]; })) return "max";
  if (!same(min(y, z), [&](int i) { return b[i] < c[i] ? b[i] : c[i]; })) return "min";
  if (!same(fma(x, y, z), [&](int i) { return fma1(a[i], b[i], c[i]); })) return "fma";
  if (!same(fnma(x, y, z), [&](int i) { return fma1(-a[i], b[i], c[i]); })) return "fnma";
  if (!same(select_lt(y, z, x, set1(9.0f)), [&](int i) { return b[i] < c[i] ? a[i] : 9.0f; })) return "select_lt";
  for (int i = 0; i < 16; ++i) c[i] = float(i * 16 - 120);
  if (!same(pow2(load(c)), [&](int i) { return std::ldexp(1.0f, i * 16 - 120); })) return "pow2";
  for (int n = 0; n <= 16; ++n) {
    if (!same(load_partial(a, n), [&](int i) { return i < n ? a[i] : 0.0f; })) return "load_partial";
    for (int i = 0; i < 16; ++i) c[i] = -1.0f;
    store_partial(c, x, n);
    for (int i = 0; i < 16; ++i)
      if (c[i] != (i < n ? a[i] : -1.0f)) return "store_partial";
  }
  float sum[16], top = b[0];
  for (int i = 0; i < 16; ++i) {
    sum[i] = b[i];
    top = b[i] > top ? b[i] : top;
  }
  for (int h = 8; h > 0; h /= 2)
    for (int i = 0; i < h; ++i) sum[i] += sum[i + h];
  if (reduce_add(y) != sum[0]) return "reduce_add";
  if (reduce_max(y) != top) return "reduce_max";
  uint16_t pairs[32];
  for (int i = 0; i < 32; ++i) pairs[i] = to_bf16(i % 2 == 0 ? a[i / 2] : b[i / 2]);
  if (!same(even_bf16(pairs), [&](int i) { return from_bf16(pairs[2 * i]); })) return "even_bf16";
  if (!same(odd_bf16(pairs), [&](int i) { return from_bf16(pairs[2 * i + 1]); })) return "odd_bf16";
  const uint32_t special[16] = {0x3f808000, 0x3f818000, 0x3f807fff, 0xbf808001, 0x7f800000, 0xff800000, 0x7fc00001, 0x7f7fffff,
                                0x00000001, 0x80000000, 0x00008000, 0x7f800001, 0x3f7fffff, 0x477fe000, 0x00018000, 0xffffffff};
  std::memcpy(c, special, sizeof c);
  if (!same(round_bf16(load(c)), [&](int i) { return from_bf16(to_bf16(c[i])); })) return "round_bf16";
  for (int k = -80; k <= 80; k += 16) {
    for (int i = 0; i < 16; ++i) c[i] = float(k + i) * 1.07f;
    store(out, exp(load(c)));
    for (int i = 0; i < 16; ++i)
      if (!(std::fabs(out[i] / std::exp(c[i]) - 1.0f) < 1e-6f) && c[i] > -87.0f && c[i] < 88.0f) return "exp";
  }
  return "";
}

}  // namespace exitrl::EXITRL_ISA
