// F16 on AVX-512: one register.
#ifndef EXITRL_F16_AVX512
#define EXITRL_F16_AVX512
namespace exitrl::avx512 {
using F16 = __m512;
#define EXITRL_INLINE static inline __attribute__((always_inline))
EXITRL_INLINE F16 zero() { return _mm512_setzero_ps(); }
EXITRL_INLINE F16 set1(float x) { return _mm512_set1_ps(x); }
EXITRL_INLINE F16 load(const float* p) { return _mm512_loadu_ps(p); }
EXITRL_INLINE F16 load_partial(const float* p, int n) { return _mm512_maskz_loadu_ps(__mmask16((1u << n) - 1), p); }
EXITRL_INLINE void store(float* p, F16 a) { _mm512_storeu_ps(p, a); }
EXITRL_INLINE void store_partial(float* p, F16 a, int n) { _mm512_mask_storeu_ps(p, __mmask16((1u << n) - 1), a); }
EXITRL_INLINE F16 add(F16 a, F16 b) { return _mm512_add_ps(a, b); }
EXITRL_INLINE F16 sub(F16 a, F16 b) { return _mm512_sub_ps(a, b); }
EXITRL_INLINE F16 mul(F16 a, F16 b) { return _mm512_mul_ps(a, b); }
EXITRL_INLINE F16 div(F16 a, F16 b) { return _mm512_div_ps(a, b); }
EXITRL_INLINE F16 sqrt(F16 a) { return _mm512_sqrt_ps(a); }
EXITRL_INLINE F16 max(F16 a, F16 b) { return _mm512_max_ps(a, b); }
EXITRL_INLINE F16 min(F16 a, F16 b) { return _mm512_min_ps(a, b); }
EXITRL_INLINE F16 fma(F16 a, F16 b, F16 c) { return _mm512_fmadd_ps(a, b, c); }
EXITRL_INLINE F16 fnma(F16 a, F16 b, F16 c) { return _mm512_fnmadd_ps(a, b, c); }
EXITRL_INLINE F16 select_lt(F16 a, F16 b, F16 x, F16 y) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}
EXITRL_INLINE F16 pow2(F16 n) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvttps_epi32(n), _mm512_set1_epi32(127)), 23));
}
EXITRL_INLINE F16 round_bf16(F16 x) {
  const __m512i u = _mm512_castps_si512(x);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(u, _mm512_set1_epi32(0x7fff)), odd);
  const __m512i quiet = _mm512_or_si512(u, _mm512_set1_epi32(0x400000));
  const __m512i chosen = _mm512_mask_blend_epi32(_mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), rounded, quiet);
  return _mm512_castsi512_ps(_mm512_and_si512(chosen, _mm512_set1_epi32(int(0xffff0000))));
}
EXITRL_INLINE F16 even_bf16(const uint16_t* p) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(p), 16)); }
EXITRL_INLINE F16 odd_bf16(const uint16_t* p) {
  return _mm512_castsi512_ps(_mm512_and_si512(_mm512_loadu_si512(p), _mm512_set1_epi32(int(0xffff0000))));
}
EXITRL_INLINE float fma1(float a, float b, float c) {
  return _mm_cvtss_f32(_mm_fmadd_ss(_mm_set_ss(a), _mm_set_ss(b), _mm_set_ss(c)));
}
EXITRL_INLINE float reduce_add(F16 a) {
  __m256 x = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
  __m128 y = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  y = _mm_add_ps(y, _mm_movehl_ps(y, y));
  return _mm_cvtss_f32(_mm_add_ss(y, _mm_movehdup_ps(y)));
}
EXITRL_INLINE float reduce_max(F16 a) {
  __m256 x = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
  __m128 y = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  y = _mm_max_ps(y, _mm_movehl_ps(y, y));
  return _mm_cvtss_f32(_mm_max_ss(y, _mm_movehdup_ps(y)));
}
#undef EXITRL_INLINE
}  // namespace exitrl::avx512
#endif
#include "core/simd/math.h"
