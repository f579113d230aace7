// As pack.inl, with elements that are pairs of bfloat16, neighbours in depth: half as many, for dot products of AVX-512 BF16.
namespace exitrl::EXITRL_ISA {

constexpr int64_t kUnit = 2;  // positions of the depth in an element

// Thirty-two floats one after the other as sixteen pairs. Denormal numbers become zero, as the product would have them.
static EXITRL_ALWAYS_INLINE F16 neighbours(F16 first, F16 second) {
  return reinterpret_cast<F16>(_mm512_cvtne2ps_pbh(second, first));
}

// Pairs (even[i], odd[i]).
static EXITRL_ALWAYS_INLINE F16 interleaved(F16 even, F16 odd) {
  alignas(64) static constexpr uint16_t kOrder[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                                      8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const auto halves = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(odd, even));
  return reinterpret_cast<F16>(_mm512_permutexvar_epi16(_mm512_load_si512(kOrder), halves));
}

template <Precision>
static void copy_rows(const float* a, int64_t lda, int64_t rows, int64_t depth, float* out) {
  for (int64_t r = 0; r < rows; ++r, a += lda, out += kRowStride) {
    int64_t k = 0;
    for (; k + 2 * kLanes <= depth; k += 2 * kLanes) store(out + k / 2, neighbours(load(a + k), load(a + k + kLanes)));
    const int64_t left = depth - k;  // rows are far enough apart for a full store
    if (left > 0)
      store(out + k / 2, neighbours(load_partial(a + k, int(std::min<int64_t>(left, kLanes))),
                                    left > kLanes ? load_partial(a + k + kLanes, int(left - kLanes)) : zero()));
  }
}

template <Precision>
static void copy_columns(const float* a, int64_t lda, int64_t rows, int64_t depth, float* out) {
  const int64_t units = (depth + 1) / 2;
  for (int64_t r = 0; r < rows; r += tile_height(rows - r), out += units * kTileRows) {
    const int64_t lanes = std::min<int64_t>(kLanes, rows - r);
    const float* from = a + r;
    float* to = out;
    for (int64_t k = 0; k + 2 <= depth; k += 2, from += 2 * lda, to += kTileRows)
      store(to, interleaved(load_lanes(from, lanes), load_lanes(from + lda, lanes)));
    if (depth % 2 != 0) store(to, interleaved(load_lanes(from, lanes), zero()));
  }
}

template <Precision>
static void copy_panels(const float* b, int64_t ldb, int64_t cols, int64_t depth, float* out) {
  constexpr int64_t kTogether = 4 * kLanes;  // as in pack.inl
  const int64_t panel_floats = (depth + 1) / 2 * kLanes;
  for (int64_t c0 = 0; c0 < cols; c0 += kTogether) {
    const int64_t c1 = std::min(cols, c0 + kTogether);
    for (int64_t k = 0; k < depth; k += 2)
      for (int64_t c = c0; c < c1; c += kLanes) {
        const int64_t lanes = std::min<int64_t>(kLanes, cols - c);
        const float* const from = b + k * ldb + c;
        __builtin_prefetch(from + 8 * ldb);
        __builtin_prefetch(from + 9 * ldb);
        const F16 odd = k + 1 < depth ? load_lanes(from + ldb, lanes) : zero();
        store(out + c / kLanes * panel_floats + k / 2 * kLanes, interleaved(load_lanes(from, lanes), odd));
      }
  }
}

}  // namespace exitrl::EXITRL_ISA
