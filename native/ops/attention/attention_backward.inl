// Gradient of attention for one family of sequences and one kv head. Query tiles of every head of the group are taken in
// order, first those of the shared rows, then those of each continuation, each against blocks of keys (as
// FlashAttention-2, Dao, arXiv 2307.08691, but with dK and dV in scratch):
//
//   P  = exp(Q K^T * scale - lse)      dV += P^T dO      dP = dO V^T
//   dS = P * (dP - delta) * scale      dK += dS^T Q      dQ += dS K      delta = sum over d of dO * O
#include "ops/matmul/micro_kernel.inl"

namespace exitrl::EXITRL_ISA {

constexpr int64_t kQueryTile = kTileRows * (kTileRows > 6 ? 8 : 16);
constexpr int64_t kKeyBlock = kDepthBlock / 2;

// Right operand of a product: rows `step` apart, chunks of 16 columns side by side in blocks of kDepthBlock columns.
struct Operand {
  const float* data;
  int64_t step, block_stride;
  const float* chunk(int64_t c) const {
    const int64_t column = c * kLanes;
    return data + column / kDepthBlock * block_stride + column % kDepthBlock;
  }
};

// A(r, k) = a[r * kRowStride + k]  or  a[k * kRowStride + r]
template <Left left, int Rows, int Chunks>
static void accumulate_tile(const float* a, const Operand& b, int64_t first_chunk, int64_t depth, float* c,
                            int64_t c_stride) {
  constexpr int64_t a_row = left == Left::rows ? kRowStride : 1, a_step = left == Left::rows ? 1 : kRowStride;
  const float* right[Chunks];
  for (int p = 0; p < Chunks; ++p) right[p] = b.chunk(first_chunk + p);
  F16 tile[Rows][Chunks];
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 16
    for (int p = 0; p < Chunks; ++p) tile[i][p] = load(c + i * c_stride + (first_chunk + p) * kLanes);
  multiply(tile, depth, a, a_row, a_step, right, b.step);
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 16
    for (int p = 0; p < Chunks; ++p) store(c + i * c_stride + (first_chunk + p) * kLanes, tile[i][p]);
}

// c (count, chunks * 16) += A B for up to kTileRows rows
template <Left left>
static void accumulate_rows(int64_t count, const float* a, const Operand& b, int64_t chunks, int64_t depth, float* c,
                            int64_t c_stride) {
  constexpr int kPair = panels_for(kTileRows);
  with_constant<kTileRows>(count, [&](auto constant) {
    constexpr int Rows = decltype(constant)::value;
    int64_t chunk = 0;
    for (; chunk + kPair <= chunks; chunk += kPair)
      accumulate_tile<left, Rows, kPair>(a, b, chunk, depth, c, c_stride);
    for (; chunk < chunks; ++chunk) accumulate_tile<left, Rows, 1>(a, b, chunk, depth, c, c_stride);
  });
}

struct FamilyGradient {
  const AttentionBackward& a;
  int64_t head;    // kv head
  int64_t width;   // D rounded up to 16
  int64_t stride;  // of a fused row
  int64_t shared_row, shared;  // first row and number of the rows that all sequences share
  int64_t own_row = 0;         // first row of the present sequence that is its own, at position `shared`

  // For the positions of the present sequence; missing lanes are zero.
  float* key_panels;    // (pages, D, 16)
  float* value_panels;  // (pages, D, 16)
  float* keys;          // (positions, width)
  float* dk;            // (positions, width)
  float* dv;            // (positions, width)
  // For a tile of queries: blocks of kDepthBlock along the head width, (blocks, kQueryTile, kRowStride).
  float* queries;
  float* d_outputs;
  float* dq;     // (kQueryTile, width)
  float* delta;  // (kQueryTile)
  float* lse;    // (kQueryTile)
  // For a tile of queries and a block of keys: (kQueryTile, kRowStride).
  float* p;   // scores, then probabilities
  float* ds;  // dP, then dS

  int64_t row_at(int64_t position) const { return position < shared ? shared_row + position : own_row + position - shared; }
  int64_t first_key(int64_t i) const { return a.window > 0 ? std::max<int64_t>(0, i - a.window + 1) : 0; }

  static void copy_row(const float* from, int64_t n, int64_t padded, float* to) {
    for (int64_t d = 0; d < padded; d += kLanes)
      store(to + d, load_lanes(from + d, std::min<int64_t>(kLanes, n - d)));
  }

  // Keys and values of positions [from, to), and zero gradients for them.
  void copy_keys_and_values(int64_t from, int64_t to) const {
    for (int64_t j = from; j < round_up(to, kLanes); ++j) {
      float* const k_panel = key_panels + j / kLanes * a.D * kLanes + j % kLanes;
      float* const v_panel = value_panels + j / kLanes * a.D * kLanes + j % kLanes;
      if (j >= to) {
        for (int64_t d = 0; d < a.D; ++d) k_panel[d * kLanes] = v_panel[d * kLanes] = 0;
        continue;
      }
      const float* const k = a.qkv + row_at(j) * stride + (a.H + head) * a.D;
      const float* const v = k + a.K * a.D;
      for (int64_t d = 0; d < a.D; ++d) {
        k_panel[d * kLanes] = k[d];
        v_panel[d * kLanes] = v[d];
      }
      copy_row(k, a.D, width, keys + j * width);
    }
    std::memset(dk + from * width, 0, size_t((to - from) * width) * sizeof(float));
    std::memset(dv + from * width, 0, size_t((to - from) * width) * sizeof(float));
  }

  void copy_tile(int64_t q_head, int64_t first, int64_t rows) const {
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t token = row_at(first + r);
      const float* const q = a.qkv + token * stride + q_head * a.D;
      const float* const d_o = a.d_o + (token * a.H + q_head) * a.D;
      const float* const o = a.o + (token * a.H + q_head) * a.D;
      for (int64_t d = 0; d < a.D; d += kDepthBlock) {
        const int64_t at = (d / kDepthBlock * kQueryTile + r) * kRowStride;
        const int64_t n = std::min<int64_t>(kDepthBlock, a.D - d);
        copy_row(q + d, n, round_up(n, kLanes), queries + at);
        copy_row(d_o + d, n, round_up(n, kLanes), d_outputs + at);
      }
      F16 sum = zero();
      for (int64_t d = 0; d < a.D; d += kLanes) {
        const int64_t lanes = std::min<int64_t>(kLanes, a.D - d);
        sum = fma(load_lanes(d_o + d, lanes), load_lanes(o + d, lanes), sum);
      }
      delta[r] = reduce_add(sum);
      lse[r] = a.lse[token * a.H + q_head];
    }
    std::memset(dq, 0, size_t(rows * width) * sizeof(float));
  }

  // out (Rows, 16) = left (Rows, D) * panel (D, 16)
  template <int Rows>
  void multiply_page(const float* left, const float* panel, float* out) const {
    F16 tile[Rows][1];
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) tile[i][0] = zero();
    for (int64_t d = 0; d < a.D; d += kDepthBlock) {
      const float* const right[1] = {panel + d * kLanes};
      multiply(tile, std::min<int64_t>(kDepthBlock, a.D - d), left + d / kDepthBlock * kQueryTile * kRowStride,
               kRowStride, 1, right, kLanes);
    }
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) store(out + i * kRowStride, tile[i][0]);
  }

  // P and dS of one row from its scores and dP; zero outside the keys [from, to) it sees, counted in the block.
  void finish_row(int64_t r, int64_t from, int64_t to, int64_t keys_in_block) const {
    float* const p_row = p + r * kRowStride;
    float* const ds_row = ds + r * kRowStride;
    const F16 scale = set1(a.scale), row_lse = set1(lse[r]), row_delta = set1(delta[r]);
    for (int64_t k = 0; k < keys_in_block; k += kLanes) {
      if (k + kLanes <= from || k >= to) {
        store(p_row + k, zero());
        store(ds_row + k, zero());
        continue;
      }
      const F16 weight = exp(sub(mul(load(p_row + k), scale), row_lse));
      store(ds_row + k, mul(mul(weight, sub(load(ds_row + k), row_delta)), scale));
      store(p_row + k, weight);
      for (int64_t lane = k; lane < std::min(from, k + kLanes); ++lane) p_row[lane] = ds_row[lane] = 0;
      for (int64_t lane = std::max(to, k); lane < k + kLanes; ++lane) p_row[lane] = ds_row[lane] = 0;
    }
  }

  // Queries [first, first + rows) against keys [begin, end); begin is a multiple of 16.
  void key_block(int64_t first, int64_t rows, int64_t begin, int64_t end) const {
    const int64_t chunks = width / kLanes, tile_block = kQueryTile * kRowStride;
    for (int64_t r = 0; r < rows; r += kTileRows) {
      const int64_t count = std::min<int64_t>(kTileRows, rows - r);
      const int64_t from = std::max(begin, first_key(first + r)) / kLanes * kLanes;
      const int64_t to = std::min(end, first + r + count);
      for (int64_t j = from; j < to; j += kLanes) {
        const int64_t panel = j * a.D, at = r * kRowStride + j - begin;
        with_constant<kTileRows>(count, [&](auto constant) {
          constexpr int Rows = decltype(constant)::value;
          multiply_page<Rows>(queries + r * kRowStride, key_panels + panel, p + at);
          multiply_page<Rows>(d_outputs + r * kRowStride, value_panels + panel, ds + at);
        });
      }
    }
    for (int64_t r = 0; r < rows; ++r)
      finish_row(r, first_key(first + r) - begin, std::min(end, first + r + 1) - begin, end - begin);

    for (int64_t r = 0; r < rows; r += kTileRows) {
      const int64_t count = std::min<int64_t>(kTileRows, rows - r);
      const int64_t from = std::max(begin, first_key(first + r)), to = std::min(end, first + r + count);
      if (from >= to) continue;
      const Operand right{keys + from * width, width, kDepthBlock};
      accumulate_rows<Left::rows>(count, ds + r * kRowStride + from - begin, right, chunks, to - from, dq + r * width,
                                  width);
    }
    for (int64_t j = begin; j < end; j += kTileRows) {
      const int64_t count = std::min<int64_t>(kTileRows, end - j);
      // The rows that see one of these keys.
      const int64_t from = std::max<int64_t>(0, j - first);
      const int64_t to = a.window > 0 ? std::min(rows, j + count - 1 + a.window - first) : rows;
      if (from >= to) continue;
      const int64_t at = from * kRowStride, left = at + j - begin;
      accumulate_rows<Left::columns>(count, p + left, {d_outputs + at, kRowStride, tile_block}, chunks, to - from,
                                     dv + j * width, width);
      accumulate_rows<Left::columns>(count, ds + left, {queries + at, kRowStride, tile_block}, chunks, to - from,
                                     dk + j * width, width);
    }
  }

  void write_rows(const float* from, int64_t first, int64_t rows, int64_t fused_head) const {
    for (int64_t r = 0; r < rows; ++r) {
      float* const to = a.dqkv + row_at(first + r) * stride + fused_head * a.D;
      copy_floats(from + r * width, a.D, to);
    }
  }

  // Queries at positions [from, to): all shared or all of the present sequence.
  void query_rows(int64_t from, int64_t to) const {
    const int64_t group = a.H / a.K;
    for (int64_t q_head = head * group; q_head < (head + 1) * group; ++q_head)
      for (int64_t first = from; first < to; first += kQueryTile) {
        const int64_t rows = std::min(kQueryTile, to - first), end = first + rows;
        copy_tile(q_head, first, rows);
        for (int64_t begin = first_key(first) / kLanes * kLanes; begin < end; begin += kKeyBlock)
          key_block(first, rows, begin, std::min(end, begin + kKeyBlock));
        write_rows(dq, first, rows, q_head);
      }
  }

  void write_key_gradients(int64_t from, int64_t to) const {
    write_rows(dk + from * width, from, to - from, a.H + head);
    write_rows(dv + from * width, from, to - from, a.H + a.K + head);
  }
};

void attention_family_backward(const AttentionBackward& a, int64_t family, int64_t head, Scratch& scratch) {
  const AttentionSpan* const first = a.spans + a.families[family];
  const AttentionSpan* const last = a.spans + a.families[family + 1];
  const int64_t shared = first->rows;
  int64_t longest = shared;
  for (const AttentionSpan* s = first + 1; s < last; ++s) longest = std::max(longest, shared + s->rows);

  const int64_t width = round_up(a.D, kLanes), positions = round_up(longest, kLanes);
  const int64_t panel_floats = positions * a.D, row_floats = positions * width;
  const int64_t tile_floats = round_up(a.D, kDepthBlock) / kDepthBlock * kQueryTile * kRowStride;
  const int64_t block_floats = kQueryTile * kRowStride;
  float* next = scratch.reserve(2 * panel_floats + 3 * row_floats + 2 * tile_floats + 2 * block_floats +
                                kQueryTile * width + 2 * round_up(kQueryTile, kLanes));
  const auto take = [&](int64_t floats) {
    float* const begin = next;
    next += floats;
    return begin;
  };
  FamilyGradient g{a, head, width, (a.H + 2 * a.K) * a.D, first->row, shared, 0,
                   take(panel_floats), take(panel_floats), take(row_floats), take(row_floats), take(row_floats),
                   take(tile_floats), take(tile_floats), take(kQueryTile * width),
                   take(round_up(kQueryTile, kLanes)), take(round_up(kQueryTile, kLanes)),
                   take(block_floats), take(block_floats)};
  g.copy_keys_and_values(0, shared);
  g.query_rows(0, shared);
  for (const AttentionSpan* s = first + 1; s < last; ++s) {
    g.own_row = s->row;
    g.copy_keys_and_values(shared, shared + s->rows);
    g.query_rows(shared, shared + s->rows);
    g.write_key_gradients(shared, shared + s->rows);
  }
  g.write_key_gradients(0, shared);
}

}  // namespace exitrl::EXITRL_ISA
