// F16 on AVX2 with FMA: two registers.
#ifndef EXITRL_F16_AVX2
#define EXITRL_F16_AVX2
namespace exitrl::avx2 {
struct F16 {
  __m256 a, b;
};
#define EXITRL_INLINE static inline __attribute__((always_inline))
EXITRL_INLINE F16 zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
EXITRL_INLINE F16 set1(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
EXITRL_INLINE F16 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
EXITRL_INLINE __m256i lanes_below(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
EXITRL_INLINE F16 load_partial(const float* p, int n) {
  if (n == 8) return {_mm256_loadu_ps(p), _mm256_setzero_ps()};
  return {_mm256_maskload_ps(p, lanes_below(n)), _mm256_maskload_ps(p + 8, lanes_below(n - 8))};
}
EXITRL_INLINE void store(float* p, F16 x) {
  _mm256_storeu_ps(p, x.a);
  _mm256_storeu_ps(p + 8, x.b);
}
EXITRL_INLINE void store_partial(float* p, F16 x, int n) {
  // Masked stores are slow on some processors: 8 lanes, the half of a head of 16, need none.
  if (n < 8) return _mm256_maskstore_ps(p, lanes_below(n), x.a);
  _mm256_storeu_ps(p, x.a);
  if (n > 8) _mm256_maskstore_ps(p + 8, lanes_below(n - 8), x.b);
}
EXITRL_INLINE F16 add(F16 x, F16 y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
EXITRL_INLINE F16 sub(F16 x, F16 y) { return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)}; }
EXITRL_INLINE F16 mul(F16 x, F16 y) { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
EXITRL_INLINE F16 div(F16 x, F16 y) { return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)}; }
EXITRL_INLINE F16 sqrt(F16 x) { return {_mm256_sqrt_ps(x.a), _mm256_sqrt_ps(x.b)}; }
EXITRL_INLINE F16 max(F16 x, F16 y) { return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)}; }
EXITRL_INLINE F16 min(F16 x, F16 y) { return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)}; }
EXITRL_INLINE F16 fma(F16 x, F16 y, F16 z) { return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)}; }
EXITRL_INLINE F16 fnma(F16 x, F16 y, F16 z) { return {_mm256_fnmadd_ps(x.a, y.a, z.a), _mm256_fnmadd_ps(x.b, y.b, z.b)}; }
EXITRL_INLINE F16 select_lt(F16 p, F16 q, F16 x, F16 y) {
  return {_mm256_blendv_ps(y.a, x.a, _mm256_cmp_ps(p.a, q.a, _CMP_LT_OQ)),
          _mm256_blendv_ps(y.b, x.b, _mm256_cmp_ps(p.b, q.b, _CMP_LT_OQ))};
}
EXITRL_INLINE __m256 pow2_half(__m256 n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvttps_epi32(n), _mm256_set1_epi32(127)), 23));
}
EXITRL_INLINE F16 pow2(F16 n) { return {pow2_half(n.a), pow2_half(n.b)}; }
EXITRL_INLINE __m256 round_half(__m256 x) {
  const __m256i u = _mm256_castps_si256(x);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(u, _mm256_set1_epi32(0x7fff)), odd);
  const __m256i quiet = _mm256_or_si256(u, _mm256_set1_epi32(0x400000));
  const __m256 chosen = _mm256_blendv_ps(_mm256_castsi256_ps(rounded), _mm256_castsi256_ps(quiet), _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
  return _mm256_and_ps(chosen, _mm256_castsi256_ps(_mm256_set1_epi32(int(0xffff0000))));
}
EXITRL_INLINE F16 round_bf16(F16 x) { return {round_half(x.a), round_half(x.b)}; }
EXITRL_INLINE __m256 even_half(const uint16_t* p) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)), 16));
}
EXITRL_INLINE F16 even_bf16(const uint16_t* p) { return {even_half(p), even_half(p + 16)}; }
EXITRL_INLINE F16 odd_bf16(const uint16_t* p) {
  const __m256 mask = _mm256_castsi256_ps(_mm256_set1_epi32(int(0xffff0000)));
  return {_mm256_and_ps(mask, _mm256_loadu_ps(reinterpret_cast<const float*>(p))),
          _mm256_and_ps(mask, _mm256_loadu_ps(reinterpret_cast<const float*>(p + 16)))};
}
EXITRL_INLINE float fma1(float a, float b, float c) {
  return _mm_cvtss_f32(_mm_fmadd_ss(_mm_set_ss(a), _mm_set_ss(b), _mm_set_ss(c)));
}
EXITRL_INLINE float reduce_add(F16 v) {
  __m256 x = _mm256_add_ps(v.a, v.b);
  __m128 y = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  y = _mm_add_ps(y, _mm_movehl_ps(y, y));
  return _mm_cvtss_f32(_mm_add_ss(y, _mm_movehdup_ps(y)));
}
EXITRL_INLINE float reduce_max(F16 v) {
  __m256 x = _mm256_max_ps(v.a, v.b);
  __m128 y = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  y = _mm_max_ps(y, _mm_movehl_ps(y, y));
  return _mm_cvtss_f32(_mm_max_ss(y, _mm_movehdup_ps(y)));
}
#undef EXITRL_INLINE
}  // namespace exitrl::avx2
#endif
#include "core/simd/math.h"
