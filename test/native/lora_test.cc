// The low-rank product beside a linear layer, alone: against plain double, and what its bits must not depend on.
#include "ops/lora/lora.h"

#include "agree.h"

using namespace exitrl;
using check::Floats;
using check::Packed;
using check::random_floats;
using check::same_bits;

namespace {

struct Columns {
  int64_t from, N;
};

// Targets with columns of y between them that none of them owns.
struct Shape {
  int64_t T, K, R, width;
  std::vector<Columns> targets;
};
const Shape kShapes[] = {{1, 5, 1, 9, {{2, 3}}},
                         {7, 24, 4, 64, {{0, 32}, {48, 16}}},
                         {33, 40, 8, 70, {{0, 30}, {30, 20}, {50, 20}}},
                         {150, 300, 16, 130, {{3, 127}}},
                         {64, 70, 40, 61, {{0, 17}, {20, 41}}}};
constexpr float kScale = 0.3f;

struct Inputs {
  explicit Inputs(Shape s, uint32_t seed) : shape(std::move(s)) {
    x = random_floats(shape.T * shape.K, seed);
    y = random_floats(shape.T * shape.width, seed + 1);
    dy = random_floats(shape.T * shape.width, seed + 2);
    dx = random_floats(shape.T * shape.K, seed + 3);
    a = random_floats(columns() * shape.K, seed + 4);
    da = random_floats(columns() * shape.K, seed + 5);
    for (const Columns& t : shape.targets) {
      b.push_back(random_floats(t.N * shape.R, ++seed + 6));
      db.push_back(random_floats(t.N * shape.R, seed + 16));
    }
  }
  int64_t columns() const { return int64_t(shape.targets.size()) * shape.R; }
  Shape shape;
  Floats x, y, dy, dx, a, da;
  std::vector<Floats> b, db;
};

struct Results {
  Floats u, y, du, dx, da;
  std::vector<Floats> db;
  Floats all() const {
    Floats out;
    for (const Floats* part : {&u, &y, &du, &dx, &da}) out.insert(out.end(), part->begin(), part->end());
    for (const Floats& part : db) out.insert(out.end(), part.begin(), part.end());
    return out;
  }
};

// Rows [begin, end) of the inputs, added to `out`.
void run(Pool& pool, const Inputs& in, int64_t begin, int64_t end, Results& out) {
  const auto& [T, K, R, width, columns] = in.shape;
  const int64_t ranks = in.columns();
  const Packed a(pool, in.a, ranks, K);
  std::vector<Packed> packed;
  packed.reserve(columns.size());
  std::vector<LoraTarget> targets;
  for (size_t i = 0; i < columns.size(); ++i) {
    packed.emplace_back(pool, in.b[i], columns[i].N, R);
    targets.push_back({columns[i].from, columns[i].N, in.b[i].data(), packed.back().data, out.db[i].data()});
  }
  lora_forward(pool, {&in.x[size_t(begin * K)], a.data, targets, &out.u[size_t(begin * ranks)], &out.y[size_t(begin * width)], end - begin,
                      K, R, width, kScale});
  lora_backward(pool, {&in.dy[size_t(begin * width)], &out.u[size_t(begin * ranks)], in.a.data(), targets, &out.du[size_t(begin * ranks)],
                       &out.dx[size_t(begin * K)], end - begin, K, R, width, kScale});
  lora_backward_a(pool, {&out.du[size_t(begin * ranks)], &in.x[size_t(begin * K)], out.da.data(), end - begin, K, ranks});
}

Results fresh(const Inputs& in) {
  return {Floats(size_t(in.shape.T * in.columns()), check::kNan),
          in.y,
          Floats(size_t(in.shape.T * in.columns()), check::kNan),
          in.dx,
          in.da,
          in.db};
}

Results compute(Pool& pool, const Inputs& in) {
  Results out = fresh(in);
  run(pool, in, 0, in.shape.T, out);
  return out;
}

void check_against_double(const Inputs& in, const Results& out) {
  const auto& [T, K, R, width, columns] = in.shape;
  const int64_t ranks = in.columns();
  std::vector<double> y(in.y.begin(), in.y.end()), dx(in.dx.begin(), in.dx.end()), da(in.da.begin(), in.da.end());
  std::vector<std::vector<double>> db;
  for (const Floats& values : in.db) db.emplace_back(values.begin(), values.end());
  for (int64_t t = 0; t < T; ++t)
    for (size_t i = 0; i < columns.size(); ++i)
      for (int64_t r = 0; r < R; ++r) {
        const float* const a = &in.a[size_t((int64_t(i) * R + r) * K)];
        double u = 0, du = 0;
        for (int64_t k = 0; k < K; ++k) u += double(in.x[size_t(t * K + k)]) * a[k];
        for (int64_t n = 0; n < columns[i].N; ++n) {
          const double dy = in.dy[size_t(t * width + columns[i].from + n)], b = in.b[i][size_t(n * R + r)];
          y[size_t(t * width + columns[i].from + n)] += kScale * u * b;
          db[i][size_t(n * R + r)] += kScale * u * dy;
          du += dy * b;
        }
        for (int64_t k = 0; k < K; ++k) {
          dx[size_t(t * K + k)] += kScale * du * a[k];
          da[size_t((int64_t(i) * R + r) * K + k)] += kScale * du * in.x[size_t(t * K + k)];
        }
      }
  const auto close = [](const Floats& got, const std::vector<double>& want) {
    double error = 0, size = 0;
    for (size_t i = 0; i < want.size(); ++i) error += std::pow(got[i] - want[i], 2), size += want[i] * want[i];
    CHECK_NEAR(std::sqrt(error / size), 0, 1e-6);
  };
  close(out.y, y);
  close(out.dx, dx);
  close(out.da, da);
  for (size_t i = 0; i < db.size(); ++i) close(out.db[i], db[i]);
  // What no target owns is as it was.
  for (int64_t t = 0; t < T; ++t)
    for (int64_t n = 0; n < width; ++n) {
      const bool owned = std::any_of(columns.begin(), columns.end(), [&](const Columns& c) { return n >= c.from && n < c.from + c.N; });
      if (!owned) CHECK(out.y[size_t(t * width + n)] == in.y[size_t(t * width + n)]);
    }
  CHECK(int64_t(out.u.size()) == T * ranks);
}

}  // namespace

TEST(lora_matches_double_on_every_setting) {
  for (const Shape& shape : kShapes) {
    const Inputs in(shape, 5);
    check::on_every_setting([&](Pool& pool) { return compute(pool, in).all(); }, [](const Floats&) {});
    check::with_each_isa([&](const std::string&) {
      Pool pool(2);
      check_against_double(in, compute(pool, in));
    });
  }
}

TEST(lora_rows_do_not_depend_on_their_batch_and_gradients_continue) {
  Pool pool(2);
  for (const Shape& shape : kShapes) {
    const Inputs in(shape, 15);
    const Results whole = compute(pool, in);
    for (int64_t step : {1, 3, 14, 50}) {
      Results parts = fresh(in);
      for (int64_t t = 0; t < shape.T; t += step) run(pool, in, t, std::min(t + step, shape.T), parts);
      CHECK(same_bits(parts.all(), whole.all()));
    }
  }
}

TEST(lora_with_zero_b_changes_nothing) {
  Pool pool(2);
  Inputs in(kShapes[2], 25);
  for (Floats& b : in.b) std::fill(b.begin(), b.end(), 0.0f);
  const Results out = compute(pool, in);
  CHECK(same_bits(out.y, in.y));
  CHECK(same_bits(out.dx, in.dx));
  CHECK(same_bits(out.da, in.da));
}

TEST(lora_merged_is_the_sum) {
  constexpr int64_t N = 37, K = 50, R = 6;
  const Floats a = random_floats(R * K, 1), b = random_floats(N * R, 2), w = random_floats(N * K, 3);
  Floats merged;
  for (int threads : {1, 3}) {
    Pool pool(threads);
    Floats out = w;
    lora_merge(pool, {a.data(), b.data(), out.data(), N, K, R, kScale});
    if (merged.empty()) merged = out;
    CHECK(same_bits(out, merged));
  }
  for (int64_t n = 0; n < N; ++n)
    for (int64_t k = 0; k < K; ++k) {
      double sum = 0;
      for (int64_t r = 0; r < R; ++r) sum += double(b[size_t(n * R + r)]) * a[size_t(r * K + k)];
      CHECK_NEAR(merged[size_t(n * K + k)], w[size_t(n * K + k)] + double(kScale) * sum, 1.3e-7);
    }
}
