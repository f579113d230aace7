// The fused head against a plain softmax in double.
#include <algorithm>

#include "agree.h"
#include "ops/head/head.h"
#include "ops/matmul/matmul.h"

using namespace exitrl;
using check::Floats;
using check::on_every_setting;
using check::Packed;
using check::random_floats;
using check::same_bits;

namespace {

struct Exact {
  double max = -INFINITY, log_sum = 0, entropy = 0;
};
template <class Logits>
Exact exact(const Logits& logits, double temperature) {
  Exact e;
  for (double z : logits) e.max = std::max(e.max, z / temperature);
  double sum = 0, weighted = 0;
  for (double z : logits) {
    const double d = z / temperature - e.max;
    if (d == -INFINITY) continue;
    sum += std::exp(d);
    weighted += std::exp(d) * d;
  }
  e.log_sum = std::log(sum);
  e.entropy = e.log_sum - weighted / sum;
  return e;
}

}  // namespace

TEST(row_statistics_match_double) {
  for (const int64_t V : {1, 2, 15, 16, 17, 63, 64, 65, 80, 300, 1000}) {
    for (const float temperature : {1.0f, 0.7f}) {
      Floats logits = random_floats(V, uint32_t(V), 12.0f);
      if (V > 2) logits[size_t(V / 2)] = -INFINITY;
      const auto want = exact(logits, temperature);
      const auto run = [&](Pool&) {
        Floats exponentials(logits.size());
        const auto s = row_statistics(logits.data(), V, 1 / temperature);
        const auto t = row_exponentials(logits.data(), V, 1 / temperature, exponentials.data());
        CHECK(s.sum == t.sum && s.max == t.max && s.log_sum == t.log_sum && s.entropy == t.entropy);
        for (int64_t v = 0; v < V; ++v) CHECK_NEAR(exponentials[v], std::exp(double(logits[v]) / temperature - want.max), 4e-6);
        return Floats{s.max, s.sum, s.log_sum, s.entropy};
      };
      on_every_setting(run, [&](const Floats& got) {
        CHECK_NEAR(got[0], want.max, 2e-6);
        CHECK_NEAR(got[2], want.log_sum, 5e-6);
        CHECK_NEAR(got[3], want.entropy, 1e-5);
      });
    }
  }
}

TEST(row_statistics_show_bad_logits) {
  for (const int64_t V : {3, 16, 40, 100}) {
    on_every_setting([&](Pool&) {
      for (int64_t bad = 0; bad < V; ++bad) {
        Floats logits = random_floats(V, 1);
        logits[bad] = NAN;
        CHECK(std::isnan(row_statistics(logits.data(), V, 1).log_sum));
        CHECK(std::isnan(row_statistics(logits.data(), V, 1).entropy));
      }
      const Floats nothing(V, -INFINITY);
      CHECK(std::isnan(row_statistics(nothing.data(), V, 1).log_sum));
      Floats one(V, -INFINITY);
      one[V - 1] = -3.0f;
      CHECK(row_statistics(one.data(), V, 1).sum == 1.0f);
      CHECK(row_statistics(one.data(), V, 1).entropy == 0.0f);
      return Floats{};
    }, [](const Floats&) {});
  }
}

TEST(head_matches_double) {
  struct Case { int64_t R, C, V; float temperature; bool entropy; };
  for (const Case& k : {Case{1, 3, 1, 1, true}, Case{5, 8, 17, 0.8f, true}, Case{7, 20, 100, 1, false}, Case{300, 5, 70, 1.3f, true}}) {
    const Floats h = random_floats(k.R * k.C, 1), w = random_floats(k.V * k.C, 2, 2.0f), dw0 = random_floats(k.V * k.C, 3);
    const Floats dlogprob = random_floats(k.R, 4), dentropy = random_floats(k.R, 5);
    std::vector<int32_t> targets(k.R);
    for (int64_t r = 0; r < k.R; ++r) targets[size_t(r)] = int32_t(r * 31 % k.V);
    Pool packer(1);
    const auto run = [&](Pool& pool) {
      const Packed packed(packer, w, k.V, k.C);
      Floats logits(kHeadChunk * k.V), logprob(k.R, NAN), entropy(k.R, NAN), dl(k.R, NAN), de(k.R, NAN), dh(k.R * k.C), dw = dw0;
      head_forward(pool,
                   {h.data(), packed.data, targets.data(), logprob.data(), entropy.data(), logits.data(), k.R, k.C, k.V, k.temperature});
      const Floats logprob0 = logprob, entropy0 = entropy;
      int64_t next = 0;
      head_fused(pool, {h.data(), packed.data, w.data(), targets.data(), logprob.data(), entropy.data(), dl.data(),
                        k.entropy ? de.data() : nullptr, dh.data(), dw.data(), logits.data(), k.R, k.C, k.V, k.temperature,
                        [&](int64_t begin, int64_t end) {
                          CHECK(begin == next && end > begin);
                          next = end;
                          std::copy(dlogprob.begin() + begin, dlogprob.begin() + end, dl.begin() + begin);
                          std::copy(dentropy.begin() + begin, dentropy.begin() + end, de.begin() + begin);
                        }});
      CHECK(next == k.R);
      CHECK(same_bits(logprob, logprob0) && same_bits(entropy, entropy0));
      for (const auto* part : {&entropy, &dh, &dw}) logprob.insert(logprob.end(), part->begin(), part->end());
      return logprob;
    };
    std::vector<double> logprob(k.R), entropy(k.R), dh(h.size(), 0), dw(dw0.begin(), dw0.end());
    for (int64_t r = 0; r < k.R; ++r) {
      std::vector<double> z(k.V, 0);
      for (int64_t v = 0; v < k.V; ++v)
        for (int64_t c = 0; c < k.C; ++c) z[v] += double(h[r * k.C + c]) * w[v * k.C + c];
      const auto e = exact(z, k.temperature);
      logprob[r] = z[targets[r]] / k.temperature - e.max - e.log_sum;
      entropy[r] = e.entropy;
      for (int64_t v = 0; v < k.V; ++v) {
        const double log_p = z[v] / k.temperature - e.max - e.log_sum, p = std::exp(log_p);
        double dz = dlogprob[r] * ((v == targets[r]) - p);
        if (k.entropy) dz -= dentropy[r] * p * (log_p + e.entropy);
        for (int64_t c = 0; c < k.C; ++c) {
          dh[r * k.C + c] += dz / k.temperature * w[v * k.C + c];
          dw[v * k.C + c] += dz / k.temperature * h[r * k.C + c];
        }
      }
    }
    on_every_setting(run, [&](const Floats& got) {
      for (int64_t r = 0; r < k.R; ++r) {
        CHECK_NEAR(got[r], logprob[r], 1e-5);
        CHECK_NEAR(got[k.R + r], entropy[r], 1e-5);
      }
      for (size_t i = 0; i < dh.size(); ++i) CHECK_NEAR(got[2 * k.R + i], dh[i], 1e-5);
      for (size_t i = 0; i < dw.size(); ++i) CHECK_NEAR(got[2 * k.R + dh.size() + i], dw[i], 3e-5);
    });
  }
}
