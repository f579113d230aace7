// Independent chains of fused multiply-adds, enough to hide their latency: the arithmetic peak of one thread.
namespace exitrl::EXITRL_ISA {

float peak_loop(int64_t iterations) {
  constexpr int kChains = 6;
  F16 acc[kChains];
  for (int c = 0; c < kChains; ++c) acc[c] = set1(1.0f + float(c));
  const F16 a = set1(0.999999f), b = set1(1e-7f);
  for (int64_t i = 0; i < iterations; ++i)
    for (int c = 0; c < kChains; ++c) acc[c] = fma(acc[c], a, b);
  float sum = 0;
  for (int c = 0; c < kChains; ++c) sum += reduce_add(acc[c]);
  return sum;
}

}  // namespace exitrl::EXITRL_ISA
