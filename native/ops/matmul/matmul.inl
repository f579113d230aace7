// Blocked matrix product (Goto & van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008): a panel of
// B stays in the first-level cache, a block of A in the second, and the tile of C in registers.
#include "ops/matmul/micro_kernel.inl"
#if defined(EXITRL_ISA_PAIRS)
#include "ops/matmul/pack_pairs.inl"
#else
#include "ops/matmul/pack.inl"
#endif

namespace exitrl::EXITRL_ISA {

// Left: A(r, k) = a[r * lda + k]  or  a[k * lda + r]
// B(k, c) in panels (ceil(cols / 16), ldb, 16), in such panels of bfloat16 pairs, or b[k * ldb + c]
enum class Right { panels, pairs, matrix };
// What a tile reads B as: a row of sixteen elements for every one of A, or a row of sixteen pairs for every two.
enum class Panel { elements, pairs };

constexpr int64_t kRowBlock = kTileRows * (kTileRows > 6 ? 16 : 24);  // rows of A in the second-level cache
constexpr int64_t kOuterRows = kRowBlock * 4;                         // rows that share one packing of B
constexpr int64_t kColumnBlock = 256;                                 // columns of B packed at a time
constexpr int64_t kFarFloats = 1 << 20;                               // a larger B does not stay in a near cache
constexpr int kGroup = panels_for(kTileRows);                         // panels that a full tile covers

struct Tile {
  const float* a;
  const float* b;
  const float* start;
  const float* bias;
  const float* addend;
  float* c;
  const float* next;  // a panel to fetch into the cache meanwhile, or null
  int64_t depth, panel_stride, start_stride, c_stride;
  int64_t lanes;  // valid columns of the last panel
};

template <Left left, Panel panel, int Rows, int Panels>
static void compute_tile(const Tile& t) {
  constexpr int64_t b_step = panel == Panel::elements ? kLanes : kLanes / 2;
  constexpr int64_t a_row = left == Left::rows ? kRowStride : 1;
  constexpr int64_t a_step = left == Left::rows ? 1 : kTileRows;
  const float* b[Panels];
  for (int p = 0; p < Panels; ++p) b[p] = t.b + p * t.panel_stride;
  F16 tile[Rows][Panels];
  if (t.start == nullptr) {
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 16
      for (int p = 0; p < Panels; ++p) tile[i][p] = zero();
  } else {
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 16
      for (int p = 0; p < Panels; ++p)
        tile[i][p] = load_lanes(t.start + i * t.start_stride + p * kLanes, p == Panels - 1 ? t.lanes : kLanes);
  }
  // By the time the tile is complete, the lines it goes to are near.
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 16
    for (int p = 0; p < Panels; ++p) {
      if (t.start == nullptr) __builtin_prefetch(t.c + i * t.c_stride + p * kLanes, 1);
      if (t.addend != nullptr) __builtin_prefetch(t.addend + i * t.c_stride + p * kLanes);
    }
  const int64_t slice = t.next != nullptr ? int64_t{16} : t.depth;
  for (int64_t k = 0; k < t.depth; k += slice) {
    const int64_t depth = std::min(slice, t.depth - k);
    if (t.next != nullptr)
      for (int64_t i = 0; i < depth * b_step; i += kLanes) __builtin_prefetch(t.next + k * b_step + i);
    if constexpr (panel == Panel::elements) multiply(tile, depth, t.a + k * a_step, a_row, a_step, b, kLanes);
    else multiply_pairs(tile, depth, t.a + k * a_step, a_row, b);
    for (int p = 0; p < Panels; ++p) b[p] += depth * b_step;
  }
#pragma GCC unroll 16
  for (int p = 0; p < Panels; ++p) {
    const int64_t lanes = p == Panels - 1 ? t.lanes : kLanes;
    if (t.bias != nullptr) {
      const F16 bias = load_lanes(t.bias + p * kLanes, lanes);
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) tile[i][p] = add(tile[i][p], bias);
    }
    if (t.addend != nullptr) {
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i)
        tile[i][p] = add(tile[i][p], load_lanes(t.addend + i * t.c_stride + p * kLanes, lanes));
    }
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) store_lanes(t.c + i * t.c_stride + p * kLanes, tile[i][p], lanes);
  }
}

using ComputeTile = void (*)(const Tile&);

// Tile functions by number of rows, for one panel, for kGroup panels, and for as many as so few rows allow.
template <Left left, Panel panel>
struct TileTable {
  ComputeTile one[kTileRows + 1], group[kTileRows + 1], wide[kTileRows + 1];
  TileTable() { fill<kTileRows>(); }

 private:
  template <int Rows>
  void fill() {
    one[Rows] = &compute_tile<left, panel, Rows, 1>;
    group[Rows] = &compute_tile<left, panel, Rows, kGroup>;
    wide[Rows] = &compute_tile<left, panel, Rows, panels_for(Rows)>;
    if constexpr (Rows > 1) fill<Rows - 1>();
  }
};

// One block of rows, columns and depth: A and B are packed, B in panels `panel_stride` apart.
template <Left left, Panel kind>
static void compute_block(Tile t, const float* a, const float* b, int64_t rows, int64_t cols, bool fetch) {
  static const TileTable<left, kind> table;
  const Tile origin = t;
  const int64_t panels = (cols + kLanes - 1) / kLanes;
  const int group = panels_for(int(std::min<int64_t>(rows, kTileRows)));
  const ComputeTile* const grouped = rows < kTileRows ? table.wide : table.group;
  for (int64_t panel = 0; panel < panels;) {
    const int width = panels - panel >= group ? group : 1;
    const ComputeTile* const functions = width == group ? grouped : table.one;
    const int64_t column = panel * kLanes;
    panel += width;
    t.lanes = panel == panels ? cols - (panel - 1) * kLanes : kLanes;
    t.b = b + column / kLanes * t.panel_stride;
    t.a = a;
    t.start = origin.start ? origin.start + column : nullptr;
    t.bias = origin.bias ? origin.bias + column : nullptr;
    t.addend = origin.addend ? origin.addend + column : nullptr;
    t.c = origin.c + column;
    for (int64_t r = 0, height; r < rows; r += height) {
      height = tile_height(rows - r);
      t.next = fetch && r == 0 ? t.b + width * t.panel_stride : nullptr;
      functions[height](t);
      t.a += left == Left::rows ? height * kRowStride : kTileRows * t.depth;
      if (t.start) t.start += height * t.start_stride;
      if (t.addend) t.addend += height * t.c_stride;
      t.c += height * t.c_stride;
    }
  }
}

template <Left left, Right right, Precision precision>
static void compute_product(const Product& g, Scratch& scratch) {
  constexpr Panel kind = right == Right::pairs && kUnit == 1 ? Panel::pairs : Panel::elements;
  constexpr int64_t b_step = kind == Panel::pairs ? kLanes / 2 : kLanes;
  const int64_t elements = (g.depth + kUnit - 1) / kUnit;
  const int64_t blocks = std::max<int64_t>(1, (elements + kDepthBlock - 1) / kDepthBlock);
  // Even, so that no block begins inside a pair.
  const int64_t depth_step = round_up(std::max<int64_t>(1, (elements + blocks - 1) / blocks), 2);
  // Skinny products read B once, from far away; several panels at a time need no help to do so.
  const bool fetch = right != Right::matrix && g.cols * g.depth > kFarFloats && g.rows > 2;
  const int64_t outer_rows = std::min(g.rows, kOuterRows);
  const int64_t padded_cols = round_up(g.cols, kLanes);
  const int64_t partial_stride = padded_cols + kLanes;

  const int64_t a_floats = round_up(round_up(outer_rows, kTileRows) * kRowStride + kLanes, kLanes);
  const int64_t b_floats = right != Right::matrix ? 0 : std::min(kColumnBlock, padded_cols) * depth_step;
  const int64_t partial_floats = blocks > 1 ? outer_rows * partial_stride : 0;
  float* const a_block = scratch.reserve(a_floats + b_floats + partial_floats);
  float* const b_block = a_block + a_floats;
  float* const partial = b_block + b_floats;

  for (int64_t r0 = 0; r0 < g.rows; r0 += outer_rows) {
    const int64_t rows = std::min(g.rows - r0, outer_rows);
    // At least once: with depth 0 the result is start + bias + addend.
    for (int64_t k0 = 0; k0 == 0 || k0 < elements; k0 += depth_step) {
      const int64_t depth = std::min(elements - k0, depth_step);
      const bool last = k0 + depth >= elements;
      const int64_t position = k0 * kUnit, positions = std::min(g.depth - position, depth * kUnit);
      if constexpr (left == Left::rows) {
        copy_rows<precision>(g.a + r0 * g.lda + position, g.lda, rows, positions, a_block);
      } else {
        for (int64_t r1 = 0; r1 < rows; r1 += kRowBlock)
          copy_columns<precision>(g.a + position * g.lda + r0 + r1, g.lda, std::min(rows - r1, kRowBlock), positions, a_block + r1 * depth);
      }
      for (int64_t c0 = 0; c0 < g.cols; c0 += kColumnBlock) {
        const int64_t cols = std::min(g.cols - c0, kColumnBlock);
        Tile t{};
        t.depth = depth;
        t.c_stride = last ? g.ldc : partial_stride;
        t.start_stride = k0 == 0 ? g.ldc : partial_stride;
        const float* b;
        if constexpr (right != Right::matrix) {
          b = g.b + c0 * g.ldb + k0 * b_step;
          t.panel_stride = g.ldb * kLanes;
        } else {
          copy_panels<precision>(g.b + position * g.ldb + c0, g.ldb, cols, positions, b_block);
          b = b_block;
          t.panel_stride = depth * kLanes;
        }
        for (int64_t r1 = 0; r1 < rows; r1 += kRowBlock) {
          const int64_t at = (r0 + r1) * g.ldc + c0, partial_at = r1 * partial_stride + c0;
          if (k0 > 0) t.start = partial + partial_at;
          else t.start = g.start ? g.start + at : nullptr;
          t.c = last ? g.c + at : partial + partial_at;
          t.bias = last && g.bias ? g.bias + c0 : nullptr;
          t.addend = last && g.addend ? g.addend + at : nullptr;
          const float* const a = a_block + r1 * (left == Left::rows ? int64_t{kRowStride} : depth);
          compute_block<left, kind>(t, a, b, std::min(rows - r1, kRowBlock), cols, fetch);
        }
      }
    }
  }
}

#if defined(EXITRL_ISA_PAIRS)
void product_forward(const Product& g, Scratch& scratch) { compute_product<Left::rows, Right::pairs, Precision::bf16>(g, scratch); }
void product_dx(const Product& g, Scratch& scratch) { compute_product<Left::rows, Right::matrix, Precision::bf16>(g, scratch); }
void product_dw(const Product& g, Scratch& scratch) { compute_product<Left::columns, Right::matrix, Precision::bf16>(g, scratch); }
#else
// y = x W^T from packed panels
void product_forward(const Product& g, Scratch& scratch) { compute_product<Left::rows, Right::panels, Precision::f32>(g, scratch); }
void product_forward_bf16(const Product& g, Scratch& scratch) { compute_product<Left::rows, Right::pairs, Precision::bf16>(g, scratch); }
// dx = dy W
void product_dx(const Product& g, Scratch& scratch) { compute_product<Left::rows, Right::matrix, Precision::f32>(g, scratch); }
void product_dx_bf16(const Product& g, Scratch& scratch) { compute_product<Left::rows, Right::matrix, Precision::bf16>(g, scratch); }
// dw += dy^T x
void product_dw(const Product& g, Scratch& scratch) { compute_product<Left::columns, Right::matrix, Precision::f32>(g, scratch); }
void product_dw_bf16(const Product& g, Scratch& scratch) { compute_product<Left::columns, Right::matrix, Precision::bf16>(g, scratch); }

// sum += sum of the rows of x
void add_rows(const float* x, int64_t stride, int64_t rows, int64_t cols, float* sum) {
  for (int64_t c = 0; c < cols; c += kLanes) {
    const int64_t lanes = std::min<int64_t>(cols - c, kLanes);
    F16 total = load_lanes(sum + c, lanes);
    for (int64_t r = 0; r < rows; ++r) total = add(total, load_lanes(x + r * stride + c, lanes));
    store_lanes(sum + c, total, lanes);
  }
}
#endif

}  // namespace exitrl::EXITRL_ISA
