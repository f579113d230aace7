// The innermost loop of every matrix product: a tile of C in registers, one chain of fma per element in ascending
// depth. Included by *.inl files, once per instruction set.
namespace exitrl::EXITRL_ISA {

// Registers decide the tile: accumulators, one row of B and one broadcast element of A must fit. A product of few rows
// takes several panels of B at once: with too few independent chains the latency of fma would show.
#if defined(EXITRL_ISA_AVX512)
constexpr int kTileRows = 14;
constexpr int kDepthBlock = 384;
constexpr int panels_for(int rows) { return rows <= 2 ? 8 : 31 / (rows + 1); }
#elif defined(EXITRL_ISA_PORTABLE)
constexpr int kTileRows = 4;
constexpr int kDepthBlock = 256;
constexpr int panels_for(int) { return 1; }
#else
constexpr int kTileRows = 6;
constexpr int kDepthBlock = 256;
constexpr int panels_for(int rows) { return rows == 1 ? 6 : rows == 2 ? 2 : 1; }
#endif

// Row stride of a block copied to scratch: a constant, so that one pointer addresses all rows of a tile, and no power
// of two, so that the rows do not compete for the same cache lines.
constexpr int kRowStride = kDepthBlock + 16;

#undef EXITRL_ALWAYS_INLINE
#if defined(EXITRL_ISA_PORTABLE)
#define EXITRL_ALWAYS_INLINE inline
#else
#define EXITRL_ALWAYS_INLINE inline __attribute__((always_inline))
#endif

// Whether the rows of the left operand lie in rows or in columns of memory.
enum class Left { rows, columns };

// sum + a b, of floats or of pairs of bfloat16.
static EXITRL_ALWAYS_INLINE F16 add_product(F16 a, F16 b, F16 sum) {
#if defined(EXITRL_ISA_PAIRS)
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
#else
  return fma(a, b, sum);
#endif
}

// tile[i][p] += sum over k < depth of a[i * a_row + k * a_step] * b[p][k * b_step .. + 16]
template <int Rows, int Panels>
static EXITRL_ALWAYS_INLINE void multiply(F16 (&tile)[Rows][Panels], int64_t depth, const float* a, int64_t a_row,
                                          int64_t a_step, const float* const (&b)[Panels], int64_t b_step) {
#pragma GCC unroll 4
  for (int64_t k = 0; k < depth; ++k) {
    F16 right[Panels];
#pragma GCC unroll 16
    for (int p = 0; p < Panels; ++p) right[p] = load(b[p] + k * b_step);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      const F16 left = set1(a[i * a_row + k * a_step]);
#pragma GCC unroll 16
      for (int p = 0; p < Panels; ++p) tile[i][p] = add_product(left, right[p], tile[i][p]);
    }
  }
}

// The same with b in rows of sixteen pairs of bfloat16: b[p] + k / 2 * 16 (floats) holds k and k + 1.
template <int Rows, int Panels>
static EXITRL_ALWAYS_INLINE void multiply_pairs(F16 (&tile)[Rows][Panels], int64_t depth, const float* a, int64_t a_row,
                                                const float* const (&b)[Panels]) {
#pragma GCC unroll 2
  for (int64_t k = 0; k < depth; k += 2) {
    F16 right[Panels];
#pragma GCC unroll 16
    for (int p = 0; p < Panels; ++p) right[p] = even_bf16(reinterpret_cast<const uint16_t*>(b[p] + k * (kLanes / 2)));
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      const F16 left = set1(a[i * a_row + k]);
#pragma GCC unroll 16
      for (int p = 0; p < Panels; ++p) tile[i][p] = fma(left, right[p], tile[i][p]);
    }
    if (k + 1 == depth) return;
#pragma GCC unroll 16
    for (int p = 0; p < Panels; ++p) right[p] = odd_bf16(reinterpret_cast<const uint16_t*>(b[p] + k * (kLanes / 2)));
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      const F16 left = set1(a[i * a_row + k + 1]);
#pragma GCC unroll 16
      for (int p = 0; p < Panels; ++p) tile[i][p] = fma(left, right[p], tile[i][p]);
    }
  }
}

// Height of the next tile when `left` rows remain: the last two share what is left, since a low tile has too few
// independent chains.
constexpr int64_t tile_height(int64_t left) {
  if (left <= kTileRows || left >= 2 * kTileRows) return left < kTileRows ? left : kTileRows;
  return (left + 1) / 2;
}

constexpr int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

static EXITRL_ALWAYS_INLINE F16 load_lanes(const float* p, int64_t lanes) {
  return lanes == kLanes ? load(p) : load_partial(p, int(lanes));
}

static EXITRL_ALWAYS_INLINE void store_lanes(float* p, F16 x, int64_t lanes) {
  if (lanes == kLanes) store(p, x); else store_partial(p, x, int(lanes));
}

static EXITRL_ALWAYS_INLINE void copy_floats(const float* from, int64_t n, float* to) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(to + i, load(from + i));
  if (i < n) store_partial(to + i, load_partial(from + i, int(n - i)), int(n - i));
}

// Calls body(std::integral_constant<int, n>) for a runtime n in 1 .. Max.
template <int Max, class Body>
static EXITRL_ALWAYS_INLINE void with_constant(int64_t n, Body&& body) {
  if constexpr (Max == 1) {
    body(std::integral_constant<int, 1>{});
  } else {
    if (n == Max) body(std::integral_constant<int, Max>{});
    else with_constant<Max - 1>(n, body);
  }
}

}  // namespace exitrl::EXITRL_ISA
