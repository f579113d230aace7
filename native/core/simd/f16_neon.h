// F16 on 64-bit Arm: four registers.
#ifndef EXITRL_F16_NEON
#define EXITRL_F16_NEON
namespace exitrl::neon {
struct F16 {
  float32x4_t v[4];
};
#define EXITRL_INLINE static inline __attribute__((always_inline))
#define EXITRL_EACH(expr)                         \
  F16 r;                                          \
  for (int i = 0; i < 4; ++i) r.v[i] = (expr);    \
  return r
EXITRL_INLINE F16 zero() { EXITRL_EACH(vdupq_n_f32(0)); }
EXITRL_INLINE F16 set1(float x) { EXITRL_EACH(vdupq_n_f32(x)); }
EXITRL_INLINE F16 load(const float* p) { EXITRL_EACH(vld1q_f32(p + 4 * i)); }
EXITRL_INLINE F16 load_partial(const float* p, int n) {
  float t[16] = {};
  for (int i = 0; i < n; ++i) t[i] = p[i];
  return load(t);
}
EXITRL_INLINE void store(float* p, F16 a) { for (int i = 0; i < 4; ++i) vst1q_f32(p + 4 * i, a.v[i]); }
EXITRL_INLINE void store_partial(float* p, F16 a, int n) {
  float t[16];
  store(t, a);
  for (int i = 0; i < n; ++i) p[i] = t[i];
}
EXITRL_INLINE F16 add(F16 a, F16 b) { EXITRL_EACH(vaddq_f32(a.v[i], b.v[i])); }
EXITRL_INLINE F16 sub(F16 a, F16 b) { EXITRL_EACH(vsubq_f32(a.v[i], b.v[i])); }
EXITRL_INLINE F16 mul(F16 a, F16 b) { EXITRL_EACH(vmulq_f32(a.v[i], b.v[i])); }
EXITRL_INLINE F16 div(F16 a, F16 b) { EXITRL_EACH(vdivq_f32(a.v[i], b.v[i])); }
EXITRL_INLINE F16 sqrt(F16 a) { EXITRL_EACH(vsqrtq_f32(a.v[i])); }
// a > b ? a : b as on x86 (NEON's own vmax orders NaN differently).
EXITRL_INLINE F16 max(F16 a, F16 b) { EXITRL_EACH(vbslq_f32(vcgtq_f32(a.v[i], b.v[i]), a.v[i], b.v[i])); }
EXITRL_INLINE F16 min(F16 a, F16 b) { EXITRL_EACH(vbslq_f32(vcltq_f32(a.v[i], b.v[i]), a.v[i], b.v[i])); }
EXITRL_INLINE F16 fma(F16 a, F16 b, F16 c) { EXITRL_EACH(vfmaq_f32(c.v[i], a.v[i], b.v[i])); }
EXITRL_INLINE F16 fnma(F16 a, F16 b, F16 c) { EXITRL_EACH(vfmsq_f32(c.v[i], a.v[i], b.v[i])); }
EXITRL_INLINE F16 select_lt(F16 a, F16 b, F16 x, F16 y) { EXITRL_EACH(vbslq_f32(vcltq_f32(a.v[i], b.v[i]), x.v[i], y.v[i])); }
EXITRL_INLINE F16 pow2(F16 n) {
  EXITRL_EACH(vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(n.v[i]), vdupq_n_s32(127)), 23)));
}
EXITRL_INLINE float32x4_t round_quarter(float32x4_t x) {
  const uint32x4_t u = vreinterpretq_u32_f32(x);
  const uint32x4_t rounded = vaddq_u32(vaddq_u32(u, vdupq_n_u32(0x7fff)), vandq_u32(vshrq_n_u32(u, 16), vdupq_n_u32(1)));
  const uint32x4_t chosen = vbslq_u32(vceqq_f32(x, x), rounded, vorrq_u32(u, vdupq_n_u32(0x400000)));
  return vreinterpretq_f32_u32(vandq_u32(chosen, vdupq_n_u32(0xffff0000u)));
}
EXITRL_INLINE F16 round_bf16(F16 x) { EXITRL_EACH(round_quarter(x.v[i])); }
EXITRL_INLINE F16 even_bf16(const uint16_t* p) {
  EXITRL_EACH(vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_u16(vld1q_u16(p + 8 * i)), 16)));
}
EXITRL_INLINE F16 odd_bf16(const uint16_t* p) {
  EXITRL_EACH(vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_u16(vld1q_u16(p + 8 * i)), vdupq_n_u32(0xffff0000u))));
}
#undef EXITRL_EACH
EXITRL_INLINE float fma1(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
EXITRL_INLINE float reduce_add(F16 a) {
  const float32x4_t x = vaddq_f32(vaddq_f32(a.v[0], a.v[2]), vaddq_f32(a.v[1], a.v[3]));
  const float32x2_t y = vadd_f32(vget_low_f32(x), vget_high_f32(x));
  return vget_lane_f32(y, 0) + vget_lane_f32(y, 1);
}
EXITRL_INLINE float reduce_max(F16 a) {
  float t[16];
  store(t, a);
  for (int h = 8; h > 0; h /= 2)
    for (int i = 0; i < h; ++i) t[i] = t[i] > t[i + h] ? t[i] : t[i + h];
  return t[0];
}
#undef EXITRL_INLINE
}  // namespace exitrl::neon
#endif
#include "core/simd/math.h"
