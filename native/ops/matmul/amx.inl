// The products over tiles, included once for AMX and once for the emulation. Tiles are 16 rows of 64 bytes:
//   C  16 x 16 floats        A  16 rows of 32 bfloat16        B  16 rows (pairs in depth) of 16 columns, pairs side by side
// Numbers of tiles: C 0 to 3, A 4 and 5, B 6 and 7.
namespace exitrl::EXITRL_AMX {

constexpr int64_t kSide = 16, kDepth = 32;
constexpr int64_t kTileNumbers = kSide * kDepth;  // bfloat16 numbers of a tile of A or B
constexpr int64_t kRows = 4 * kSide;              // rows of C per pass over B
constexpr int64_t kDepthBlock = 64 * kDepth;      // of A in the second-level cache

enum class LeftIs { rows, columns };  // A(r, k) = a[r * lda + k]  or  a[k * lda + r]
enum class RightIs { packed, matrix };

EXITRL_AMX_TARGET static int64_t tiles(int64_t n, int64_t unit) { return (n + unit - 1) / unit; }

// Rows [0, rows) and positions [0, depth) of A as tiles, (rows / 16, depth / 32) of them, filled up with zeros.
template <LeftIs left>
EXITRL_AMX_TARGET static void pack_left(const float* a, int64_t lda, int64_t rows, int64_t depth, uint16_t* out) {
  const int64_t blocks = tiles(depth, kDepth);
  std::memset(out, 0, size_t(tiles(rows, kSide) * blocks * kTileNumbers) * sizeof(uint16_t));
  for (int64_t r = 0; r < rows; ++r) {
    uint16_t* const to = out + r / kSide * blocks * kTileNumbers + r % kSide * kDepth;
    for (int64_t k0 = 0; k0 < depth; k0 += kDepth) {
      uint16_t* const row = to + k0 / kDepth * kTileNumbers;
      for (int64_t k = 0; k < std::min(kDepth, depth - k0); ++k)
        row[k] = to_bf16(left == LeftIs::rows ? a[r * lda + k0 + k] : a[(k0 + k) * lda + r]);
    }
  }
}

// Columns [0, cols) and positions [0, depth) of a row-major B as tiles, (cols / 16, depth / 32) of them.
EXITRL_AMX_TARGET static void pack_right(const float* b, int64_t ldb, int64_t cols, int64_t depth, uint16_t* out) {
  const int64_t blocks = tiles(depth, kDepth);
  std::memset(out, 0, size_t(tiles(cols, kSide) * blocks * kTileNumbers) * sizeof(uint16_t));
  for (int64_t k = 0; k < depth; k += 2)
    for (int64_t c0 = 0; c0 < cols; c0 += kSide) {
      uint16_t* const to = out + (c0 / kSide * blocks + k / kDepth) * kTileNumbers + k % kDepth * kSide;
      const int64_t width = std::min(kSide, cols - c0);
      for (int64_t c = 0; c < width; ++c) to[2 * c] = to_bf16(b[k * ldb + c0 + c]);
      if (k + 1 < depth)
        for (int64_t c = 0; c < width; ++c) to[2 * c + 1] = to_bf16(b[(k + 1) * ldb + c0 + c]);
    }
}

// What lies outside C of a tile that is only partly inside.
struct Patch {
  alignas(64) float values[kSide * kSide];
};

EXITRL_AMX_TARGET static void load_patch(const float* from, int64_t stride, int64_t rows, int64_t cols, Patch& patch) {
  for (int64_t r = 0; r < kSide; ++r)
    for (int64_t c = 0; c < kSide; ++c) patch.values[r * kSide + c] = r < rows && c < cols ? from[r * stride + c] : 0.0f;
}

// Two by two tiles of C (rows and cols of them inside), `blocks` deep. `start`: null for zero. `last`: bias and addend follow.
struct Square {
  const uint16_t* a[2];  // tiles of the depth one after the other
  const uint16_t* b[2];
  int64_t blocks;
  const float* start;
  const float* bias;
  const float* addend;
  float* c;
  int64_t start_stride, stride, rows, cols;  // stride: of c and addend
};

EXITRL_AMX_TARGET static void compute_square(const Square& s) {
  Patch patch;
  const auto place = [&](int i, int64_t stride) { return i / 2 * kSide * stride + i % 2 * kSide; };
  const auto rows_of = [&](int i) { return std::clamp<int64_t>(s.rows - i / 2 * kSide, 0, kSide); };
  const auto cols_of = [&](int i) { return std::clamp<int64_t>(s.cols - i % 2 * kSide, 0, kSide); };
  const bool low = s.rows > kSide, right = s.cols > kSide;
#define EXITRL_START(i)                                                          \
  if (s.start == nullptr) {                                                      \
    TILE_ZERO(i);                                                                \
  } else {                                                                       \
    load_patch(s.start + place(i, s.start_stride), s.start_stride, rows_of(i), cols_of(i), patch); \
    TILE_LOAD(i, patch.values);                                                  \
  }
  EXITRL_START(0)
  if (right) { EXITRL_START(1) }
  if (low) { EXITRL_START(2) }
  if (low && right) { EXITRL_START(3) }
#undef EXITRL_START
  for (int64_t k = 0; k < s.blocks; ++k) {
    TILE_LOAD(4, s.a[0] + k * kTileNumbers);
    TILE_LOAD(6, s.b[0] + k * kTileNumbers);
    TILE_PRODUCT(0, 4, 6);
    if (right) {
      TILE_LOAD(7, s.b[1] + k * kTileNumbers);
      TILE_PRODUCT(1, 4, 7);
    }
    if (low) {
      TILE_LOAD(5, s.a[1] + k * kTileNumbers);
      TILE_PRODUCT(2, 5, 6);
      if (right) { TILE_PRODUCT(3, 5, 7); }
    }
  }
  const auto finish = [&](int i) {
    for (int64_t r = 0; r < rows_of(i); ++r)
      for (int64_t c = 0; c < cols_of(i); ++c) {
        const int64_t at = place(i, s.stride) + r * s.stride + c;
        float value = patch.values[r * kSide + c];
        if (s.bias) value += s.bias[i % 2 * kSide + c];
        if (s.addend) value += s.addend[at];
        s.c[at] = value;
      }
  };
  TILE_STORE(0, patch.values);
  finish(0);
  if (right) { TILE_STORE(1, patch.values); finish(1); }
  if (low) { TILE_STORE(2, patch.values); finish(2); }
  if (low && right) { TILE_STORE(3, patch.values); finish(3); }
}

template <LeftIs left, RightIs right>
EXITRL_AMX_TARGET static void compute(const Product& g, Scratch& scratch) {
  TILE_CONFIGURE();
  const int64_t depth_step = std::min(kDepthBlock, std::max<int64_t>(1, g.depth)), step_blocks = tiles(depth_step, kDepth);
  const int64_t total_blocks = tiles(g.depth, kDepth), panels = tiles(g.cols, kSide);
  const int64_t left_numbers = std::min(kRows, tiles(g.rows, kSide) * kSide) / kSide * step_blocks * kTileNumbers;
  const int64_t right_numbers = right == RightIs::packed ? 0 : panels * step_blocks * kTileNumbers;
  const int64_t partial_floats = g.depth > depth_step ? g.rows * g.cols : 0;
  float* const memory = scratch.reserve((left_numbers + right_numbers) / 2 + partial_floats);
  uint16_t* const a = reinterpret_cast<uint16_t*>(memory);
  uint16_t* const b_own = a + left_numbers;
  float* const partial = memory + (left_numbers + right_numbers) / 2;

  // At least once: with depth 0 the result is start + bias + addend.
  for (int64_t k0 = 0; k0 == 0 || k0 < g.depth; k0 += depth_step) {
    const int64_t depth = std::min(g.depth - k0, depth_step), blocks = tiles(depth, kDepth);
    const bool last = k0 + depth >= g.depth;
    if constexpr (right == RightIs::matrix) pack_right(g.b + k0 * g.ldb, g.ldb, g.cols, depth, b_own);
    for (int64_t r0 = 0; r0 < g.rows; r0 += kRows) {
      const int64_t rows = std::min(g.rows - r0, kRows);
      pack_left<left>(left == LeftIs::rows ? g.a + r0 * g.lda + k0 : g.a + k0 * g.lda + r0, g.lda, rows, depth, a);
      for (int64_t p = 0; p < panels; p += 2)
        for (int64_t r = 0; r < rows; r += 2 * kSide) {
          Square s{};
          const int64_t c0 = p * kSide, at = (r0 + r) * g.ldc + c0, partial_at = (r0 + r) * g.cols + c0;
          for (int i = 0; i < 2; ++i) {
            s.a[i] = a + (r / kSide + i) * blocks * kTileNumbers;
            s.b[i] = right == RightIs::packed
                         ? reinterpret_cast<const uint16_t*>(g.b) + ((p + i) * total_blocks + k0 / kDepth) * kTileNumbers
                         : b_own + (p + i) * blocks * kTileNumbers;
          }
          s.blocks = blocks;
          s.rows = rows - r;
          s.cols = g.cols - c0;
          s.stride = last ? g.ldc : g.cols;
          s.c = last ? g.c + at : partial + partial_at;
          s.bias = last && g.bias ? g.bias + c0 : nullptr;
          s.addend = last && g.addend ? g.addend + at : nullptr;
          if (k0 > 0) s.start = partial + partial_at;
          else s.start = g.start ? g.start + at : nullptr;
          s.start_stride = k0 > 0 ? g.cols : g.ldc;
          compute_square(s);
        }
    }
  }
  TILE_RELEASE();
}

void product_forward(const Product& g, Scratch& scratch) { compute<LeftIs::rows, RightIs::packed>(g, scratch); }
void product_dx(const Product& g, Scratch& scratch) { compute<LeftIs::rows, RightIs::matrix>(g, scratch); }
void product_dw(const Product& g, Scratch& scratch) { compute<LeftIs::columns, RightIs::matrix>(g, scratch); }

}  // namespace exitrl::EXITRL_AMX
