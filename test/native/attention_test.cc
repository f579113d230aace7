#include "ops/attention/attention.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>

#include "agree.h"

using namespace exitrl;
using check::Floats;
using check::kNan;
using check::random_floats;
using check::same_bits;
using check::with_each_isa;

namespace {

// A packed batch of whole sequences in fused rows.
struct Batch {
  int64_t H, K, D, window;
  std::vector<int64_t> lengths;
  Floats qkv;

  Batch(int64_t heads, int64_t kv_heads, int64_t width, int64_t visible, std::vector<int64_t> sizes, uint32_t seed)
      : H(heads), K(kv_heads), D(width), window(visible), lengths(std::move(sizes)) {
    qkv = random_floats(tokens() * stride(), seed, 1.5f);
  }
  int64_t tokens() const { return std::accumulate(lengths.begin(), lengths.end(), int64_t{0}); }
  int64_t stride() const { return (H + 2 * K) * D; }
  float scale() const { return 1.0f / std::sqrt(float(D)); }
  int64_t first_key(int64_t i) const { return window > 0 ? std::max<int64_t>(0, i - window + 1) : 0; }
  const float* q(int64_t row, int64_t h) const { return &qkv[size_t(row * stride() + h * D)]; }
  const float* k(int64_t row, int64_t h) const { return &qkv[size_t(row * stride() + (H + h) * D)]; }
  const float* v(int64_t row, int64_t h) const { return &qkv[size_t(row * stride() + (H + K + h) * D)]; }
};

struct Output {
  Floats o, lse;
};

// How a batch goes through attention: how many rows at a time, and in which pages.
struct Plan {
  int64_t rows_per_span = 1 << 20;
  uint32_t page_seed = 0;
};

// Every page slot that no position owns is NaN.
Output run_forward(Pool& pool, const Batch& b, Plan plan) {
  std::vector<std::vector<int32_t>> tables;
  int32_t pages = 0;
  for (int64_t length : b.lengths) {
    std::vector<int32_t> table(size_t((length + kLanes - 1) / kLanes));
    std::iota(table.begin(), table.end(), pages);
    pages += int32_t(table.size());
    tables.push_back(table);
  }
  std::vector<int32_t> shuffled(static_cast<size_t>(pages));
  std::iota(shuffled.begin(), shuffled.end(), 0);
  if (plan.page_seed) std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(plan.page_seed));
  for (auto& table : tables)
    for (int32_t& page : table) page = shuffled[size_t(page)];

  const int64_t page_stride = page_floats(b.K, b.D);
  Floats keys(size_t(pages * page_stride), kNan), values(keys);
  Output out{Floats(size_t(b.tokens() * b.H * b.D), kNan), Floats(size_t(b.tokens() * b.H), kNan)};
  const int64_t longest = *std::max_element(b.lengths.begin(), b.lengths.end());
  for (int64_t position = 0; position < longest; position += plan.rows_per_span) {
    std::vector<AttentionSpan> spans;
    int64_t row = 0;
    for (size_t i = 0; i < b.lengths.size(); ++i) {
      const int64_t rows = std::min(plan.rows_per_span, b.lengths[i] - position);
      if (rows > 0) spans.push_back({row + position, rows, position, tables[i].data()});
      row += b.lengths[i];
    }
    kv_append(pool, {b.k(0, 0), b.v(0, 0), b.stride(), spans.data(), int64_t(spans.size()), keys.data(), values.data(),
                     page_stride, b.K, b.D});
    attention_forward(pool, {b.qkv.data(), b.stride(), spans.data(), int64_t(spans.size()), keys.data(), values.data(),
                             page_stride, out.o.data(), out.lse.data(), b.H, b.K, b.D, b.window, b.scale()});
  }
  return out;
}

Floats run_backward(Pool& pool, const Batch& b, const Output& forward, const Floats& d_o) {
  std::vector<AttentionSpan> spans;
  std::vector<int32_t> families{0};
  int64_t row = 0;
  for (int64_t length : b.lengths) {
    spans.push_back({row, length, 0, nullptr});
    families.push_back(int32_t(spans.size()));
    row += length;
  }
  Floats dqkv(b.qkv.size(), kNan);
  attention_backward(pool, {b.qkv.data(), forward.o.data(), d_o.data(), forward.lse.data(), spans.data(), families.data(),
                            int64_t(b.lengths.size()), dqkv.data(), b.H, b.K, b.D, b.window, b.scale()});
  return dqkv;
}

struct Reference {
  std::vector<double> o, lse, dqkv;
};

Reference reference(const Batch& b, const Floats& d_o) {
  Reference r;
  r.o.assign(size_t(b.tokens() * b.H * b.D), 0);
  r.lse.assign(size_t(b.tokens() * b.H), 0);
  r.dqkv.assign(b.qkv.size(), 0);
  const int64_t D = b.D, group = b.H / b.K;
  int64_t start = 0;
  for (int64_t length : b.lengths) {
    for (int64_t h = 0; h < b.H; ++h)
      for (int64_t i = 0; i < length; ++i) {
        const int64_t row = start + i, kv = h / group;
        std::vector<double> p;
        double sum = 0;
        for (int64_t j = b.first_key(i); j <= i; ++j) {
          double s = 0;
          for (int64_t d = 0; d < D; ++d) s += double(b.q(row, h)[d]) * b.k(start + j, kv)[d];
          p.push_back(std::exp(s * b.scale()));
          sum += p.back();
        }
        r.lse[size_t(row * b.H + h)] = std::log(sum);
        double* const o = &r.o[size_t((row * b.H + h) * D)];
        const float* const go = &d_o[size_t((row * b.H + h) * D)];
        double delta = 0;
        for (int64_t j = b.first_key(i); j <= i; ++j) {
          double& weight = p[size_t(j - b.first_key(i))];
          weight /= sum;
          for (int64_t d = 0; d < D; ++d) o[d] += weight * b.v(start + j, kv)[d];
        }
        for (int64_t d = 0; d < D; ++d) delta += o[d] * go[d];
        double* const dq = &r.dqkv[size_t(row * b.stride() + h * D)];
        for (int64_t j = b.first_key(i); j <= i; ++j) {
          const double weight = p[size_t(j - b.first_key(i))];
          const int64_t key_row = (start + j) * b.stride();
          double* const dk = &r.dqkv[size_t(key_row + (b.H + kv) * D)];
          double* const dv = &r.dqkv[size_t(key_row + (b.H + b.K + kv) * D)];
          double dp = 0;
          for (int64_t d = 0; d < D; ++d) dp += double(go[d]) * b.v(start + j, kv)[d];
          const double ds = weight * (dp - delta) * b.scale();
          for (int64_t d = 0; d < D; ++d) {
            dq[d] += ds * b.k(start + j, kv)[d];
            dk[d] += ds * b.q(row, h)[d];
            dv[d] += weight * go[d];
          }
        }
      }
    start += length;
  }
  return r;
}

double worst(const Floats& got, const std::vector<double>& want) {
  double error = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double distance = std::abs(double(got[i]) - want[i]) / std::max(1.0, std::abs(want[i]));
    if (!(distance <= error)) error = distance;
  }
  return error;
}

std::vector<Batch> batches() {
  return {
      Batch(1, 1, 16, 0, {1}, 1),
      Batch(2, 2, 8, 0, {1, 2, 17, 16, 1}, 2),
      Batch(4, 2, 24, 0, {33, 15, 64}, 3),
      Batch(4, 1, 16, 5, {40, 3, 1}, 4),
      Batch(6, 2, 80, 0, {20, 31}, 5),
      Batch(3, 3, 64, 17, {100, 50, 7}, 6),
      Batch(8, 2, 32, 0, {130, 1, 9}, 7),
      Batch(7, 1, 5, 1, {19, 2}, 8),
      Batch(2, 1, 128, 0, {45}, 9),
      Batch(2, 2, 16, 0, {530}, 10),
      Batch(2, 1, 16, 300, {700}, 11),
      Batch(1, 1, 300, 0, {37}, 12),
      Batch(1, 1, 400, 9, {21}, 13),
  };
}

}  // namespace

TEST(attention_forward_matches_double_reference) {
  Pool pool(2);
  with_each_isa([&](const std::string&) {
    for (const Batch& b : batches()) {
      const Output out = run_forward(pool, b, {});
      const Reference r = reference(b, Floats(out.o.size(), 0.0f));
      CHECK_NEAR(worst(out.o, r.o), 0, 1e-5);
      CHECK_NEAR(worst(out.lse, r.lse), 0, 1e-5);
    }
  });
}

TEST(attention_same_bits_however_rows_are_grouped_and_paged) {
  Pool pool(2);
  with_each_isa([&](const std::string&) {
    for (const Batch& b : batches()) {
      const Output whole = run_forward(pool, b, {});
      for (int64_t rows : {1, 2, 7, 16, 33, 100}) {
        const Output split = run_forward(pool, b, {rows, uint32_t(rows)});
        CHECK(same_bits(split.o, whole.o));
        CHECK(same_bits(split.lse, whole.lse));
      }
    }
  });
}

TEST(attention_same_bits_for_every_thread_count) {
  with_each_isa([&](const std::string&) {
    for (const Batch& b : batches()) {
      const Floats d_o = random_floats(b.tokens() * b.H * b.D, 99);
      Pool one(1);
      const Output out = run_forward(one, b, {});
      const Floats gradient = run_backward(one, b, out, d_o);
      for (int threads : {2, 3}) {
        Pool pool(threads);
        const Output other = run_forward(pool, b, {});
        CHECK(same_bits(other.o, out.o));
        CHECK(same_bits(other.lse, out.lse));
        CHECK(same_bits(run_backward(pool, b, out, d_o), gradient));
      }
    }
  });
}

TEST(attention_same_bits_for_every_instruction_set_with_fma) {
  Pool pool(2);
  for (const Batch& b : batches()) {
    const Floats d_o = random_floats(b.tokens() * b.H * b.D, 98);
    std::vector<Output> outputs;
    std::vector<Floats> gradients;
    with_each_isa([&](const std::string& name) {
      if (name == "portable") return;
      outputs.push_back(run_forward(pool, b, {}));
      gradients.push_back(run_backward(pool, b, outputs.front(), d_o));
    });
    for (size_t i = 1; i < outputs.size(); ++i) {
      CHECK(same_bits(outputs[i].o, outputs[0].o));
      CHECK(same_bits(outputs[i].lse, outputs[0].lse));
      CHECK(same_bits(gradients[i], gradients[0]));
    }
  }
}

TEST(attention_row_ignores_later_keys_even_when_they_are_nan) {
  Pool pool(1);
  with_each_isa([&](const std::string&) {
    const Batch clean(2, 1, 24, 0, {50}, 15);
    const Output want = run_forward(pool, clean, {});
    const int64_t bad = 41;
    Batch b = clean;
    for (int64_t d = 0; d < b.D; ++d) {
      b.qkv[size_t(bad * b.stride() + (b.H + 0) * b.D + d)] = kNan;
      b.qkv[size_t(bad * b.stride() + (b.H + b.K) * b.D + d)] = kNan;
    }
    const Output got = run_forward(pool, b, {});
    const size_t unaffected = size_t(bad * b.H * b.D);
    CHECK(std::memcmp(got.o.data(), want.o.data(), unaffected * sizeof(float)) == 0);
  });
}

TEST(attention_survives_large_scores) {
  Pool pool(1);
  with_each_isa([&](const std::string&) {
    Batch b(1, 1, 16, 0, {40}, 16);
    for (float& value : b.qkv) value *= 40.0f;
    const Output out = run_forward(pool, b, {});
    const Reference r = reference(b, Floats(out.o.size(), 0.0f));
    for (size_t i = 0; i < out.o.size(); ++i) CHECK(std::isfinite(out.o[i]));
    for (size_t i = 0; i < out.lse.size(); ++i)
      if (std::isfinite(r.lse[i])) CHECK_NEAR(out.lse[i], r.lse[i], 1e-5 * std::abs(r.lse[i]) + 1e-3);
  });
}

TEST(attention_backward_matches_double_reference) {
  Pool pool(2);
  with_each_isa([&](const std::string&) {
    for (const Batch& b : batches()) {
      const Floats d_o = random_floats(b.tokens() * b.H * b.D, 97);
      const Floats gradient = run_backward(pool, b, run_forward(pool, b, {}), d_o);
      CHECK_NEAR(worst(gradient, reference(b, d_o).dqkv), 0, 5e-5);
    }
  });
}

// Sequences of lengths shared + own[i] that begin with the same `shared` rows, and the same with these rows stored once.
struct SharedBatch {
  Batch apart, together;
  int64_t shared;
  std::vector<AttentionSpan> spans;
  std::vector<int64_t> row_together;  // of every row of `apart`

  SharedBatch(int64_t H, int64_t K, int64_t D, int64_t window, int64_t shared_rows, std::vector<int64_t> own, uint32_t seed)
      : apart(H, K, D, window, lengths(shared_rows, own), seed),
        together(H, K, D, window, rows_once(shared_rows, own), seed),
        shared(shared_rows) {
    spans.push_back({0, shared, 0, nullptr});
    int64_t next = shared, from = 0;
    for (int64_t rows : own) {
      if (rows > 0) spans.push_back({next, rows, shared, nullptr});
      for (int64_t i = 0; i < shared + rows; ++i) {
        row_together.push_back(i < shared ? i : next + i - shared);
        const float* const source = &together.qkv[size_t(row_together.back() * together.stride())];
        std::copy(source, source + apart.stride(), &apart.qkv[size_t((from + i) * apart.stride())]);
      }
      next += rows;
      from += shared + rows;
    }
  }
  static std::vector<int64_t> lengths(int64_t shared, std::vector<int64_t> own) {
    for (int64_t& rows : own) rows += shared;
    return own;
  }
  static std::vector<int64_t> rows_once(int64_t shared, const std::vector<int64_t>& own) {
    return {std::accumulate(own.begin(), own.end(), shared)};
  }
};

TEST(attention_backward_of_shared_rows_is_the_sum_over_sequences) {
  Pool pool(2);
  with_each_isa([&](const std::string&) {
    for (const SharedBatch& b : {SharedBatch(2, 2, 16, 0, 16, {5, 9, 33}, 21), SharedBatch(4, 2, 24, 0, 21, {1, 0, 64, 7}, 22),
                                 SharedBatch(3, 1, 32, 9, 37, {30, 2}, 23), SharedBatch(2, 1, 8, 0, 1, {140, 3}, 24),
                                 SharedBatch(2, 1, 16, 300, 290, {260, 30}, 25)}) {
      const Output out = run_forward(pool, b.apart, {});
      const Floats d_o = random_floats(b.apart.tokens() * b.apart.H * b.apart.D, 26);
      const Reference want = reference(b.apart, d_o);

      const int64_t rows = b.together.tokens(), o_width = b.apart.H * b.apart.D, width = b.apart.stride();
      Output once{Floats(size_t(rows * o_width)), Floats(size_t(rows * b.apart.H))};
      Floats d_once(size_t(rows * o_width), 0.0f);
      std::vector<double> want_once(size_t(rows * width), 0.0);
      for (size_t r = 0; r < b.row_together.size(); ++r) {
        const size_t to = size_t(b.row_together[r]);
        for (size_t i = 0; i < size_t(o_width); ++i) {
          once.o[to * size_t(o_width) + i] = out.o[r * size_t(o_width) + i];
          d_once[to * size_t(o_width) + i] += d_o[r * size_t(o_width) + i];
        }
        for (size_t h = 0; h < size_t(b.apart.H); ++h) once.lse[to * size_t(b.apart.H) + h] = out.lse[r * size_t(b.apart.H) + h];
        for (size_t i = 0; i < size_t(width); ++i) want_once[to * size_t(width) + i] += want.dqkv[r * size_t(width) + i];
      }
      const std::vector<int32_t> families{0, int32_t(b.spans.size())};
      Floats dqkv(size_t(rows * width), kNan);
      attention_backward(pool, {b.together.qkv.data(), once.o.data(), d_once.data(), once.lse.data(), b.spans.data(), families.data(), 1,
                                dqkv.data(), b.apart.H, b.apart.K, b.apart.D, b.apart.window, b.apart.scale()});
      CHECK_NEAR(worst(dqkv, want_once), 0, 1e-4);
    }
  });
}

// Samples of a prompt: full pages of the prompt are shared, and the samples grow together, one row each per step.
TEST(attention_same_bits_whether_spans_share_pages) {
  with_each_isa([&](const std::string&) {
    for (int threads : {1, 3}) {
      Pool pool(threads);
      for (const SharedBatch& b :
           {SharedBatch(2, 2, 16, 0, 16, {5, 9, 33}, 31), SharedBatch(4, 2, 32, 0, 53, {1, 0, 64, 7}, 32),
            SharedBatch(6, 2, 48, 40, 37, {30, 2, 2}, 33), SharedBatch(8, 1, 80, 0, 100, {3, 4, 5, 6, 7, 8, 9, 10, 11}, 34),
            SharedBatch(2, 1, 24, 0, 32, {20, 30}, 35), SharedBatch(1, 1, 16, 0, 600, {20, 3, 4, 5}, 36)}) {
        const Batch& batch = b.apart;
        const Output want = run_forward(pool, batch, {});
        std::vector<std::vector<int32_t>> tables;
        int32_t pages = int32_t(b.shared / kLanes);
        int64_t longest = 0;
        for (int64_t length : batch.lengths) {
          std::vector<int32_t>& table = tables.emplace_back(size_t(b.shared / kLanes));
          std::iota(table.begin(), table.end(), 0);
          while (int64_t(table.size()) * kLanes < length) table.push_back(pages++);
          longest = std::max(longest, length);
        }
        const int64_t stride = page_floats(batch.K, batch.D), whole = b.shared / kLanes * kLanes;
        Floats keys(size_t(pages * stride), kNan), values(keys);
        Output out{Floats(want.o.size(), kNan), Floats(want.lse.size(), kNan)};
        // The first step holds the whole shared pages of the first sequence and the rest up to `shared` of every one.
        for (int64_t position = 0; position < longest; position = position == 0 ? whole : position + 1) {
          std::vector<AttentionSpan> spans;
          int64_t row = 0;
          for (size_t i = 0; i < batch.lengths.size(); row += batch.lengths[i++]) {
            if (position >= batch.lengths[i]) continue;
            if (position == 0 && i == 0) spans.push_back({row, whole, 0, tables[i].data()});
            if (position > 0) spans.push_back({row + position, 1, position, tables[i].data()});
          }
          kv_append(pool, {batch.k(0, 0), batch.v(0, 0), batch.stride(), spans.data(), int64_t(spans.size()), keys.data(), values.data(),
                           stride, batch.K, batch.D});
          attention_forward(pool, {batch.qkv.data(), batch.stride(), spans.data(), int64_t(spans.size()), keys.data(), values.data(),
                                   stride, out.o.data(), out.lse.data(), batch.H, batch.K, batch.D, batch.window, batch.scale()});
        }
        int64_t row = 0;
        for (size_t i = 0; i < batch.lengths.size(); row += batch.lengths[i++]) {
          const size_t from = size_t(row + (i == 0 ? 0 : whole)), to = size_t(row + batch.lengths[i]), o_width = size_t(batch.H * batch.D),
                       heads = size_t(batch.H);
          CHECK(std::memcmp(&out.o[from * o_width], &want.o[from * o_width], (to - from) * o_width * sizeof(float)) == 0);
          CHECK(std::memcmp(&out.lse[from * heads], &want.lse[from * heads], (to - from) * heads * sizeof(float)) == 0);
        }
      }
    }
  });
}
