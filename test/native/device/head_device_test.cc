// The head's rows on the emulated device against the same formulas in double.
#include <algorithm>

#include "device_check.h"
#include "ops/head/head.h"

using namespace exitrl;
using namespace check;

namespace {

std::vector<int32_t> some_targets(int64_t R, int64_t V) {
  std::vector<int32_t> targets;
  for (int64_t r = 0; r < R; ++r) targets.push_back(r == 0 ? int32_t(V - 1) : int32_t(r * 31 % V));
  return targets;
}

struct Rows {
  Floats logprob, entropy, max, log_sum;
};
Rows run_rows(const Floats& logits, const std::vector<int32_t>& targets, int64_t V, float inverse) {
  const int64_t R = int64_t(targets.size());
  Numbers in(Precision::f32, logits), logprob(Precision::f32, R), entropy(Precision::f32, R), max(Precision::f32, R),
      log_sum(Precision::f32, R);
  const auto f = [](Numbers& n) { return static_cast<float*>(n.data()); };
  cuda::head_rows(device_context(), {f(in), targets.data(), f(logprob), f(entropy), f(max), f(log_sum), R, V, inverse});
  return {logprob.floats(), entropy.floats(), max.floats(), log_sum.floats()};
}

}  // namespace

TEST(device_head_agrees_with_double) {
  struct Case { int64_t R, V; float temperature; bool entropy; };
  for (const Case& k :
       {Case{0, 8, 1, true}, Case{3, 1, 1, true}, Case{5, 17, 0.8f, true}, Case{2, 100, 1, false}, Case{2, 1024, 0.7f, true},
        Case{2, 1026, 1, true}, Case{1, 5000, 1.3f, true}, Case{1, 20000, 1, true}, Case{1, 5001, 1, true}}) {
    const std::string what = " R=" + std::to_string(k.R) + " V=" + std::to_string(k.V);
    Floats logits = random_floats(k.R * k.V, 1, 12);
    const auto targets = some_targets(k.R, k.V);
    for (int64_t r = 0; r < k.R; ++r)
      if (targets[size_t(r)] != k.V / 2) logits[size_t(r * k.V + k.V / 2)] = -INFINITY;
    const Floats dlogprob = random_floats(k.R, 2), dentropy = random_floats(k.R, 3);
    const float inverse = 1.0f / k.temperature;
    std::vector<double> logprob, entropy, max, log_sum, gradient;
    for (int64_t r = 0; r < k.R; ++r) {
      const float* z = logits.data() + r * k.V;
      double top = -INFINITY, sum = 0, weighted = 0;
      for (int64_t v = 0; v < k.V; ++v) top = std::max(top, double(z[v]) * inverse);
      for (int64_t v = 0; v < k.V; ++v) {
        const double d = double(z[v]) * inverse - top, e = std::exp(d);
        sum += e;
        if (e > 0) weighted += e * d;
      }
      const double H = std::log(sum) - weighted / sum;
      logprob.push_back(double(z[targets[size_t(r)]]) * inverse - top - std::log(sum));
      entropy.push_back(H), max.push_back(top), log_sum.push_back(std::log(sum));
      for (int64_t v = 0; v < k.V; ++v) {
        const double log_p = double(z[v]) * inverse - top - std::log(sum), p = std::exp(log_p);
        double dz = dlogprob[size_t(r)] * ((v == targets[size_t(r)]) - p);
        if (k.entropy && p > 0) dz -= dentropy[size_t(r)] * p * (log_p + H);
        gradient.push_back(dz * inverse);
      }
    }
    Rows rows;
    in_both_orders([&] {
      rows = run_rows(logits, targets, k.V, inverse);
      Floats all = rows.logprob;
      for (const auto* part : {&rows.entropy, &rows.max, &rows.log_sum}) all.insert(all.end(), part->begin(), part->end());
      return all;
    });
    agree(rows.max, max, 0x1p-23, 0, "max" + what);
    agree(rows.log_sum, log_sum, 0x1p-22, 1e-6, "log_sum" + what);
    agree(rows.entropy, entropy, 0x1p-22, 2e-6, "entropy" + what);
    agree(rows.logprob, logprob, 0x1p-22, 2e-6, "logprob" + what);
    for (const Precision p : {Precision::f32, Precision::bf16}) {
      const Floats got = in_both_orders([&] {
        Numbers z(Precision::f32, logits);
        cuda::head_gradient(device_context(),
                            {static_cast<float*>(z.data()), targets.data(), rows.max.data(), rows.log_sum.data(), rows.entropy.data(),
                             dlogprob.data(), k.entropy ? dentropy.data() : nullptr, k.R, k.V, inverse, p});
        const int64_t stride = device::gradient_stride(k.V, p);
        Floats out;
        for (int64_t r = 0; r < k.R; ++r)
          for (int64_t v = 0; v < k.V; ++v)
            out.push_back(p == Precision::bf16 ? from_bf16(static_cast<const uint16_t*>(z.data())[r * stride + v])
                                               : static_cast<const float*>(z.data())[r * stride + v]);
        return out;
      });
      agree(got, gradient, p == Precision::bf16 ? 0x1.1p-8 : 4e-6, 1e-7, std::string("gradient ") + name(p) + what);
    }
  }
}

TEST(device_head_agrees_with_the_cpu_rows) {
  for (const int64_t V : {7, 640, 5003}) {
    const Floats logits = random_floats(2 * V, uint32_t(V), 8);
    const auto targets = some_targets(2, V);
    const Rows got = run_rows(logits, targets, V, 1.0f / 0.9f);
    for (int64_t r = 0; r < 2; ++r) {
      const auto want = row_statistics(logits.data() + r * V, V, 1.0f / 0.9f);
      CHECK(got.max[size_t(r)] == want.max);
      CHECK_NEAR(got.log_sum[size_t(r)], want.log_sum, 2e-6);
      CHECK_NEAR(got.entropy[size_t(r)], want.entropy, 4e-6);
      // The order of operations of row_logprob.
      CHECK(got.logprob[size_t(r)] ==
            (logits[size_t(r * V + targets[size_t(r)])] * (1.0f / 0.9f) - got.max[size_t(r)]) - got.log_sum[size_t(r)]);
    }
  }
}

TEST(device_head_shows_bad_logits) {
  for (const int64_t V : {3, 40, 1030}) {
    Floats logits = random_floats(5 * V, 1);
    for (int64_t v = 0; v < V; ++v) logits[size_t(v + 2 * V)] = -INFINITY, logits[size_t(v + 3 * V)] = v == V - 1 ? -3.0f : -INFINITY;
    logits[size_t(V / 2)] = NAN;
    logits[size_t(V + V - 1)] = INFINITY;
    const Rows got = run_rows(logits, {0, 0, 0, int32_t(V - 1), 0}, V, 1.0f);
    for (const size_t r : {0, 1, 2}) CHECK(std::isnan(got.log_sum[r]) && std::isnan(got.entropy[r]) && std::isnan(got.logprob[r]));
    CHECK(got.logprob[3] == 0 && got.entropy[3] == 0 && got.log_sum[3] == 0 && got.max[3] == -3);
    CHECK(std::isfinite(got.logprob[4]));
  }
}

// A row's numbers do not depend on which row it is.
TEST(device_head_rows_do_not_depend_on_the_batch) {
  const int64_t V = 5003;
  const Floats one = random_floats(V, 9, 10);
  Floats three = random_floats(3 * V, 10, 10);
  std::copy(one.begin(), one.end(), three.begin() + 2 * V);
  const Rows alone = run_rows(one, {77}, V, 1.0f), among = run_rows(three, {1, 2, 77}, V, 1.0f);
  CHECK(alone.logprob[0] == among.logprob[2] && alone.entropy[0] == among.entropy[2] && alone.log_sum[0] == among.log_sum[2]);
}
