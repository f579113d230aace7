// Matrix products and sums of columns on the emulated device, against double and, where both are one chain, the CPU's bits.
#include <array>

#include "device_check.h"

using namespace exitrl;
using namespace check;
using device::GemmKind;

namespace {

cuda::Context context_of(int multiprocessors) {
  cuda::Context context = device_context();
  context.multiprocessors = multiprocessors;
  return context;
}

const char* name(GemmKind kind) { return kind == GemmKind::nt ? "nt" : kind == GemmKind::nn ? "nn" : "tn"; }

// A product with factors in memory of their own, rows `gap` numbers further apart than they need to be. What lies between is NaN.
struct Problem {
  GemmKind kind;
  int64_t M, N, K;
  Floats a, b, bias, addend;  // as (M, K), (K, N), (N), (M, N); the last two may be empty
  float alpha = 1;

  Problem(Precision input, GemmKind kind, int64_t M, int64_t N, int64_t K)
      : kind(kind), M(M), N(N), K(K), a(rounded(input, random_floats(M * K, 1))), b(rounded(input, random_floats(K * N, 2))) {}

  static Numbers laid_out(Precision p, const Floats& values, int64_t rows, int64_t columns, int64_t ld, bool transposed) {
    Numbers out(p, rows == 0 ? 0 : (rows - 1) * ld + columns);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < columns; ++c) out.set(r * ld + c, values[size_t(transposed ? c * rows + r : r * columns + c)]);
    return out;
  }

  Floats run(cuda::Context context, Precision input, Precision output, int64_t gap, bool in_place = false,
             device::Order order = device::Order::fixed) const {
    const bool ta = kind == GemmKind::tn, tb = kind == GemmKind::nt;
    const int64_t lda = (ta ? M : K) + gap, ldb = (tb ? K : N) + gap, ldd = N + gap;
    Numbers x = laid_out(input, a, ta ? K : M, ta ? M : K, lda, ta), w = laid_out(input, b, tb ? N : K, tb ? K : N, ldb, tb);
    Numbers d(output, M == 0 ? 0 : (M - 1) * ldd + N), offsets(input, bias);
    Numbers old = laid_out(output, addend.empty() ? Floats(size_t(M * N)) : addend, M, N, ldd, false);
    void* const added = addend.empty() ? nullptr : old.data();
    Numbers& result = in_place ? old : d;
    cuda::gemm(context, {kind, x.data(), w.data(), added, bias.empty() ? nullptr : offsets.data(), result.data(), M, N, K, lda, ldb, ldd,
                         alpha, input, output, order});
    Floats out;
    for (int64_t m = 0; m < M; ++m) {
      for (int64_t n = 0; n < N; ++n) out.push_back(result[m * ldd + n]);
      for (int64_t n = N; n < ldd && m + 1 < M; ++n) CHECK(std::isnan(result[m * ldd + n]));
    }
    return out;
  }

  std::vector<double> exact() const {
    std::vector<double> out;
    for (int64_t m = 0; m < M; ++m)
      for (int64_t n = 0; n < N; ++n) {
        double sum = 0;
        for (int64_t k = 0; k < K; ++k) sum += double(a[size_t(m * K + k)]) * b[size_t(k * N + n)];
        out.push_back(alpha * sum + (bias.empty() ? 0 : bias[size_t(n)]) + (addend.empty() ? 0 : addend[size_t(m * N + n)]));
      }
    return out;
  }

  // A card's library may round a product to the type of the result before it adds the addend, and that before it adds the bias: by how
  // much at most where sums and addends are no larger than `largest`.
  double rounded_on_the_way(Precision output, double largest) const {
    return output == Precision::bf16 && !addend.empty() ? 2 * unit(output) * largest : 0;
  }

  // Rows [begin, end) alone.
  Problem rows(int64_t begin, int64_t end) const {
    Problem part = *this;
    part.M = end - begin;
    part.a = Floats(a.begin() + begin * K, a.begin() + end * K);
    if (!addend.empty()) part.addend = Floats(addend.begin() + begin * N, addend.begin() + end * N);
    return part;
  }
};

// Tensor cores cut sums off where fp32 would round them.
double slack(Precision input, int64_t K) { return (input == Precision::bf16 ? 2e-7 : 5e-8) * double(K + 16); }

constexpr GemmKind kKinds[] = {GemmKind::nt, GemmKind::nn, GemmKind::tn};

double largest_of(const std::vector<double>& numbers) {
  double out = 0;
  for (const double x : numbers) out = std::max(out, std::abs(x));
  return out;
}

// Whether a problem may be as large as a card; EXIT_RL_SMALL says no, for compute-sanitizer.
bool fills_a_card() {
#ifdef EXITRL_ON_CARD
  return std::getenv("EXIT_RL_SMALL") == nullptr;
#else
  return false;
#endif
}

}  // namespace

TEST(device_gemm_agrees_with_double) {
  for (const Precision input : {Precision::f32, Precision::bf16})
    for (const Precision output : {Precision::f32, Precision::bf16})
      for (const GemmKind kind : kKinds)
        for (const auto& [M, N, K, gap] :
             {std::array<int64_t, 4>{1, 1, 1, 0}, {3, 5, 7, 2}, {16, 40, 24, 8}, {17, 9, 72, 8}, {70, 33, 40, 8}, {5, 3, 0, 1}}) {
          Problem p(input, kind, M, N, K);
          p.bias = rounded(input, random_floats(N, 3));
          p.addend = rounded(output, random_floats(M * N, 4));
          p.alpha = 0.75f;
          const Floats got = in_both_orders([&] { return p.run(context_of(4), input, output, gap); });
          const std::string what = std::string("gemm ") + name(kind) + " " + check::name(input) + " " + check::name(output) +
                                   " M=" + std::to_string(M);
          agree(got, p.exact(), unit(output), slack(input, K), what);
          CHECK(same_bits(got, p.run(context_of(4), input, output, gap, true)));
          for (const bool with_bias : {true, false}) {  // cuBLASLt where it is
            if (!with_bias) p.bias.clear();
            const std::vector<double> exact = p.exact();
            agree(p.run(context_of(4), input, output, gap, false, device::Order::any), exact, unit(output),
                  slack(input, K) + p.rounded_on_the_way(output, largest_of(exact) + 2), what + " in any order");
          }
        }
  Problem empty(Precision::bf16, GemmKind::nt, 0, 8, 8);
  CHECK(empty.run(context_of(4), Precision::bf16, Precision::bf16, 0).empty());
}

// One chain an element: the tile an element falls into, the rows beside it and the strides change no bit.
TEST(device_gemm_gives_every_row_the_same_bits) {
  for (const Precision input : {Precision::f32, Precision::bf16})
    for (const GemmKind kind : kKinds) {
      const bool large_tiles = fills_a_card();  // and a card full of them
      Problem p(input, kind, large_tiles ? 1304 : 80, large_tiles ? 2312 : 136, 168);
      p.bias = rounded(input, random_floats(p.N, 3));
      p.addend = random_floats(p.M * p.N, 4);
      const auto run = [&](const Problem& q, int multiprocessors, int64_t gap) {
        return q.run(context_of(multiprocessors), input, Precision::f32, gap);
      };
      const Floats large = in_both_orders([&] { return run(p, 1, 0); });
      agree(large, p.exact(), unit(Precision::f32), 2 * slack(input, p.K), std::string("gemm ") + name(kind) + " " + check::name(input));
      CHECK(same_bits(large, run(p, 1000, 0)));  // tiles of 64 x 64
      cuda::Context alone = context_of(1);
      alone.warpgroups_fixed = false;
      CHECK(same_bits(large, p.run(alone, input, Precision::f32, 0)));  // tiles of 128 x 128
      CHECK(same_bits(large, run(p, 1, 3)));     // not aligned
      for (const auto& [begin, end] : {std::pair<int64_t, int64_t>{0, 1}, {37, 38}, {60, 76}, {11, 61}}) {
        const Floats want(large.begin() + begin * p.N, large.begin() + end * p.N);
        for (const int multiprocessors : {1, 1000}) CHECK(same_bits(want, run(p.rows(begin, end), multiprocessors, 8)));
        CHECK(same_bits(want, run(p.rows(begin, end), 1, 1)));
      }
    }
}

// Several blocks, all of whose edges are cut off.
TEST(device_gemm_of_warpgroups_agrees_with_double) {
  for (const Precision output : {Precision::f32, Precision::bf16})
    for (const GemmKind kind : kKinds)
      for (const auto& [M, N, K] : {std::array<int64_t, 3>{133, 264, 328}, {65, 8, 64}, {128, 256, 16}}) {
        Problem p(Precision::bf16, kind, M, N, K);
        if (kind == GemmKind::tn) p = Problem(Precision::bf16, kind, (M + 7) / 8 * 8, N, K);  // rows of 16 bytes
        p.bias = rounded(Precision::bf16, random_floats(p.N, 3));
        p.addend = rounded(output, random_floats(p.M * p.N, 4));
        const Floats got = in_both_orders([&] { return p.run(context_of(1), Precision::bf16, output, 0, false, device::Order::any); });
        agree(got, p.exact(), unit(output), 2 * slack(Precision::bf16, K),
              std::string("gemm of warpgroups ") + name(kind) + " M=" + std::to_string(M));
      }
}

// A product that a card's library tries several algorithms for when it is first met: each is computed anew, sums in place, too.
TEST(device_gemm_in_any_order_adds_in_place_once) {
  const bool large = fills_a_card();
  for (const Precision output : {Precision::f32, Precision::bf16})
    for (const GemmKind kind : kKinds) {
      Problem p(Precision::bf16, kind, large ? 512 : 24, large ? 1024 : 32, large ? 1032 : 40);
      p.addend = rounded(output, random_floats(p.M * p.N, 4));
      const Floats fixed = p.run(context_of(4), Precision::bf16, output, 0);
      const auto run = [&](bool in_place) { return p.run(context_of(4), Precision::bf16, output, 0, in_place, device::Order::any); };
      const std::vector<double> want(fixed.begin(), fixed.end());
      for (const bool in_place : {true, false}) {
        const Floats got = run(in_place);
        agree(got, want, 2 * unit(output),
              2 * slack(Precision::bf16, p.K) + p.rounded_on_the_way(output, largest_of(want) + 1),
              std::string(in_place ? "gemm in place, " : "gemm, ") + name(kind) + " " + check::name(output));
        CHECK(same_bits(got, run(in_place)));
      }
    }
}

TEST(device_gemm_in_fp32_has_the_bits_of_the_cpu) {
  if (simd::isa() == simd::Isa::portable) return;  // has no fused multiply-add
  Pool pool(1);
  const int64_t M = 21, N = 37, K = 90;
  Problem y(Precision::f32, GemmKind::nt, M, N, K), dx(Precision::f32, GemmKind::nn, M, K, N), dw(Precision::f32, GemmKind::tn, N, K, M);
  y.bias = random_floats(N, 3);
  y.addend = random_floats(M * N, 4);
  Floats w(size_t(N * K));
  for (int64_t n = 0; n < N; ++n)
    for (int64_t k = 0; k < K; ++k) w[size_t(n * K + k)] = y.b[size_t(k * N + n)];
  const Packed packed(pool, w, N, K);
  Floats want(size_t(M * N));
  linear_forward(pool, {y.a.data(), packed.data, y.bias.data(), y.addend.data(), want.data(), M, N, K});
  CHECK(same_bits(want, y.run(context_of(4), Precision::f32, Precision::f32, 0)));

  const Floats dy = random_floats(M * N, 5);
  Floats want_dx(size_t(M * K)), want_dw(size_t(N * K), 0.0f);
  linear_backward(pool, {dy.data(), y.a.data(), w.data(), nullptr, want_dx.data(), want_dw.data(), nullptr, M, N, K});
  dx.a = dy, dx.b = w;
  CHECK(same_bits(want_dx, dx.run(context_of(4), Precision::f32, Precision::f32, 0)));
  for (int64_t n = 0; n < N; ++n)
    for (int64_t m = 0; m < M; ++m) dw.a[size_t(n * M + m)] = dy[size_t(m * N + n)];
  dw.b = y.a;
  CHECK(same_bits(want_dw, dw.run(context_of(4), Precision::f32, Precision::f32, 0)));
}

TEST(device_column_sum_agrees_with_double) {
  for (const Precision p : {Precision::f32, Precision::bf16})
    for (const auto& [T, N, gap] : {std::array<int64_t, 3>{0, 4, 0}, {1, 1, 0}, {9, 264, 8}, {300, 13, 1}, {515, 40, 0}}) {
      const Floats x = rounded(p, random_floats(T * N, 1)), old = random_floats(N, 2);
      std::vector<double> want(old.begin(), old.end());
      for (int64_t t = 0; t < T; ++t)
        for (int64_t n = 0; n < N; ++n) want[size_t(n)] += x[size_t(t * N + n)];
      const Floats got = in_both_orders([&] {
        Numbers in = Problem::laid_out(p, x, T, N, N + gap, false), out(Precision::f32, old),
                partials(Precision::f32, device::column_sum_partials(T, N));
        cuda::column_sum(device_context(),
                         {in.data(), static_cast<float*>(out.data()), static_cast<float*>(partials.data()), T, N, N + gap, p});
        return out.floats();
      });
      agree(got, want, 4 * unit(Precision::f32), 1e-5, std::string("column_sum ") + check::name(p) + " T=" + std::to_string(T));
    }
}
