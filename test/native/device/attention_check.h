// What the tests of attention on the emulated device share: sequences in pages, runs of the device ops by plan, and what the CPU
// and a plain bfloat16 computation say.
#pragma once
#include <algorithm>
#include <numeric>

#include "device/attention_plan.h"
#include "device_check.h"

namespace check {

using exitrl::AttentionSpan;

// Families of sequences (one alone: a family of one): their first rows are the same, the others their own.
struct AttentionBatch {
  int64_t H, K, D, window;
  std::vector<std::vector<int32_t>> sequences, tables;  // rows and pages of every sequence
  std::vector<AttentionSpan> spans;                     // of every family: the shared rows, then each one's own; without pages
  std::vector<int32_t> families{0};
  std::vector<size_t> span_sequence;
  int32_t rows = 0, pages = 0;
  Floats qkv;

  AttentionBatch(int64_t heads, int64_t kv_heads, int64_t width, int64_t visible) : H(heads), K(kv_heads), D(width), window(visible) {}

  AttentionBatch& add(int64_t shared, std::vector<int64_t> own) {
    std::vector<int32_t> common(static_cast<size_t>(shared)), common_pages(static_cast<size_t>(shared / 16));
    std::iota(common.begin(), common.end(), rows);
    std::iota(common_pages.begin(), common_pages.end(), pages);
    if (shared > 0) spans.push_back({rows, shared, 0, nullptr});
    if (shared > 0) span_sequence.push_back(sequences.size());
    rows += int32_t(shared);
    pages += int32_t(shared / 16);
    if (own.empty()) own.push_back(0);
    for (int64_t more : own) {
      if (more > 0) spans.push_back({rows, more, shared, nullptr});
      if (more > 0) span_sequence.push_back(sequences.size());
      sequences.push_back(common);
      tables.push_back(common_pages);
      for (int64_t i = 0; i < more; ++i) sequences.back().push_back(rows++);
      while (tables.back().size() * 16 < sequences.back().size()) tables.back().push_back(pages++);
    }
    families.push_back(int32_t(spans.size()));
    return *this;
  }
  AttentionBatch& fill(uint32_t seed, float scale = 1.5f) {
    qkv = random_floats(rows * stride(), seed, scale);
    return *this;
  }
  // Other page numbers.
  void shuffle_pages(uint32_t seed) {
    std::vector<int32_t> numbers(static_cast<size_t>(pages));
    std::iota(numbers.begin(), numbers.end(), 0);
    std::shuffle(numbers.begin(), numbers.end(), std::mt19937(seed));
    for (auto& table : tables)
      for (int32_t& page : table) page = numbers[size_t(page)];
  }
  // All rows.
  std::vector<AttentionSpan> whole() const {
    std::vector<AttentionSpan> list = spans;
    for (size_t s = 0; s < list.size(); ++s) list[s].pages = tables[span_sequence[s]].data();
    return list;
  }
  int64_t stride() const { return (H + 2 * K) * D; }
  float scale() const { return 1.0f / std::sqrt(float(D)); }
  AttentionSpan span(size_t sequence, int64_t position, int64_t count) const {
    return {sequences[sequence][size_t(position)], count, position, tables[sequence].data()};
  }
  std::string text() const {
    return "H=" + std::to_string(H) + " K=" + std::to_string(K) + " D=" + std::to_string(D) + " window=" + std::to_string(window) +
           " rows=" + std::to_string(rows);
  }
};

struct AttentionOutput {
  Floats o, lse;
};

inline AttentionOutput cpu_attention(const AttentionBatch& b, const Floats& qkv) {
  exitrl::Pool pool(1);
  AttentionOutput out{Floats(size_t(b.rows * b.H * b.D)), Floats(size_t(b.rows * b.H))};
  for (const auto& sequence : b.sequences) {
    const int64_t n = int64_t(sequence.size());
    Floats rows;
    for (int32_t row : sequence) rows.insert(rows.end(), qkv.begin() + row * b.stride(), qkv.begin() + (row + 1) * b.stride());
    std::vector<int32_t> table(size_t(n / 16 + 1));
    std::iota(table.begin(), table.end(), 0);
    const AttentionSpan span{0, n, 0, table.data()};
    const int64_t page = exitrl::page_floats(b.K, b.D);
    Floats keys(size_t(page) * table.size()), values(keys), o(size_t(n * b.H * b.D)), lse(size_t(n * b.H));
    kv_append(pool, {&rows[size_t(b.H * b.D)], &rows[size_t((b.H + b.K) * b.D)], b.stride(), &span, 1, keys.data(), values.data(), page,
                     b.K, b.D});
    attention_forward(pool, {rows.data(), b.stride(), &span, 1, keys.data(), values.data(), page, o.data(), lse.data(), b.H, b.K, b.D,
                             b.window, b.scale()});
    for (int64_t i = 0; i < n; ++i) {
      std::copy_n(&o[size_t(i * b.H * b.D)], b.H * b.D, &out.o[size_t(sequence[size_t(i)] * b.H * b.D)]);
      std::copy_n(&lse[size_t(i * b.H)], b.H, &out.lse[size_t(sequence[size_t(i)] * b.H)]);
    }
  }
  return out;
}

inline float round_bf16(double x) { return exitrl::from_bf16(exitrl::to_bf16(float(x))); }

struct PlainBf16 {
  Floats o, dqkv;
};
// What attention gives if probabilities, dS and results are rounded to bfloat16 and nothing else is. `o`: for delta.
inline PlainBf16 plain_bf16(const AttentionBatch& b, const Floats& qkv, const Floats& d_o, const Floats& o_given) {
  std::vector<double> o(size_t(b.rows * b.H * b.D)), gradient(qkv.size());
  std::vector<bool> done(size_t(b.rows), false);
  for (const auto& sequence : b.sequences)
    for (int64_t i = 0; i < int64_t(sequence.size()); ++i) {
      const int64_t row = sequence[size_t(i)];
      if (done[size_t(row)]) continue;
      done[size_t(row)] = true;
      for (int64_t h = 0; h < b.H; ++h) {
        const int64_t kv = h / (b.H / b.K), first = b.window > 0 ? std::max<int64_t>(0, i - b.window + 1) : 0;
        const auto at = [&](int64_t r, int64_t head) { return r * b.stride() + head * b.D; };
        const auto dot = [&](const float* x, const float* y) {
          double s = 0;
          for (int64_t d = 0; d < b.D; ++d) s += double(x[d]) * y[d];
          return s;
        };
        const float* const q = &qkv[size_t(at(row, h))];
        std::vector<double> p;
        double best = -1e300, sum = 0;
        for (int64_t j = first; j <= i; ++j) {
          p.push_back(dot(q, &qkv[size_t(at(sequence[size_t(j)], b.H + kv))]) * b.scale());
          best = std::max(best, p.back());
        }
        for (double& x : p) sum += x = std::exp(x - best);
        const float* const g = d_o.empty() ? nullptr : &d_o[size_t((row * b.H + h) * b.D)];
        const double delta = g ? dot(g, &o_given[size_t((row * b.H + h) * b.D)]) : 0;
        for (int64_t j = first; j <= i; ++j) {
          const int64_t key = sequence[size_t(j)], k = at(key, b.H + kv), v = at(key, b.H + b.K + kv);
          const double e = p[size_t(j - first)], rounded_e = round_bf16(e) / sum, rounded_p = round_bf16(e / sum);
          for (int64_t d = 0; d < b.D; ++d) o[size_t((row * b.H + h) * b.D + d)] += rounded_e * qkv[size_t(v + d)];
          if (!g) continue;
          const double ds = round_bf16(e / sum * (dot(g, &qkv[size_t(v)]) - delta)) * b.scale();
          for (int64_t d = 0; d < b.D; ++d) {
            gradient[size_t(at(row, h) + d)] += ds * qkv[size_t(k + d)];
            gradient[size_t(k + d)] += ds * q[d];
            gradient[size_t(v + d)] += rounded_p * g[d];
          }
        }
      }
    }
  PlainBf16 out;
  for (double x : o) out.o.push_back(round_bf16(x));
  for (double x : gradient) out.dqkv.push_back(round_bf16(x));
  return out;
}

inline double largest_error(const Floats& got, const Floats& want) {
  double worst = got.size() == want.size() ? 0 : 1e300;
  for (size_t i = 0; i < got.size() && i < want.size(); ++i) {
    const double error = std::abs(double(got[i]) - want[i]);
    if (!(error <= worst)) worst = std::isnan(error) ? 1e300 : error;
  }
  return worst;
}

// fp32: the largest error is small; bf16: at most three times that of the plain computation.
inline void agree_with_cpu(exitrl::Precision p, const Floats& got, const Floats& want, const Floats& plain, double tolerance,
                           const std::string& what) {
  const double error = largest_error(got, want), allowed = p == exitrl::Precision::bf16 ? 3 * largest_error(plain, want) : tolerance;
  if (error <= allowed) return;
  failed(__FILE__, __LINE__, what + " " + name(p) + ": error " + std::to_string(error) + ", allowed " + std::to_string(allowed));
}

// The device's memory of a rollout or a pass: pages, NaN where no position has been written.
class DeviceAttention {
 public:
  DeviceAttention(const AttentionBatch& batch, exitrl::Precision precision)
      : o(precision, batch.rows * batch.H * batch.D), lse(exitrl::Precision::f32, batch.rows * batch.H), b_(batch), p_(precision),
        page_stride_(batch.K * 16 * batch.D + 16), q_(precision, batch.qkv), keys_(precision, batch.pages * page_stride_),
        values_(precision, batch.pages * page_stride_) {}

  void append(const AttentionSpan& span) {
    for (int64_t i = 0; i < span.rows; ++i) write(span.row + i, span.position + i, span.pages);
  }
  // Every sequence's rows in its pages, the shared ones, too.
  void append_sequences() {
    for (size_t s = 0; s < b_.sequences.size(); ++s)
      for (size_t i = 0; i < b_.sequences[s].size(); ++i) write(b_.sequences[s][i], int64_t(i), b_.tables[s].data());
  }
  void forward(const exitrl::device::AttentionPlan& plan) {
    Numbers partial_o(exitrl::Precision::f32, plan.partials * b_.H * b_.D), partial_lse(exitrl::Precision::f32, plan.partials * b_.H);
    float *const sums = static_cast<float*>(lse.data()), *const parts = static_cast<float*>(partial_o.data());
    float* const part_sums = static_cast<float*>(partial_lse.data());
    exitrl::cuda::attention_forward(
        device_context(), {q_.data(), keys_.data(), values_.data(), plan.pages.data(), plan.items.data(), plan.rows.data(),
                           plan.positions.data(), o.data(), sums, parts, part_sums, b_.stride(), page_stride_, int64_t(plan.items.size()),
                           b_.H, b_.K, b_.D, b_.window, b_.scale(), p_,
                           decoding ? exitrl::device::Order::any : exitrl::device::Order::fixed, few_queries || decoding,
                           decoding ? plan.counts.data() : nullptr});
    if (plan.merge_rows.empty()) return;
    exitrl::cuda::attention_merge(device_context(),
                                  {plan.merge_rows.data(), plan.merge_starts.data(), plan.merge_parts.data(), parts, part_sums, o.data(),
                                   sums, int64_t(plan.merge_rows.size()), b_.H, b_.D, p_});
  }
  // Appends the spans' rows and computes them by an exact plan, or the one that the settings make.
  void step(const std::vector<AttentionSpan>& spans, bool split = false, bool group = false) {
    for (const AttentionSpan& span : spans) append(span);
    exitrl::device::AttentionPlan plan;
    plan_attention(plan, spans.data(), int64_t(spans.size()), {b_.H, b_.K, b_.window, 8, split, group});
    forward(plan);
  }
  Floats all() const {
    Floats out = o.floats(), more = lse.floats();
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }

  Numbers o, lse;
  bool few_queries = false;
  bool decoding = false;  // as a decoding step whose order is free

 private:
  void write(int64_t row, int64_t position, const int32_t* pages) {
    for (int64_t head = 0; head < b_.K; ++head)
      for (int64_t d = 0; d < b_.D; ++d) {
        const int64_t to = pages[position / 16] * page_stride_ + (head * 16 + position % 16) * b_.D + d;
        const int64_t from = row * b_.stride() + (b_.H + head) * b_.D + d;
        keys_.set(to, b_.qkv[size_t(from)]);
        values_.set(to, b_.qkv[size_t(from + b_.K * b_.D)]);
      }
  }

  const AttentionBatch& b_;
  const exitrl::Precision p_;
  const int64_t page_stride_;
  Numbers q_, keys_, values_;
};

}  // namespace check
