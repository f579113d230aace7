// exp and friends over F16, written once; included by each f16_*.h for its own namespace (no include guard).
namespace exitrl::EXITRL_ISA {
#define EXITRL_MATH static inline __attribute__((always_inline))

// e^x. Below -87.33 (where the result would be denormal) it is 0; above 88 it stays at e^88.
// Cody-Waite reduction and the degree-5 polynomial of Cephes' expf; at most 2 ulp from the true value.
EXITRL_MATH F16 exp(F16 x) {
  const F16 low = set1(-87.33f);
  const F16 y = min(max(x, low), set1(88.0f));
  const F16 magic = set1(12582912.0f);  // 1.5 * 2^23: adding it rounds to the nearest integer
  const F16 n = sub(add(mul(y, set1(1.44269504088896341f)), magic), magic);
  F16 r = fnma(n, set1(0.693359375f), y);
  r = fnma(n, set1(-2.12194440e-4f), r);
  F16 p = set1(1.9875691500e-4f);
  p = fma(p, r, set1(1.3981999507e-3f));
  p = fma(p, r, set1(8.3334519073e-3f));
  p = fma(p, r, set1(4.1665795894e-2f));
  p = fma(p, r, set1(1.6666665459e-1f));
  p = fma(p, r, set1(5.0000001201e-1f));
  p = add(fma(p, mul(r, r), r), set1(1.0f));
  return select_lt(x, low, zero(), mul(p, pow2(n)));
}

// 1 / (1 + e^-x)
EXITRL_MATH F16 sigmoid(F16 x) { return div(set1(1.0f), add(set1(1.0f), exp(sub(zero(), x)))); }

#undef EXITRL_MATH
}  // namespace exitrl::EXITRL_ISA
