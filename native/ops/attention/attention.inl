// One tile of attention: consecutive query rows of one span and all query heads of one kv head, against every key they
// may see. Row m of the tile is query row m / group, head m % group.
#include "ops/matmul/micro_kernel.inl"

namespace exitrl::EXITRL_ISA {

// Pages (or chunks of the head width) taken at once: a power of two, more when few rows leave registers free.
constexpr int widest_group(int rows) {
  constexpr int kFull = panels_for(kTileRows);
  return rows == 1 ? 4 * kFull : rows == 2 ? 2 * kFull : kFull;
}

constexpr int64_t group_size(int widest, int64_t left) {
  int64_t group = 1;
  while (group * 2 <= widest && group * 2 <= left) group *= 2;
  return group;
}

// Calls body(height, size), both std::integral_constant, for a tile of `height` rows and a group of `size`.
template <class Body>
static EXITRL_ALWAYS_INLINE void with_tile(int64_t height, int64_t size, Body&& body) {
  with_constant<kTileRows>(height, [&](auto rows) {
    constexpr int kWidest = widest_group(decltype(rows)::value);
    if constexpr (kWidest >= 8)
      if (size == 8) return body(rows, std::integral_constant<int, 8>{});
    if constexpr (kWidest >= 4)
      if (size == 4) return body(rows, std::integral_constant<int, 4>{});
    if constexpr (kWidest >= 2)
      if (size == 2) return body(rows, std::integral_constant<int, 2>{});
    body(rows, std::integral_constant<int, 1>{});
  });
}

constexpr int64_t kOutputStride = widest_group(1) * kLanes;

struct AttentionTile {
  const AttentionForward& a;
  const AttentionSpan& span;
  int64_t head = 0;      // kv head
  int64_t group = 0;     // query heads per kv head
  int64_t first = 0;     // first query row of the tile, counted from span.row
  int64_t position = 0;  // its position in the sequence
  int64_t rows = 0;      // rows of the tile: query rows * group
  int64_t base = 0;      // first key position of the tile, at a page border
  int64_t end = 0;       // one past the last key position

  // Scratch. Head width and keys are cut into blocks of kDepthBlock.
  float* queries = nullptr;        // (blocks of the head width, rows, kRowStride)
  float* scores = nullptr;         // (blocks of keys, rows, kRowStride); later the exponentials
  float* maxima = nullptr;         // (rows)
  float* sums = nullptr;           // (rows)
  float* outputs = nullptr;        // (rows, kOutputStride), before the division
  float* copied_values = nullptr;  // (chunks, keys, 16)

  int64_t last_key(int64_t m) const { return position + m / group; }
  int64_t first_key(int64_t m) const { return a.window > 0 ? std::max<int64_t>(0, last_key(m) - a.window + 1) : 0; }
  int64_t page_offset(int64_t page) const { return span.pages[page] * a.page_stride + head * a.D * kLanes; }
  float* score(int64_t m, int64_t key) const {
    const int64_t k = key - base;
    return scores + (k / kDepthBlock * rows + m) * kRowStride + k % kDepthBlock;
  }

  void copy_queries() const {
    for (int64_t m = 0; m < rows; ++m) {
      const float* const q = a.q + (span.row + first + m / group) * a.q_stride + (head * group + m % group) * a.D;
      for (int64_t d = 0; d < a.D; d += kDepthBlock) {
        float* const to = queries + (d / kDepthBlock * rows + m) * kRowStride;
        copy_floats(q + d, std::min<int64_t>(kDepthBlock, a.D - d), to);
      }
    }
  }

  template <int Rows, int Pages>
  void score_pages(int64_t m, int64_t page) const {
    F16 tile[Rows][Pages];
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 16
      for (int p = 0; p < Pages; ++p) tile[i][p] = zero();
    const float* keys[Pages];
    for (int p = 0; p < Pages; ++p) keys[p] = a.keys + page_offset(page + p);
    for (int64_t d = 0;; d += kDepthBlock) {
      const int64_t depth = std::min<int64_t>(kDepthBlock, a.D - d);
      multiply(tile, depth, queries + (d / kDepthBlock * rows + m) * kRowStride, kRowStride, 1, keys, kLanes);
      if (d + depth >= a.D) break;
      for (int p = 0; p < Pages; ++p) keys[p] += kDepthBlock * kLanes;
    }
    const F16 scale = set1(a.scale);
#pragma GCC unroll 16
    for (int p = 0; p < Pages; ++p) {
      float* const to = score(m, (page + p) * kLanes);
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) store(to + i * kRowStride, mul(tile[i][p], scale));
    }
  }

  void compute_scores() const {
    for (int64_t m = 0, height; m < rows; m += height) {
      height = tile_height(rows - m);
      const int64_t end_page = last_key(m + height - 1) / kLanes + 1;
      for (int64_t page = first_key(m) / kLanes, pages; page < end_page; page += pages) {
        pages = group_size(widest_group(int(height)), end_page - page);
        with_tile(height, pages, [&](auto tile_rows, auto group_pages) {
          score_pages<decltype(tile_rows)::value, decltype(group_pages)::value>(m, page);
        });
      }
    }
  }

  // Calls body(scores, keys) for the stretches of row m's pages that lie side by side in scratch.
  template <class Body>
  EXITRL_ALWAYS_INLINE void for_each_stretch(int64_t m, Body&& body) const {
    const int64_t begin = first_key(m) / kLanes * kLanes, stop = last_key(m) / kLanes * kLanes + kLanes;
    for (int64_t key = begin, next; key < stop; key = next) {
      next = std::min(stop, base + round_up(key - base + 1, kDepthBlock));
      body(score(m, key), next - key);
    }
  }

  // Keys of the first and last page that row m does not see get score -infinity.
  void mask_row(int64_t m) const {
    alignas(64) static constexpr float lane[kLanes] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const int64_t from = first_key(m), to = last_key(m);
    const F16 lanes = load(lane), masked = set1(-__builtin_inff());
    if (from % kLanes != 0) {
      float* const s = score(m, from / kLanes * kLanes);
      store(s, select_lt(lanes, set1(float(from % kLanes)), masked, load(s)));
    }
    float* const s = score(m, to / kLanes * kLanes);
    store(s, select_lt(lanes, set1(float(to % kLanes + 1)), load(s), masked));
  }

  // Scores become exponentials. One pass per step: the rows of a pass do not wait for each other.
  void softmax() const {
    for (int64_t m = 0; m < rows; ++m) {
      mask_row(m);
      F16 top = set1(-__builtin_inff());
      for_each_stretch(m, [&](const float* s, int64_t keys) {
        for (int64_t k = 0; k < keys; k += kLanes) top = max(load(s + k), top);
      });
      maxima[m] = reduce_max(top);
    }
    for (int64_t m = 0; m < rows; ++m) {
      const F16 maximum = set1(maxima[m]);
      F16 total = zero();
      for_each_stretch(m, [&](float* s, int64_t keys) {
        for (int64_t k = 0; k < keys; k += kLanes) {
          const F16 p = exp(sub(load(s + k), maximum));
          store(s + k, p);
          total = add(total, p);
        }
      });
      sums[m] = reduce_add(total);
    }
    if (a.lse == nullptr) return;
    for (int64_t m = 0; m < rows; ++m)
      a.lse[(span.row + first + m / group) * a.H + head * group + m % group] = maxima[m] + std::log(sums[m]);
  }

  // Values of one or more chunks of the head width: in their pages, or copied to scratch as (chunks, keys, 16).
  struct Values {
    int64_t chunk;   // the first
    bool copied;
    int64_t key_step, chunk_step;
  };

  EXITRL_ALWAYS_INLINE const float* value(const Values& v, int64_t key) const {
    if (v.copied) return copied_values + (key - base) * kLanes;
    return a.values + page_offset(key / kLanes) + key % kLanes * a.D + v.chunk * kLanes;
  }

  Values copy_values(int64_t chunk, int64_t chunks) const {
    const int64_t keys = end - base;
    for (int64_t key = base; key < end; ++key) {
      const float* const v = a.values + page_offset(key / kLanes) + key % kLanes * a.D;
      for (int64_t c = chunk; c < chunk + chunks; ++c)
        store(copied_values + ((c - chunk) * keys + key - base) * kLanes,
              load_lanes(v + c * kLanes, std::min<int64_t>(kLanes, a.D - c * kLanes)));
    }
    return {chunk, true, kLanes, keys * kLanes};
  }

  // sum += keys [from, to), for row m
  template <int Chunks>
  EXITRL_ALWAYS_INLINE void accumulate_row(F16 (&sum)[Chunks], const Values& values, int64_t m, int64_t from,
                                           int64_t to) const {
    for (int64_t key = from; key < to; ++key) {
      const float* const v = value(values, key);
      const F16 p = set1(*score(m, key));
#pragma GCC unroll 16
      for (int c = 0; c < Chunks; ++c) sum[c] = fma(p, load(v + c * values.chunk_step), sum[c]);
    }
  }

  // Keys before those that all rows of its tile see.
  template <int Chunks>
  void begin_row(int64_t m, const Values& values, int64_t common) const {
    F16 sum[Chunks];
    for (int c = 0; c < Chunks; ++c) sum[c] = zero();
    accumulate_row(sum, values, m, first_key(m), std::min(common, last_key(m) + 1));
    for (int c = 0; c < Chunks; ++c) store(outputs + m * kOutputStride + c * kLanes, sum[c]);
  }

  // Keys [common, common_end), which all rows of the tile see.
  template <int Rows, int Chunks>
  void accumulate_tile(int64_t m, const Values& values, int64_t common, int64_t common_end) const {
    F16 tile[Rows][Chunks];
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 16
      for (int c = 0; c < Chunks; ++c) tile[i][c] = load(outputs + (m + i) * kOutputStride + c * kLanes);
    for (int64_t key = common, next; key < common_end; key = next) {
      // Up to here, scores and values lie side by side.
      const int64_t unit = values.copied ? int64_t{kDepthBlock} : int64_t{kLanes};
      next = std::min(common_end, base + round_up(key - base + 1, unit));
      const float* right[Chunks];
      for (int c = 0; c < Chunks; ++c) right[c] = value(values, key) + c * values.chunk_step;
      multiply(tile, next - key, score(m, key), kRowStride, 1, right, values.key_step);
    }
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 16
      for (int c = 0; c < Chunks; ++c) store(outputs + (m + i) * kOutputStride + c * kLanes, tile[i][c]);
  }

  // The remaining keys, and the division.
  template <int Chunks>
  void finish_row(int64_t m, const Values& values, int64_t common_end) const {
    F16 sum[Chunks];
    for (int c = 0; c < Chunks; ++c) sum[c] = load(outputs + m * kOutputStride + c * kLanes);
    accumulate_row(sum, values, m, std::max(common_end, first_key(m)), last_key(m) + 1);
    const int64_t row = span.row + first + m / group, h = head * group + m % group;
    float* const o = a.o + (row * a.H + h) * a.D + values.chunk * kLanes;
    const F16 total = set1(sums[m]);
    for (int c = 0; c < Chunks; ++c)
      store_lanes(o + c * kLanes, div(sum[c], total), std::min<int64_t>(kLanes, a.D - (values.chunk + c) * kLanes));
  }

  // Rows of a tile begin and end at different keys. A key that a row may not see must not touch it, not even with
  // weight 0 (0 * NaN is NaN): such keys are added row by row.
  template <int Rows, int Chunks>
  void output_tile(int64_t m, const Values& values) const {
    const int64_t common = first_key(m + Rows - 1);
    const int64_t common_end = std::max(common, last_key(m) + 1);
    for (int64_t i = m; i < m + Rows; ++i) begin_row<Chunks>(i, values, common);
    accumulate_tile<Rows, Chunks>(m, values, common, common_end);
    for (int64_t i = m; i < m + Rows; ++i) finish_row<Chunks>(i, values, common_end);
  }

  void compute_output() const {
    const int64_t full = a.D / kLanes, all = (a.D + kLanes - 1) / kLanes;
    const int widest = widest_group(int(std::min<int64_t>(rows, kTileRows)));
    for (int64_t chunk = 0, chunks; chunk < all; chunk += chunks) {
      chunks = chunk < full ? group_size(widest, full - chunk) : 1;
      // A copy pays when several tiles read it. The last lanes of a ragged width must not be read past its end.
      const bool copy = rows > kTileRows || chunk == full;
      const Values values = copy ? copy_values(chunk, chunks) : Values{chunk, false, a.D, kLanes};
      for (int64_t m = 0, height; m < rows; m += height) {
        height = tile_height(rows - m);
        with_tile(height, chunks, [&](auto tile_rows, auto group_chunks) {
          output_tile<decltype(tile_rows)::value, decltype(group_chunks)::value>(m, values);
        });
      }
    }
  }
};

void attention_tile(const AttentionForward& a, const AttentionSpan& span, int64_t head, int64_t first,
                    int64_t query_rows, Scratch& scratch) {
  AttentionTile t{a, span};
  t.head = head;
  t.group = a.H / a.K;
  t.first = first;
  t.position = span.position + first;
  t.rows = query_rows * t.group;
  t.base = t.first_key(0) / kLanes * kLanes;
  t.end = t.position + query_rows;

  const int64_t keys = round_up(t.end - t.base, kLanes);
  const int64_t query_floats = round_up(a.D, kDepthBlock) / kDepthBlock * t.rows * kRowStride;
  const int64_t score_floats = round_up(keys, kDepthBlock) / kDepthBlock * t.rows * kRowStride;
  const int64_t row_floats = round_up(t.rows, kLanes);
  const int64_t output_floats = t.rows * kOutputStride;
  const int64_t value_floats = keys * kLanes * widest_group(int(std::min<int64_t>(t.rows, kTileRows)));
  t.queries = scratch.reserve(query_floats + score_floats + 2 * row_floats + output_floats + value_floats);
  t.scores = t.queries + query_floats;
  t.maxima = t.scores + score_floats;
  t.sums = t.maxima + row_floats;
  t.outputs = t.sums + row_floats;
  t.copied_values = t.outputs + output_floats;

  t.copy_queries();
  t.compute_scores();
  t.softmax();
  t.compute_output();
}

}  // namespace exitrl::EXITRL_ISA
