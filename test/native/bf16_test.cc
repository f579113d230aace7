// Products in bfloat16: the vector unit against fp32 products of rounded factors, AMX's code (emulated) against double.
#include <algorithm>

#include "agree.h"
#include "core/bf16.h"
#include "ops/matmul/amx.h"

using namespace exitrl;
using check::Floats;
using check::kNan;
using check::Packed;
using check::random_floats;
using check::same_bits;
using check::with_each_isa;

namespace {

struct Shape {
  int64_t T, N, K;
};
const Shape kShapes[] = {{1, 1, 1},    {1, 16, 5},   {2, 17, 33},  {3, 40, 64},   {5, 300, 257}, {6, 16, 16},  {7, 31, 385},
                         {13, 47, 99}, {33, 33, 31}, {29, 130, 7}, {37, 20, 2081}, {70, 18, 21},  {9, 52, 519}, {4, 97, 600}};

struct PackedBf16 {
  PackedBf16(Pool& pool, const Floats& w, int64_t N, int64_t K) : storage(size_t(packed_bf16_size(N, K) + 32), 0x7fc0) {
    data = storage.data();
    while (reinterpret_cast<uintptr_t>(data) % 64 != 0) ++data;
    pack_weight(pool, w.data(), N, K, data);
  }
  std::vector<uint16_t> storage;
  uint16_t* data;
};

Floats rounded(Floats values) {
  for (float& value : values) value = from_bf16(to_bf16(value));
  return values;
}

struct Inputs {
  explicit Inputs(Shape s)
      : shape(s),
        x(random_floats(s.T * s.K, 1)),
        w(random_floats(s.N * s.K, 2)),
        dy(random_floats(s.T * s.N, 3)),
        bias(random_floats(s.N, 4)),
        residual(random_floats(s.T * s.N, 5)),
        addend(random_floats(s.T * s.K, 6)),
        dw(random_floats(s.N * s.K, 7)) {}
  Shape shape;
  Floats x, w, dy, bias, residual, addend, dw;
};

struct Results {
  Floats y, dx, dw;
};

Results compute(Pool& pool, const Inputs& in, Precision precision) {
  const auto [T, N, K] = in.shape;
  Results out{Floats(size_t(T * N), kNan), Floats(size_t(T * K), kNan), in.dw};
  const Packed packed(pool, in.w, N, K);
  const PackedBf16 packed_bf16(pool, in.w, N, K);
  const PackedWeight weight = precision == Precision::bf16 ? PackedWeight(packed_bf16.data) : PackedWeight(packed.data);
  linear_forward(pool, {in.x.data(), weight, in.bias.data(), in.residual.data(), out.y.data(), T, N, K});
  linear_backward(pool,
                  {in.dy.data(), in.x.data(), in.w.data(), in.addend.data(), out.dx.data(), out.dw.data(), nullptr, T, N, K, precision});
  return out;
}

bool same(const Results& a, const Results& b) { return same_bits(a.y, b.y) && same_bits(a.dx, b.dx) && same_bits(a.dw, b.dw); }

// body(unit) with each unit that runs here.
template <class Body>
void with_each_unit(Body body) {
  const std::string before = name(bf16_unit());
  for (const char* unit : {"vector", "emulated"}) {
    force_bf16_unit(unit);
    body(std::string(unit));
  }
  if (before == "amx" || before == "avx512") {
    force_bf16_unit(before);
    body(before);
  }
  force_bf16_unit(before);
}

}  // namespace

TEST(bf16_rounds_to_nearest_even) {
  const auto bits = [](float x) {
    uint32_t b;
    std::memcpy(&b, &x, 4);
    return b;
  };
  CHECK(to_bf16(1.0f) == 0x3f80);
  CHECK(to_bf16(1.00390625f) == 0x3f80);   // half way: to the even one below
  CHECK(to_bf16(1.01171875f) == 0x3f82);   // half way: to the even one above
  CHECK(to_bf16(1.0039064f) == 0x3f81);
  CHECK(to_bf16(-3.4e38f) == 0xff80);      // rounds to infinity
  CHECK(to_bf16(std::numeric_limits<float>::infinity()) == 0x7f80);
  CHECK(std::isnan(from_bf16(to_bf16(kNan))));
  for (uint32_t high = 0; high < 0x10000; ++high) {
    const float x = from_bf16(uint16_t(high));
    CHECK(bits(x) == high << 16);
    if (!std::isnan(x)) CHECK(to_bf16(x) == high);
  }
}

TEST(bf16_vector_products_are_fp32_products_of_rounded_factors) {
  force_bf16_unit("vector");
  Pool pool(2);
  with_each_isa([&](const std::string&) {
    for (const Shape& shape : kShapes) {
      const Inputs in(shape);
      Inputs r = in;
      r.x = rounded(in.x), r.w = rounded(in.w), r.dy = rounded(in.dy);
      CHECK(same(compute(pool, in, Precision::bf16), compute(pool, r, Precision::f32)));
    }
  });
}

TEST(bf16_products_match_double_reference_on_every_unit) {
  Pool pool(2);
  with_each_unit([&](const std::string&) {
    for (const Shape& shape : kShapes) {
      const Inputs in(shape);
      const Results out = compute(pool, in, Precision::bf16);
      const Floats x = rounded(in.x), w = rounded(in.w), dy = rounded(in.dy);
      const auto [T, N, K] = shape;
      double worst = 0;
      for (int64_t t = 0; t < T; ++t)
        for (int64_t n = 0; n < N; ++n) {
          double sum = double(in.bias[size_t(n)]) + in.residual[size_t(t * N + n)];
          for (int64_t k = 0; k < K; ++k) sum += double(x[size_t(t * K + k)]) * w[size_t(n * K + k)];
          worst = std::max(worst, std::abs(sum - out.y[size_t(t * N + n)]) / (2e-6 * std::sqrt(double(K)) + 2e-6));
        }
      for (int64_t t = 0; t < T; ++t)
        for (int64_t k = 0; k < K; ++k) {
          double sum = in.addend[size_t(t * K + k)];
          for (int64_t n = 0; n < N; ++n) sum += double(dy[size_t(t * N + n)]) * w[size_t(n * K + k)];
          worst = std::max(worst, std::abs(sum - out.dx[size_t(t * K + k)]) / (2e-6 * std::sqrt(double(N)) + 2e-6));
        }
      for (int64_t n = 0; n < N; ++n)
        for (int64_t k = 0; k < K; ++k) {
          double sum = in.dw[size_t(n * K + k)];
          for (int64_t t = 0; t < T; ++t) sum += double(dy[size_t(t * N + n)]) * x[size_t(t * K + k)];
          worst = std::max(worst, std::abs(sum - out.dw[size_t(n * K + k)]) / (2e-6 * std::sqrt(double(T)) + 2e-6));
        }
      CHECK(worst <= 1);
    }
  });
}

TEST(bf16_products_do_not_depend_on_threads_or_rows) {
  Pool one(1), three(3);
  with_each_unit([&](const std::string&) {
    for (const Shape& shape : {Shape{43, 70, 530}, Shape{18, 33, 2100}}) {
      const Inputs in(shape);
      const auto [T, N, K] = shape;
      const Results all = compute(one, in, Precision::bf16);
      CHECK(same(all, compute(three, in, Precision::bf16)));
      const PackedBf16 packed(one, in.w, N, K);
      for (int64_t step : {1, 3, 17}) {
        for (int64_t t = 0; t < T; t += step) {
          const int64_t rows = std::min(step, T - t);
          Floats y(size_t(rows * N), kNan), dx(size_t(rows * K), kNan);
          linear_forward(three, {&in.x[size_t(t * K)], packed.data, in.bias.data(), &in.residual[size_t(t * N)], y.data(), rows, N, K});
          linear_backward(three, {&in.dy[size_t(t * N)], nullptr, in.w.data(), &in.addend[size_t(t * K)], dx.data(), nullptr, nullptr, rows,
                                  N, K, Precision::bf16});
          CHECK(std::equal(y.begin(), y.end(), all.y.begin() + t * N));
          CHECK(std::equal(dx.begin(), dx.end(), all.dx.begin() + t * K));
        }
      }
      // The depth of dw is cut where a tile ends.
      Floats dw = in.dw;
      for (int64_t t = 0; t < T; t += 32)
        linear_backward(three, {&in.dy[size_t(t * N)], &in.x[size_t(t * K)], nullptr, nullptr, nullptr, dw.data(), nullptr,
                                std::min<int64_t>(32, T - t), N, K, Precision::bf16});
      CHECK(same_bits(dw, all.dw));
    }
  });
}

TEST(bf16_products_write_only_their_outputs_and_take_their_addend_in_place) {
  Pool pool(3);
  with_each_unit([&](const std::string&) {
    const Shape shape{19, 37, 300};
    const auto [T, N, K] = shape;
    const Inputs in(shape);
    const Results want = compute(pool, in, Precision::bf16);
    const PackedBf16 packed(pool, in.w, N, K);
    Floats y(size_t(T * N + 32), 7.0f), dx(size_t(T * K + 32), 7.0f);
    std::copy(in.residual.begin(), in.residual.end(), y.begin() + 16);
    std::copy(in.addend.begin(), in.addend.end(), dx.begin() + 16);
    linear_forward(pool, {in.x.data(), packed.data, in.bias.data(), &y[16], &y[16], T, N, K});
    linear_backward(pool, {in.dy.data(), nullptr, in.w.data(), &dx[16], &dx[16], nullptr, nullptr, T, N, K, Precision::bf16});
    CHECK(std::equal(want.y.begin(), want.y.end(), y.begin() + 16));
    CHECK(std::equal(want.dx.begin(), want.dx.end(), dx.begin() + 16));
    for (const Floats* values : {&y, &dx})
      for (size_t i = 0; i < 16; ++i) CHECK((*values)[i] == 7.0f && (*values)[values->size() - 1 - i] == 7.0f);
    linear_forward(pool, {in.x.data(), packed.data, nullptr, nullptr, nullptr, 0, N, K});
  });
}
