// F16 on any processor: loops of sixteen that the compiler may vectorise. No fused multiply-add.
#ifndef EXITRL_F16_PORTABLE
#define EXITRL_F16_PORTABLE
namespace exitrl::portable {
struct F16 {
  float v[16];
};
#define EXITRL_EACH(expr)                         \
  F16 r;                                          \
  for (int i = 0; i < 16; ++i) r.v[i] = (expr);   \
  return r
inline F16 zero() { EXITRL_EACH(0.0f); }
inline F16 set1(float x) { EXITRL_EACH(x); }
inline F16 load(const float* p) { EXITRL_EACH(p[i]); }
inline F16 load_partial(const float* p, int n) { EXITRL_EACH(i < n ? p[i] : 0.0f); }
inline void store(float* p, F16 a) { for (int i = 0; i < 16; ++i) p[i] = a.v[i]; }
inline void store_partial(float* p, F16 a, int n) { for (int i = 0; i < n; ++i) p[i] = a.v[i]; }
inline F16 add(F16 a, F16 b) { EXITRL_EACH(a.v[i] + b.v[i]); }
inline F16 sub(F16 a, F16 b) { EXITRL_EACH(a.v[i] - b.v[i]); }
inline F16 mul(F16 a, F16 b) { EXITRL_EACH(a.v[i] * b.v[i]); }
inline F16 div(F16 a, F16 b) { EXITRL_EACH(a.v[i] / b.v[i]); }
inline F16 sqrt(F16 a) { EXITRL_EACH(std::sqrt(a.v[i])); }
inline F16 max(F16 a, F16 b) { EXITRL_EACH(a.v[i] > b.v[i] ? a.v[i] : b.v[i]); }
inline F16 min(F16 a, F16 b) { EXITRL_EACH(a.v[i] < b.v[i] ? a.v[i] : b.v[i]); }
inline F16 fma(F16 a, F16 b, F16 c) { EXITRL_EACH(a.v[i] * b.v[i] + c.v[i]); }
inline F16 fnma(F16 a, F16 b, F16 c) { EXITRL_EACH(c.v[i] - a.v[i] * b.v[i]); }
inline F16 select_lt(F16 a, F16 b, F16 x, F16 y) { EXITRL_EACH(a.v[i] < b.v[i] ? x.v[i] : y.v[i]); }
inline F16 pow2(F16 n) {
  F16 r;
  for (int i = 0; i < 16; ++i) {
    const int32_t bits = (int32_t(n.v[i]) + 127) << 23;
    std::memcpy(&r.v[i], &bits, 4);
  }
  return r;
}
#undef EXITRL_EACH
inline float fma1(float a, float b, float c) { return a * b + c; }
inline float reduce_add(F16 a) {
  for (int h = 8; h > 0; h /= 2)
    for (int i = 0; i < h; ++i) a.v[i] += a.v[i + h];
  return a.v[0];
}
inline float reduce_max(F16 a) {
  for (int h = 8; h > 0; h /= 2)
    for (int i = 0; i < h; ++i) a.v[i] = a.v[i] > a.v[i + h] ? a.v[i] : a.v[i + h];
  return a.v[0];
}
}  // namespace exitrl::portable
#endif
#include "core/simd/math.h"
