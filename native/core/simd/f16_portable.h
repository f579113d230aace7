// F16 on any processor: four vectors of four in the compilers' own vector type. No fused multiply-add.
#ifndef EXITRL_F16_PORTABLE
#define EXITRL_F16_PORTABLE
namespace exitrl::portable {
typedef float Float4 __attribute__((vector_size(16)));
typedef int32_t Int4 __attribute__((vector_size(16)));
struct F16 {
  Float4 v[4];
};
#define EXITRL_INLINE static inline __attribute__((always_inline))
#define EXITRL_EACH(expr)                         \
  F16 r;                                          \
  for (int i = 0; i < 4; ++i) r.v[i] = (expr);    \
  return r
EXITRL_INLINE F16 set1(float x) { EXITRL_EACH((Float4{x, x, x, x})); }
EXITRL_INLINE F16 zero() { return set1(0.0f); }
EXITRL_INLINE F16 load(const float* p) {
  F16 r;
  std::memcpy(&r, p, sizeof r);
  return r;
}
EXITRL_INLINE F16 load_partial(const float* p, int n) {
  float t[16] = {};
  for (int i = 0; i < n; ++i) t[i] = p[i];
  return load(t);
}
EXITRL_INLINE void store(float* p, F16 a) { std::memcpy(p, &a, sizeof a); }
EXITRL_INLINE void store_partial(float* p, F16 a, int n) {
  float t[16];
  store(t, a);
  for (int i = 0; i < n; ++i) p[i] = t[i];
}
EXITRL_INLINE F16 add(F16 a, F16 b) { EXITRL_EACH(a.v[i] + b.v[i]); }
EXITRL_INLINE F16 sub(F16 a, F16 b) { EXITRL_EACH(a.v[i] - b.v[i]); }
EXITRL_INLINE F16 mul(F16 a, F16 b) { EXITRL_EACH(a.v[i] * b.v[i]); }
EXITRL_INLINE F16 div(F16 a, F16 b) { EXITRL_EACH(a.v[i] / b.v[i]); }
EXITRL_INLINE F16 sqrt(F16 a) {
  EXITRL_EACH((Float4{std::sqrt(a.v[i][0]), std::sqrt(a.v[i][1]), std::sqrt(a.v[i][2]), std::sqrt(a.v[i][3])}));
}
EXITRL_INLINE F16 max(F16 a, F16 b) { EXITRL_EACH(a.v[i] > b.v[i] ? a.v[i] : b.v[i]); }
EXITRL_INLINE F16 min(F16 a, F16 b) { EXITRL_EACH(a.v[i] < b.v[i] ? a.v[i] : b.v[i]); }
EXITRL_INLINE F16 fma(F16 a, F16 b, F16 c) { EXITRL_EACH(a.v[i] * b.v[i] + c.v[i]); }
EXITRL_INLINE F16 fnma(F16 a, F16 b, F16 c) { EXITRL_EACH(c.v[i] - a.v[i] * b.v[i]); }
EXITRL_INLINE F16 select_lt(F16 a, F16 b, F16 x, F16 y) { EXITRL_EACH(a.v[i] < b.v[i] ? x.v[i] : y.v[i]); }
EXITRL_INLINE F16 pow2(F16 n) {
  F16 r;
  for (int i = 0; i < 4; ++i) {
    const Int4 bits = (__builtin_convertvector(n.v[i], Int4) + 127) << 23;
    std::memcpy(&r.v[i], &bits, sizeof bits);
  }
  return r;
}
#undef EXITRL_EACH
EXITRL_INLINE F16 round_bf16(F16 x) {
  float t[16];
  store(t, x);
  for (float& v : t) v = from_bf16(to_bf16(v));
  return load(t);
}
// Lane i of a row of sixteen pairs: the even or the odd one as a float. On a little-endian machine the odd one is the upper half.
EXITRL_INLINE F16 even_bf16(const uint16_t* p) {
  float t[16];
  for (int i = 0; i < 16; ++i) t[i] = from_bf16(p[2 * i]);
  return load(t);
}
EXITRL_INLINE F16 odd_bf16(const uint16_t* p) { return even_bf16(p + 1); }
EXITRL_INLINE float fma1(float a, float b, float c) { return a * b + c; }
EXITRL_INLINE float reduce_add(F16 a) {
  const Float4 x = (a.v[0] + a.v[2]) + (a.v[1] + a.v[3]);
  return (x[0] + x[2]) + (x[1] + x[3]);
}
EXITRL_INLINE float reduce_max(F16 a) {
  float t[16];
  store(t, a);
  for (int h = 8; h > 0; h /= 2)
    for (int i = 0; i < h; ++i) t[i] = t[i] > t[i + h] ? t[i] : t[i + h];
  return t[0];
}
#undef EXITRL_INLINE
}  // namespace exitrl::portable
#endif
#include "core/simd/math.h"
