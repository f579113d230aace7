#include "ops/matmul/matmul.h"

#include <algorithm>
#include <cstring>

#include "agree.h"

using namespace exitrl;
using check::Floats;
using check::kNan;
using check::Packed;
using check::random_floats;
using check::with_each_isa;

namespace {

using check::same_bits;
bool same_bits(const float* a, const float* b, size_t n) { return std::memcmp(a, b, n * sizeof(float)) == 0; }

struct Shape {
  int64_t T, N, K;
};

// Edges of every tile: rows around 6 and 14, columns around 16, 32 and 256, depths around 256 and 384.
const Shape kShapes[] = {{1, 1, 1},     {1, 16, 5},    {2, 17, 33},   {3, 40, 64},  {5, 300, 257}, {6, 16, 16},
                         {7, 31, 385},  {13, 47, 100}, {14, 32, 400}, {15, 33, 8},  {29, 130, 70}, {64, 64, 64},
                         {150, 65, 40}, {37, 20, 800}, {700, 18, 21}, {9, 520, 19}, {4, 97, 600}};

struct Results {
  Floats y, dx, dw, dbias;
};

struct Inputs {
  explicit Inputs(Shape s, uint32_t seed)
      : shape(s),
        x(random_floats(s.T * s.K, seed)),
        w(random_floats(s.N * s.K, seed + 1)),
        bias(random_floats(s.N, seed + 2)),
        residual(random_floats(s.T * s.N, seed + 3)),
        dy(random_floats(s.T * s.N, seed + 4)),
        addend(random_floats(s.T * s.K, seed + 5)),
        dw(random_floats(s.N * s.K, seed + 6)),
        dbias(random_floats(s.N, seed + 7)) {}
  Shape shape;
  Floats x, w, bias, residual, dy, addend, dw, dbias;
};

Results compute(Pool& pool, const Inputs& in) {
  const auto [T, N, K] = in.shape;
  const Packed packed(pool, in.w, N, K);
  Results out{Floats(size_t(T * N), kNan), Floats(size_t(T * K), kNan), in.dw, in.dbias};
  linear_forward(pool, {in.x.data(), packed.data, in.bias.data(), in.residual.data(), out.y.data(), T, N, K});
  linear_backward(pool, {in.dy.data(), in.x.data(), in.w.data(), in.addend.data(), out.dx.data(), out.dw.data(),
                         out.dbias.data(), T, N, K});
  return out;
}

double tolerance(int64_t depth) { return 2e-6 * std::sqrt(double(depth)) + 2e-6; }

void check_against_double(const Inputs& in, const Results& out) {
  const auto [T, N, K] = in.shape;
  double error_y = 0, error_dx = 0, error_dw = 0, error_dbias = 0;
  const auto worst = [](double& error, double want, float got) {
    const double distance = std::abs(want - double(got));
    if (!(distance <= error)) error = distance;
  };
  for (int64_t t = 0; t < T; ++t)
    for (int64_t n = 0; n < N; ++n) {
      double sum = double(in.bias[n]) + in.residual[t * N + n];
      for (int64_t k = 0; k < K; ++k) sum += double(in.x[t * K + k]) * in.w[n * K + k];
      worst(error_y, sum, out.y[t * N + n]);
    }
  for (int64_t t = 0; t < T; ++t)
    for (int64_t k = 0; k < K; ++k) {
      double sum = in.addend[t * K + k];
      for (int64_t n = 0; n < N; ++n) sum += double(in.dy[t * N + n]) * in.w[n * K + k];
      worst(error_dx, sum, out.dx[t * K + k]);
    }
  for (int64_t n = 0; n < N; ++n) {
    double total = in.dbias[n];
    for (int64_t t = 0; t < T; ++t) total += in.dy[t * N + n];
    worst(error_dbias, total, out.dbias[n]);
    for (int64_t k = 0; k < K; ++k) {
      double sum = in.dw[n * K + k];
      for (int64_t t = 0; t < T; ++t) sum += double(in.dy[t * N + n]) * in.x[t * K + k];
      worst(error_dw, sum, out.dw[n * K + k]);
    }
  }
  CHECK_NEAR(error_y, 0, tolerance(K));
  CHECK_NEAR(error_dx, 0, tolerance(N));
  CHECK_NEAR(error_dw, 0, tolerance(T));
  CHECK_NEAR(error_dbias, 0, tolerance(T));
}

void check_same(const Results& a, const Results& b) {
  CHECK(same_bits(a.y, b.y));
  CHECK(same_bits(a.dx, b.dx));
  CHECK(same_bits(a.dw, b.dw));
  CHECK(same_bits(a.dbias, b.dbias));
}

}  // namespace

TEST(matmul_matches_double_reference) {
  Pool pool(2);
  with_each_isa([&](const std::string&) {
    for (const Shape& shape : kShapes) {
      const Inputs in(shape, 11);
      check_against_double(in, compute(pool, in));
    }
  });
}

TEST(matmul_is_one_fma_chain) {
  Pool pool(1);
  const Inputs in({20, 50, 700}, 23);
  const auto [T, N, K] = in.shape;
  const Results out = compute(pool, in);
  if (simd::isa() == simd::Isa::portable) return;
  int64_t different = 0;
  for (int64_t t = 0; t < T; ++t)
    for (int64_t n = 0; n < N; ++n) {
      float sum = 0;
      for (int64_t k = 0; k < K; ++k) sum = std::fma(in.x[t * K + k], in.w[n * K + k], sum);
      sum += in.bias[n];
      sum += in.residual[t * N + n];
      different += sum != out.y[t * N + n];
    }
  for (int64_t n = 0; n < N; ++n)
    for (int64_t k = 0; k < K; ++k) {
      float sum = in.dw[n * K + k];
      for (int64_t t = 0; t < T; ++t) sum = std::fma(in.dy[t * N + n], in.x[t * K + k], sum);
      different += sum != out.dw[n * K + k];
    }
  CHECK(different == 0);
}

TEST(matmul_same_bits_for_every_thread_count) {
  with_each_isa([&](const std::string&) {
    for (const Shape& shape : kShapes) {
      const Inputs in(shape, 31);
      Pool one(1), two(2), three(3), seven(7);
      const Results reference = compute(one, in);
      check_same(reference, compute(two, in));
      check_same(reference, compute(three, in));
      check_same(reference, compute(seven, in));
    }
  });
}

TEST(matmul_same_bits_for_every_instruction_set_with_fma) {
  Pool pool(2);
  for (const Shape& shape : kShapes) {
    const Inputs in(shape, 41);
    std::vector<Results> results;
    with_each_isa([&](const std::string& name) {
      if (name != "portable") results.push_back(compute(pool, in));
    });
    for (const Results& result : results) check_same(results.front(), result);
  }
}

TEST(matmul_rows_do_not_depend_on_their_batch) {
  Pool pool(2);
  with_each_isa([&](const std::string&) {
    const Inputs in({43, 70, 530}, 53);
    const auto [T, N, K] = in.shape;
    const Results all = compute(pool, in);
    const Packed packed(pool, in.w, N, K);
    for (int64_t step : {1, 2, 3, 5, 8, 13, 20})
      for (int64_t t = 0; t < T; t += step) {
        const int64_t rows = std::min(step, T - t);
        Floats y(size_t(rows * N), kNan), dx(size_t(rows * K), kNan);
        linear_forward(pool, {&in.x[t * K], packed.data, in.bias.data(), &in.residual[t * N], y.data(), rows, N, K});
        linear_backward(pool, {&in.dy[t * N], &in.x[t * K], in.w.data(), &in.addend[t * K], dx.data(), nullptr, nullptr,
                               rows, N, K});
        CHECK(same_bits(y.data(), &all.y[t * N], y.size()));
        CHECK(same_bits(dx.data(), &all.dx[t * K], dx.size()));
      }
  });
}

TEST(matmul_dw_does_not_depend_on_how_rows_are_split) {
  Pool pool(2);
  with_each_isa([&](const std::string&) {
    const Inputs in({611, 35, 50}, 61);
    const auto [T, N, K] = in.shape;
    const Results all = compute(pool, in);
    for (int64_t step : {1, 100, 256, 300, 384}) {
      Floats dw = in.dw, dbias = in.dbias;
      for (int64_t t = 0; t < T; t += step)
        linear_backward(pool, {&in.dy[t * N], &in.x[t * K], nullptr, nullptr, nullptr, dw.data(), dbias.data(),
                               std::min(step, T - t), N, K});
      CHECK(same_bits(dw, all.dw));
      CHECK(same_bits(dbias, all.dbias));
    }
  });
}

TEST(matmul_residual_and_addend_may_be_the_output) {
  Pool pool(2);
  with_each_isa([&](const std::string&) {
    for (const Shape& shape : kShapes) {
      const Inputs in(shape, 71);
      const auto [T, N, K] = in.shape;
      const Results reference = compute(pool, in);
      const Packed packed(pool, in.w, N, K);
      Floats y = in.residual, dx = in.addend;
      linear_forward(pool, {in.x.data(), packed.data, in.bias.data(), y.data(), y.data(), T, N, K});
      linear_backward(pool, {in.dy.data(), nullptr, in.w.data(), dx.data(), dx.data(), nullptr, nullptr, T, N, K});
      CHECK(same_bits(y, reference.y));
      CHECK(same_bits(dx, reference.dx));
    }
  });
}

TEST(matmul_rows_may_lie_apart) {
  // Rows of `width` floats, of which the operand is the part that begins at `from`.
  const auto spread = [](const Floats& dense, int64_t rows, int64_t cols, int64_t width, int64_t from) {
    Floats out(size_t(rows * width), 7.0f);
    for (int64_t r = 0; r < rows; ++r) std::copy_n(&dense[size_t(r * cols)], cols, &out[size_t(r * width + from)]);
    return out;
  };
  for (const Shape& shape : kShapes) {
    const Inputs in(shape, 77);
    const auto [T, N, K] = in.shape;
    for (int threads : {1, 3}) {
      Pool pool(threads);
      const Packed packed(pool, in.w, N, K);
      const Results dense = compute(pool, in);
      const int64_t n_width = N + 5, k_width = K + 9, n_from = 2, k_from = 3;
      Floats y = spread(in.residual, T, N, n_width, n_from), dx = spread(in.addend, T, K, k_width, k_from), dw = in.dw, dbias = in.dbias;
      const Floats x = spread(in.x, T, K, k_width, k_from), dy = spread(in.dy, T, N, n_width, n_from);
      linear_forward(pool, {&x[k_from], packed.data, in.bias.data(), &y[n_from], &y[n_from], T, N, K, k_width, n_width});
      linear_backward(pool, {&dy[n_from], &x[k_from], in.w.data(), &dx[k_from], &dx[k_from], dw.data(), dbias.data(), T, N, K,
                             Precision::f32, n_width, k_width, k_width});
      CHECK(same_bits(y, spread(dense.y, T, N, n_width, n_from)));
      CHECK(same_bits(dx, spread(dense.dx, T, K, k_width, k_from)));
      CHECK(same_bits(dw, dense.dw));
      CHECK(same_bits(dbias, dense.dbias));
    }
  }
}

TEST(matmul_writes_only_its_outputs) {
  Pool pool(3);
  const auto [T, N, K] = Shape{19, 37, 300};
  const Inputs in({T, N, K}, 83);
  const Packed packed(pool, in.w, N, K);
  constexpr int64_t kBorder = 64;
  const auto bordered = [](int64_t n) { return Floats(size_t(n + 2 * kBorder), 7.0f); };
  Floats y = bordered(T * N), dx = bordered(T * K), dw = bordered(N * K);
  linear_forward(pool, {in.x.data(), packed.data, nullptr, nullptr, &y[kBorder], T, N, K});
  linear_backward(pool, {in.dy.data(), in.x.data(), in.w.data(), nullptr, &dx[kBorder], &dw[kBorder], nullptr,
                         T, N, K});
  for (const Floats* values : {&y, &dx, &dw})
    for (int64_t i = 0; i < kBorder; ++i) {
      CHECK((*values)[size_t(i)] == 7.0f);
      CHECK((*values)[values->size() - 1 - size_t(i)] == 7.0f);
    }
}

TEST(matmul_of_no_rows_does_nothing) {
  Pool pool(2);
  const Inputs in({1, 5, 6}, 91);
  const Packed packed(pool, in.w, 5, 6);
  Floats dw = in.dw, dbias = in.dbias;
  linear_forward(pool, {in.x.data(), packed.data, nullptr, nullptr, nullptr, 0, 5, 6});
  linear_backward(pool, {in.dy.data(), in.x.data(), in.w.data(), nullptr, nullptr, dw.data(), dbias.data(), 0, 5, 6});
  CHECK(same_bits(dw, in.dw));
  CHECK(same_bits(dbias, in.dbias));
}
