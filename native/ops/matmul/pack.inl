// How factors are laid out for the tiles of matmul.inl: floats as they are, or rounded to bfloat16. pack_pairs.inl is the other way.
namespace exitrl::EXITRL_ISA {

constexpr int64_t kUnit = 1;  // positions of the depth in an element

template <Precision precision>
static EXITRL_ALWAYS_INLINE F16 rounded(F16 x) {
  if constexpr (precision == Precision::bf16) return round_bf16(x);
  else return x;
}

template <Precision precision>
static void copy_rows(const float* a, int64_t lda, int64_t rows, int64_t depth, float* out) {
  for (int64_t r = 0; r < rows; ++r, a += lda, out += kRowStride) {
    if constexpr (precision == Precision::f32) {
      copy_floats(a, depth, out);
    } else {
      for (int64_t k = 0; k < depth; k += kLanes) {
        const int64_t lanes = std::min<int64_t>(kLanes, depth - k);
        store_lanes(out + k, round_bf16(load_lanes(a + k, lanes)), lanes);
      }
    }
  }
}

// At least kTileRows floats, at most sixteen.
template <Precision precision>
static EXITRL_ALWAYS_INLINE void copy_tile_row(const float* from, float* to) {
  if constexpr (precision == Precision::bf16) return store(to, round_bf16(load(from)));
#if defined(EXITRL_ISA_AVX2)
  static_assert(kTileRows <= 8);
  _mm256_storeu_ps(to, _mm256_loadu_ps(from));
#else
  store(to, load(from));
#endif
}

// Tiles of up to kTileRows columns of `a`, each (depth, kTileRows). What is copied too much is overwritten by the next
// k, and by the next tile or the end of the block.
template <Precision precision>
static void copy_columns(const float* a, int64_t lda, int64_t rows, int64_t depth, float* out) {
  for (int64_t r = 0; r < rows; r += tile_height(rows - r), out += depth * kTileRows) {
    const float* const from = a + r;
    const int64_t left = rows - r;
    if (left >= kLanes)
      for (int64_t k = 0; k < depth; ++k) copy_tile_row<precision>(from + k * lda, out + k * kTileRows);
    else
      for (int64_t k = 0; k < depth; ++k) store(out + k * kTileRows, rounded<precision>(load_partial(from + k * lda, int(left))));
  }
}

template <Precision precision>
static void copy_panels(const float* b, int64_t ldb, int64_t cols, int64_t depth, float* out) {
  constexpr int kTogether = 4;  // rows of B are far apart: take more than one cache line of each
  const int64_t panel_floats = depth * kLanes;
  int64_t c = 0;
  for (; c + kTogether * kLanes <= cols; c += kTogether * kLanes, out += kTogether * panel_floats)
    for (int64_t k = 0; k < depth; ++k)
      for (int p = 0; p < kTogether; ++p) {
        const float* const from = b + k * ldb + c + p * kLanes;
        __builtin_prefetch(from + 8 * ldb);
        store(out + p * panel_floats + k * kLanes, rounded<precision>(load(from)));
      }
  for (; c < cols; c += kLanes, out += panel_floats)
    for (int64_t k = 0; k < depth; ++k)
      store(out + k * kLanes, rounded<precision>(load_lanes(b + k * ldb + c, std::min<int64_t>(kLanes, cols - c))));
}

}  // namespace exitrl::EXITRL_ISA
