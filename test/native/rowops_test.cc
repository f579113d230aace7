// rmsnorm, rope, glu, embedding against plain loops in double.
#include <numbers>

#include "agree.h"
#include "ops/embedding/embedding.h"
#include "ops/glu/glu.h"
#include "ops/rmsnorm/rmsnorm.h"
#include "ops/rope/rope.h"

using namespace exitrl;
using check::Floats;
using check::on_every_setting;
using check::random_floats;
using check::same_bits;

namespace {

Floats joined(std::initializer_list<Floats> parts) {
  Floats all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

struct NormCase {
  int64_t T, heads, C, gap;  // gap: floats between the tokens that are not the op's
  float offset;
  int64_t stride() const { return heads * C + gap; }
};
const NormCase kNorms[] = {{1, 1, 1, 0, 0}, {3, 1, 7, 0, 1}, {5, 3, 16, 5, 0}, {4, 2, 33, 1, 1}, {70, 4, 100, 3, 0}, {300, 1, 130, 0, 0}};

}  // namespace

TEST(rmsnorm_matches_double) {
  for (const auto& n : kNorms) {
    const int64_t rows = n.T * n.heads, size = n.T * n.stride();
    const Floats x = random_floats(size, 1), w = random_floats(n.C, 2), dy = random_floats(size, 3);
    const Floats addend = random_floats(size, 4), dw0 = random_floats(n.C, 5);
    const float eps = 1e-5f;
    const auto run = [&](Pool& pool) {
      Floats y(size, 0), rstd(rows), dx(size, 0), dw = dw0;
      rmsnorm_forward(pool, {x.data(), w.data(), y.data(), rstd.data(), n.T, n.heads, n.C, n.stride(), n.stride(), eps, n.offset});
      rmsnorm_backward(pool, {dy.data(), x.data(), w.data(), rstd.data(), addend.data(), dx.data(), dw.data(), n.T, n.heads, n.C,
                              n.stride(), n.stride(), n.stride(), n.offset});
      return joined({y, rstd, dx, dw});
    };
    on_every_setting(run, [&](const Floats& got) {
      std::vector<double> dw(dw0.begin(), dw0.end());
      for (int64_t row = 0; row < rows; ++row) {
        const int64_t at = row / n.heads * n.stride() + row % n.heads * n.C;
        double squares = 0, dot = 0;
        for (int64_t c = 0; c < n.C; ++c) squares += double(x[at + c]) * x[at + c];
        const double rstd = 1.0 / std::sqrt(squares / n.C + eps);
        CHECK_NEAR(got[size + row], rstd, 1e-6 * rstd);
        for (int64_t c = 0; c < n.C; ++c) dot += double(dy[at + c]) * (w[c] + n.offset) * x[at + c] * rstd;
        for (int64_t c = 0; c < n.C; ++c) {
          const double xhat = x[at + c] * rstd, g = double(dy[at + c]) * (w[c] + n.offset);
          CHECK_NEAR(got[at + c], xhat * (w[c] + n.offset), 2e-6);
          CHECK_NEAR(got[size + rows + at + c], rstd * (g - xhat * dot / n.C) + addend[at + c], 3e-6 * (1 + rstd));
          dw[c] += dy[at + c] * xhat;
        }
      }
      for (int64_t c = 0; c < n.C; ++c) CHECK_NEAR(got[2 * size + rows + c], dw[c], 2e-6 * double(rows));
    });
  }
}

TEST(rmsnorm_in_place_and_in_pieces) {
  const int64_t T = 41, heads = 2, C = 50, stride = heads * C;
  const Floats x = random_floats(T * stride, 1), w = random_floats(C, 2), dy = random_floats(T * stride, 3),
               add = random_floats(T * stride, 4);
  Pool pool(2);
  Floats y(x.size()), rstd(T * heads), dx(x.size()), dw(C, 0.5f);
  rmsnorm_forward(pool, {x.data(), w.data(), y.data(), rstd.data(), T, heads, C, stride, stride, 1e-6f, 0});
  rmsnorm_backward(pool,
                   {dy.data(), x.data(), w.data(), rstd.data(), add.data(), dx.data(), dw.data(), T, heads, C, stride, stride, stride, 0});

  Floats same = x;
  rmsnorm_forward(pool, {same.data(), w.data(), same.data(), nullptr, T, heads, C, stride, stride, 1e-6f, 0});
  CHECK(same_bits(same, y));
  Floats onto_dy = dy, onto_addend = add, dw_pieces(C, 0.5f), dw2(C, 0.5f);
  for (int64_t begin = 0, n; begin < T; begin += n) {
    n = std::min<int64_t>(17, T - begin);
    const int64_t at = begin * stride;
    rmsnorm_backward(pool, {onto_dy.data() + at, x.data() + at, w.data(), rstd.data() + begin * heads, add.data() + at, onto_dy.data() + at,
                            dw_pieces.data(), n, heads, C, stride, stride, stride, 0});
  }
  rmsnorm_backward(pool, {dy.data(), x.data(), w.data(), rstd.data(), onto_addend.data(), onto_addend.data(), dw2.data(), T, heads, C,
                          stride, stride, stride, 0});
  CHECK(same_bits(onto_dy, dx));
  CHECK(same_bits(onto_addend, dx));
  CHECK(same_bits(dw_pieces, dw));
  CHECK(same_bits(dw2, dw));
}

TEST(rope_rotates_pairs) {
  for (const int64_t D : {2, 6, 16, 34, 64, 100}) {
    const int64_t T = 90, heads = 3, stride = heads * D + 5;
    RopeConfig config;
    const RopeTable table = rope_table(config, D, 128);
    const auto frequencies = rope_inverse_frequencies(config, D);
    const Floats x = random_floats(T * stride, 1);
    std::vector<int32_t> positions(T);
    for (int64_t t = 0; t < T; ++t) positions[size_t(t)] = int32_t(t * 7 % 128);
    const auto rotate = [&](Pool& pool, RopeDirection direction) {
      Floats y = x;
      rope(pool, {y.data(), positions.data(), &table, T, heads, D, stride, direction});
      return y;
    };
    for (const auto direction : {RopeDirection::forward, RopeDirection::backward}) {
      const double sign = direction == RopeDirection::forward ? 1 : -1;
      on_every_setting([&](Pool& pool) { return rotate(pool, direction); }, [&](const Floats& got) {
        for (int64_t t = 0; t < T; ++t) {
          for (int64_t i = 0; i < stride; ++i) {
            const int64_t at = t * stride + i, pair = i % D % (D / 2);
            if (i >= heads * D) {
              CHECK(got[at] == x[at]);
              continue;
            }
            const double angle = positions[t] * frequencies[pair];
            const bool first = i % D < D / 2;
            const double other = first ? -x[at + D / 2] : x[at - D / 2];
            CHECK_NEAR(got[at], x[at] * std::cos(angle) + sign * other * std::sin(angle), 3e-7);
          }
        }
      });
    }
    CHECK_NEAR(frequencies[0], 1.0, 0);
    if (D == 64) CHECK_NEAR(frequencies[16], 0.01, 1e-15);
  }
}

TEST(rope_llama3_scaling) {
  RopeConfig plain{.theta = 500000.0};
  RopeConfig scaled{.kind = RopeConfig::Kind::llama3,
                    .theta = 500000.0,
                    .factor = 8,
                    .low_freq_factor = 1,
                    .high_freq_factor = 4,
                    .original_max_position = 8192};
  const auto a = rope_inverse_frequencies(plain, 128), b = rope_inverse_frequencies(scaled, 128);
  int kept = 0, slowed = 0, blended = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double wave = 2 * std::numbers::pi / a[i];
    if (wave < 8192.0 / 4) CHECK(b[i] == a[i]), ++kept;
    else if (wave > 8192.0) CHECK(b[i] == a[i] / 8), ++slowed;
    else CHECK(b[i] < a[i] && b[i] > a[i] / 8), ++blended;
  }
  CHECK(kept > 0 && slowed > 0 && blended > 0);
}

TEST(glu_matches_double_and_finite_differences) {
  const auto act = [](Activation kind, double x) {
    if (kind == Activation::silu) return x / (1 + std::exp(-x));
    if (kind == Activation::gelu_tanh) return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
    return 0.5 * x * std::erfc(-x / std::numbers::sqrt2);
  };
  for (const auto kind : {Activation::silu, Activation::gelu_tanh, Activation::gelu_erf}) {
    for (const auto& [T, F] : {std::pair<int64_t, int64_t>{1, 1}, {3, 15}, {2, 16}, {5, 37}, {400, 100}}) {
      Floats x = random_floats(T * 2 * F, 1, 8.0f);
      const Floats dy = random_floats(T * F, 2);
      x[0] = 100.0f;
      if (T > 1) x[size_t(2 * F)] = -100.0f;
      const auto run = [&](Pool& pool) {
        Floats y(T * F), again(T * F), d(x.size()), in_place = x;
        glu_forward(pool, {x.data(), y.data(), T, F, kind});
        glu_backward(pool, {dy.data(), x.data(), d.data(), again.data(), T, F, kind});
        glu_backward(pool, {dy.data(), in_place.data(), in_place.data(), nullptr, T, F, kind});
        CHECK(same_bits(again, y));
        CHECK(same_bits(in_place, d));
        return joined({y, d});
      };
      on_every_setting(run, [&](const Floats& got) {
        const float* d = got.data() + T * F;
        for (int64_t t = 0; t < T; ++t) {
          for (int64_t f = 0; f < F; ++f) {
            const double gate = x[2 * t * F + f], up = x[(2 * t + 1) * F + f], h = 1e-5;
            const double slope = (act(kind, gate + h) - act(kind, gate - h)) / (2 * h);
            const double size = 1 + std::abs(gate) * (1 + std::abs(up));
            CHECK_NEAR(got[t * F + f], act(kind, gate) * up, 1e-6 * size);
            CHECK_NEAR(d[2 * t * F + f], dy[t * F + f] * up * slope, 2e-6 * size);
            CHECK_NEAR(d[(2 * t + 1) * F + f], dy[t * F + f] * act(kind, gate), 1e-6 * size);
          }
        }
      });
    }
  }
}

TEST(embedding_rows_and_gradients_in_token_order) {
  const int64_t V = 11;
  for (const auto& [T, C] : {std::pair<int64_t, int64_t>{1, 1}, {9, 33}, {400, 64}, {250, 100}}) {
    const Floats w = random_floats(V * C, 1), dy = random_floats(T * C, 2), dw0 = random_floats(V * C, 3);
    std::vector<int32_t> tokens(T);
    for (int64_t t = 0; t < T; ++t) tokens[size_t(t)] = int32_t(t * t % V);
    const float scale = 1.5f;
    const auto run = [&](Pool& pool) {
      Floats y(T * C), dw = dw0, pieces = dw0;
      embedding_forward(pool, {tokens.data(), w.data(), y.data(), T, C, scale});
      embedding_backward(pool, {tokens.data(), dy.data(), dw.data(), T, C, scale});
      const int64_t half = T / 2;
      embedding_backward(pool, {tokens.data(), dy.data(), pieces.data(), half, C, scale});
      embedding_backward(pool, {tokens.data() + half, dy.data() + half * C, pieces.data(), T - half, C, scale});
      CHECK(same_bits(pieces, dw));
      return joined({y, dw});
    };
    on_every_setting(run, [&](const Floats& got) {
      std::vector<double> dw(dw0.begin(), dw0.end());
      for (int64_t t = 0; t < T; ++t) {
        for (int64_t c = 0; c < C; ++c) {
          CHECK(got[t * C + c] == scale * w[tokens[t] * C + c]);
          dw[tokens[t] * C + c] += double(scale) * dy[t * C + c];
        }
      }
      for (int64_t i = 0; i < V * C; ++i) CHECK_NEAR(got[T * C + i], dw[size_t(i)], 1e-5);
    });
  }
}

TEST(row_results_do_not_depend_on_other_rows) {
  const int64_t T = 37, C = 45;
  const Floats x = random_floats(T * 2 * C, 1), w = random_floats(C, 2);
  Pool pool(2);
  Floats all(T * C), one(T * C), glu_all(T * C), glu_one(T * C);
  rmsnorm_forward(pool, {x.data(), w.data(), all.data(), nullptr, T, 1, C, C, C, 1e-6f, 0});
  glu_forward(pool, {x.data(), glu_all.data(), T, C, Activation::silu});
  for (int64_t t = 0; t < T; ++t) {
    rmsnorm_forward(pool, {x.data() + t * C, w.data(), one.data() + t * C, nullptr, 1, 1, C, C, C, 1e-6f, 0});
    glu_forward(pool, {x.data() + t * 2 * C, glu_one.data() + t * C, 1, C, Activation::silu});
  }
  CHECK(same_bits(all, one));
  CHECK(same_bits(glu_all, glu_one));
}
