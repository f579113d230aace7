// Independent chains of fused multiply-adds, enough to hide their latency: the arithmetic peak of one thread.
namespace exitrl::EXITRL_ISA {

// Returns FLOPs per iteration through `flops`.
float peak_loop(int64_t iterations, double* flops) {
#ifdef EXITRL_ISA_AVX512
  constexpr int kChains = 10;
#else
  constexpr int kChains = 6;
#endif
  F16 acc[kChains];
  for (int c = 0; c < kChains; ++c) acc[c] = set1(1.0f + float(c));
  *flops = 2.0 * 16 * kChains * double(iterations);
  const F16 a = set1(0.999999f), b = set1(1e-7f);
  for (int64_t i = 0; i < iterations; ++i)
    for (int c = 0; c < kChains; ++c) acc[c] = fma(acc[c], a, b);
  float sum = 0;
  for (int c = 0; c < kChains; ++c) sum += reduce_add(acc[c]);
  return sum;
}

}  // namespace exitrl::EXITRL_ISA
