// AdamW, gradient norm, moving average.
#include "agree.h"
#include "ops/adamw/adamw.h"
#include "ops/norm/norm.h"

using namespace exitrl;
using check::Floats;
using check::on_every_setting;
using check::random_floats;
using check::same_bits;

TEST(adamw_matches_double) {
  for (const int64_t n : {1, 15, 16, 33, 1000, 70001}) {
    const Floats p0 = random_floats(n, 1);
    constexpr int kSteps = 5;
    const double lr = 3e-3, b1 = 0.9, b2 = 0.95, eps = 1e-8, decay = 0.1, scale = 0.37;
    const auto run = [&](Pool& pool) {
      Floats p = p0, m(n, 0), v(n, 0);
      for (int step = 1; step <= kSteps; ++step) {
        const Floats g = random_floats(n, 100 + step);
        adamw(pool, {p.data(), g.data(), m.data(), v.data(), n, step, lr, b1, b2, eps, decay, scale});
      }
      return p;
    };
    std::vector<double> p(p0.begin(), p0.end()), m(n, 0), v(n, 0);
    for (int step = 1; step <= kSteps; ++step) {
      const Floats grad = random_floats(n, 100 + step);
      for (size_t i = 0; i < p.size(); ++i) {
        const double g = scale * grad[i];
        p[i] *= 1 - lr * decay;
        m[i] = b1 * m[i] + (1 - b1) * g;
        v[i] = b2 * v[i] + (1 - b2) * g * g;
        p[i] -= lr * (m[i] / (1 - std::pow(b1, step))) / (std::sqrt(v[i] / (1 - std::pow(b2, step))) + eps);
      }
    }
    on_every_setting(run, [&](const Floats& got) {
      for (size_t i = 0; i < p.size(); ++i) CHECK_NEAR(got[i], p[i], 3e-7);
    });
  }
}

TEST(adamw_zero_gradient_only_decays) {
  Pool pool(1);
  Floats p = {1.0f, -2.0f}, g(2, 0), m(2, 0), v(2, 0);
  adamw(pool, {p.data(), g.data(), m.data(), v.data(), 2, 1, 0.1, 0.9, 0.999, 1e-8, 0.5, 1.0});
  CHECK_NEAR(p[0], 0.95, 1e-7);
  CHECK_NEAR(p[1], -1.9, 2e-7);
}

TEST(sum_of_squares_is_the_same_everywhere) {
  for (const int64_t n : {0, 1, 17, 4095, 4096, 4097, 100003}) {
    const Floats x = random_floats(n, 1);
    double want = 0;
    for (float v : x) want += double(v) * v;
    double first = -1;
    const auto run = [&](Pool& pool) {
      const double got = sum_of_squares(pool, x.data(), n);
      if (first < 0) first = got;
      CHECK(got == first);  // in double also portable code gives the same bits
      CHECK_NEAR(got, want, 1e-12 * (1 + want));
      return Floats{};
    };
    on_every_setting(run, [](const Floats&) {});
  }
  Pool pool(2);
  const Floats bad = {1.0f, NAN, 2.0f};
  CHECK(std::isnan(sum_of_squares(pool, bad.data(), 3)));
}

TEST(moving_average_follows_and_copies) {
  for (const int64_t n : {1, 31, 70001}) {
    const Floats source = random_floats(n, 1), target = random_floats(n, 2);
    const auto run = [&](Pool& pool) {
      Floats t = target, copy(n, NAN);
      moving_average(pool, t.data(), source.data(), n, 0.3f);
      moving_average(pool, copy.data(), source.data(), n, 1.0f);
      CHECK(same_bits(copy, source));
      return t;
    };
    on_every_setting(run, [&](const Floats& got) {
      for (size_t i = 0; i < got.size(); ++i) CHECK_NEAR(got[i], 0.3 * source[i] + 0.7 * target[i], 2e-7);
    });
  }
}
