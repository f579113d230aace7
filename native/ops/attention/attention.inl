// One tile of attention: query rows and all query heads of one kv head, against every key they may see. Row m of the tile
// is query row m / group, head m % group. The rows are consecutive ones of one span, or one row each of several spans whose
// first pages are the same: these pages are read once for all rows, the others for each span.
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

constexpr int64_t kKeyBlock = 64;
static_assert(kDepthBlock % kKeyBlock == 0);

struct AttentionTile {
  const AttentionForward& a;
  const AttentionSpan* spans;
  int64_t span_count = 1;
  int64_t shared_keys = 0;  // of several spans: positions in the pages they share
  int64_t head = 0;         // kv head
  int64_t group = 0;        // query heads per kv head
  int64_t first = 0;        // of one span: first query row of the tile, counted from span.row
  int64_t rows = 0;         // rows of the tile: query rows * group
  int64_t base = 0;         // first key position of the tile, at a page border
  int64_t end = 0;          // one past the last key position

  // Scratch. Head width and keys are cut into blocks of kDepthBlock.
  float* queries = nullptr;        // (blocks of the head width, rows, kRowStride)
  float* scores = nullptr;         // (blocks of keys, rows, kRowStride); later the exponentials
  float* maxima = nullptr;         // (rows)
  float* sums = nullptr;           // (rows)
  float* outputs = nullptr;        // (rows, output_stride), before the division
  int64_t output_stride = 0;       // D rounded up to 16
  float* copied_values = nullptr;  // (chunks of the head width, kKeyBlock, 16)

  const AttentionSpan& span_at(int64_t m) const { return spans[span_count == 1 ? 0 : m / group]; }
  int64_t query_row(int64_t m) const { return span_count == 1 ? first + m / group : 0; }  // counted from span.row
  int64_t token_row(int64_t m) const { return span_at(m).row + query_row(m); }
  int64_t last_key(int64_t m) const { return span_at(m).position + query_row(m); }
  int64_t first_key(int64_t m) const { return a.window > 0 ? std::max<int64_t>(0, last_key(m) - a.window + 1) : 0; }
  int64_t page_offset(int32_t page) const { return page * a.page_stride + head * a.D * kLanes; }
  float* score(int64_t m, int64_t key) const {
    const int64_t k = key - base;
    return scores + (k / kDepthBlock * rows + m) * kRowStride + k % kDepthBlock;
  }

  void copy_queries() const {
    for (int64_t m = 0; m < rows; ++m) {
      const float* const q = a.q + token_row(m) * a.q_stride + (head * group + m % group) * a.D;
      for (int64_t d = 0; d < a.D; d += kDepthBlock) {
        float* const to = queries + (d / kDepthBlock * rows + m) * kRowStride;
        copy_floats(q + d, std::min<int64_t>(kDepthBlock, a.D - d), to);
      }
    }
  }

  template <int Rows, int Pages>
  void score_pages(int64_t m, const int32_t* pages, int64_t page) const {
    F16 tile[Rows][Pages];
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 16
      for (int p = 0; p < Pages; ++p) tile[i][p] = zero();
    const float* keys[Pages];
    for (int p = 0; p < Pages; ++p) keys[p] = a.keys + page_offset(pages[page + p]);
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

  // Keys [from, to) of one page table, for the rows [first_row, last_row) of the tile.
  struct Stage {
    int64_t first_row, last_row;
    const int32_t* pages;
    int64_t from, to;
  };

  // What all rows share, then what each span has of its own: for every row, keys come in ascending order.
  template <class Body>
  EXITRL_ALWAYS_INLINE void for_each_stage(Body&& body) const {
    if (shared_keys > 0) body(Stage{0, rows, spans->pages, 0, shared_keys});
    const int64_t each = rows / span_count;
    for (int64_t s = 0; s < span_count; ++s)
      body(Stage{s * each, (s + 1) * each, spans[s].pages, std::max(base, shared_keys), last_key((s + 1) * each - 1) + 1});
  }

  // Calls body(from, to) for blocks of a stage's keys: few enough to stay in the first-level cache while all rows use
  // them, and side by side in scratch.
  template <class Body>
  EXITRL_ALWAYS_INLINE void for_each_block(const Stage& stage, Body&& body) const {
    for (int64_t key = stage.from, next; key < stage.to; key = next) {
      next = std::min(stage.to, base + round_up(key - base + 1, kKeyBlock));
      body(key, next);
    }
  }

  // Calls body(m, height) for tiles of a stage's rows.
  template <class Body>
  EXITRL_ALWAYS_INLINE static void for_each_tile(const Stage& stage, Body&& body) {
    for (int64_t m = stage.first_row, height; m < stage.last_row; m += height) {
      height = tile_height(stage.last_row - m);
      body(m, height);
    }
  }

  // Of whole pages: keys that a row does not see are masked afterwards.
  void compute_scores() const {
    for_each_stage([&](const Stage& stage) {
      for_each_block(stage, [&](int64_t from, int64_t to) {
        for_each_tile(stage, [&](int64_t m, int64_t height) {
          int64_t page = std::max(from, first_key(m)) / kLanes;
          const int64_t end_page = (std::min(to, last_key(m + height - 1) + 1) + kLanes - 1) / kLanes;
          for (int64_t pages; page < end_page; page += pages) {
            pages = group_size(widest_group(int(height)), end_page - page);
            with_tile(height, pages, [&](auto tile_rows, auto group_pages) {
              score_pages<decltype(tile_rows)::value, decltype(group_pages)::value>(m, stage.pages, page);
            });
          }
        });
      });
    });
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
      a.lse[token_row(m) * a.H + head * group + m % group] = maxima[m] + std::log(sums[m]);
  }

  // Values of a block of keys: in their pages, or copied to scratch as (chunks, kKeyBlock, 16).
  struct Values {
    const int32_t* pages;  // null: copied
    int64_t from;          // the first key of a copy
    int64_t key_step, chunk_step;
  };

  EXITRL_ALWAYS_INLINE const float* value(const Values& v, int64_t key, int64_t chunk) const {
    if (v.pages == nullptr) return copied_values + (key - v.from) * kLanes + chunk * v.chunk_step;
    return a.values + page_offset(v.pages[key / kLanes]) + key % kLanes * a.D + chunk * kLanes;
  }

  Values copy_values(const int32_t* pages, int64_t from, int64_t to) const {
    for (int64_t key = from; key < to; ++key) {
      const float* const v = a.values + page_offset(pages[key / kLanes]) + key % kLanes * a.D;
      for (int64_t d = 0; d < a.D; d += kLanes)
        store(copied_values + d * kKeyBlock + (key - from) * kLanes, load_lanes(v + d, std::min<int64_t>(kLanes, a.D - d)));
    }
    return {nullptr, from, kLanes, kKeyBlock * kLanes};
  }

  float* output(int64_t m, int64_t chunk) const { return outputs + m * output_stride + chunk * kLanes; }

  // outputs += keys [from, to) of a block, which all rows of the tile see
  template <int Rows, int Chunks>
  void accumulate_tile(int64_t m, int64_t chunk, const Values& values, int64_t from, int64_t to) const {
    F16 tile[Rows][Chunks];
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 16
      for (int c = 0; c < Chunks; ++c) tile[i][c] = load(output(m + i, chunk + c));
    for (int64_t key = from, next; key < to; key = next) {
      // Up to here, the values lie side by side.
      next = values.pages == nullptr ? to : std::min(to, round_up(key + 1, kLanes));
      const float* right[Chunks];
      for (int c = 0; c < Chunks; ++c) right[c] = value(values, key, chunk) + c * values.chunk_step;
      multiply(tile, next - key, score(m, key), kRowStride, 1, right, values.key_step);
    }
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 16
      for (int c = 0; c < Chunks; ++c) store(output(m + i, chunk + c), tile[i][c]);
  }

  void accumulate_rows(int64_t m, int64_t height, const Values& values, int64_t from, int64_t to) const {
    if (from >= to) return;
    const int64_t all = (a.D + kLanes - 1) / kLanes;
    for (int64_t chunk = 0, chunks; chunk < all; chunk += chunks) {
      chunks = group_size(widest_group(int(height)), all - chunk);
      with_tile(height, chunks, [&](auto tile_rows, auto group_chunks) {
        accumulate_tile<decltype(tile_rows)::value, decltype(group_chunks)::value>(m, chunk, values, from, to);
      });
    }
  }

  void compute_output() const {
    std::memset(outputs, 0, size_t(rows * output_stride) * sizeof(float));
    for_each_stage([&](const Stage& stage) {
      // A copy pays when many tiles read it. The last lanes of a ragged width must not be read past its end.
      const bool copy = stage.last_row - stage.first_row > 3 * kTileRows || a.D % kLanes != 0;
      for_each_block(stage, [&](int64_t from, int64_t to) {
        const Values values = copy ? copy_values(stage.pages, from, to) : Values{stage.pages, 0, a.D, kLanes};
        for_each_tile(stage, [&](int64_t m, int64_t height) {
          // Rows of a tile begin and end at different keys. A key that a row may not see must not touch it, not even with
          // weight 0 (0 * NaN is NaN): such keys are added row by row.
          const int64_t common = first_key(m + height - 1), common_end = std::max(common, last_key(m) + 1);
          if (from < common)
            for (int64_t i = m; i < m + height; ++i)
              accumulate_rows(i, 1, values, std::max(from, first_key(i)), std::min({to, common, last_key(i) + 1}));
          accumulate_rows(m, height, values, std::max(from, common), std::min(to, common_end));
          if (to > common_end)
            for (int64_t i = m; i < m + height; ++i)
              accumulate_rows(i, 1, values, std::max({from, common_end, first_key(i)}), std::min(to, last_key(i) + 1));
        });
      });
    });
    for (int64_t m = 0; m < rows; ++m) {
      float* const o = a.o + (token_row(m) * a.H + head * group + m % group) * a.D;
      const F16 total = set1(sums[m]);
      for (int64_t d = 0; d < a.D; d += kLanes)
        store_lanes(o + d, div(load(output(m, d / kLanes)), total), std::min<int64_t>(kLanes, a.D - d));
    }
  }
};

void attention_tile(const AttentionForward& a, const TileTask& task, int64_t head, Scratch& scratch) {
  AttentionTile t{a, task.spans};
  t.span_count = task.span_count;
  t.shared_keys = task.shared_pages * kLanes;
  t.head = head;
  t.group = a.H / a.K;
  t.first = task.first;
  t.rows = (task.span_count == 1 ? task.rows : task.span_count) * t.group;
  t.base = t.first_key(0) / kLanes * kLanes;
  for (int64_t m = 0; m < t.rows; m += t.group) t.end = std::max(t.end, t.last_key(m) + 1);
  t.output_stride = round_up(a.D, kLanes);

  const int64_t keys = round_up(t.end - t.base, kLanes);
  const int64_t query_floats = round_up(a.D, kDepthBlock) / kDepthBlock * t.rows * kRowStride;
  const int64_t score_floats = round_up(keys, kDepthBlock) / kDepthBlock * t.rows * kRowStride;
  const int64_t row_floats = round_up(t.rows, kLanes);
  const int64_t output_floats = t.rows * t.output_stride;
  const int64_t value_floats = t.output_stride * kKeyBlock;
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
