// Sampling and its filters against a plain version that sorts everything.
#include <algorithm>
#include <numeric>

#include "agree.h"
#include "ops/head/head.h"
#include "ops/sample/sample.h"

using namespace exitrl;
using check::Floats;
using check::on_every_setting;
using check::random_floats;

namespace {

std::vector<double> plain(Floats logits, const SamplingSettings& s, const std::vector<int32_t>& context) {
  const size_t V = logits.size();
  std::vector<bool> seen(V);
  for (int32_t id : context) {
    if (id < 0 || size_t(id) >= V || seen[size_t(id)]) continue;
    seen[size_t(id)] = true;
    float& x = logits[size_t(id)];
    x = x > 0 ? x / s.repetition_penalty : x * s.repetition_penalty;
  }
  std::vector<size_t> order(V);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t i, size_t j) { return logits[i] != logits[j] ? logits[i] > logits[j] : i < j; });
  const double top = logits[order[0]];
  std::vector<double> p(V);
  const float bar = s.top_k > 0 && size_t(s.top_k) < V ? logits[order[size_t(s.top_k) - 1]] : -INFINITY;
  double total = 0, above = 0;
  for (size_t v = 0; v < V; ++v) total += p[v] = logits[v] < bar ? 0 : std::exp((logits[v] - top) / s.temperature);
  for (size_t v : order) {
    const double mass = p[v];
    if (v != order[0] && above >= double(s.top_p) * total && s.top_p < 1) p[v] = 0;
    above += mass;
  }
  const double best = p[order[0]];
  for (double& x : p) x = x < std::min(1.0f, s.min_p) * best ? 0 : x;
  total = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& x : p) x /= total;
  return p;
}

const int32_t* kNoContext = nullptr;

}  // namespace

TEST(filters_match_sorting) {
  const SamplingSettings settings[] = {
      {}, {.temperature = 0.7f}, {.top_k = 1}, {.top_k = 12}, {.top_k = 5000}, {.top_p = 0.85f}, {.top_p = 0.999f}, {.top_p = 0.0f},
      {.min_p = 0.07f}, {.min_p = 2.0f}, {.repetition_penalty = 1.3f}, {.temperature = 0.8f, .top_k = 12, .top_p = 0.85f},
      {.temperature = 1.5f, .top_k = 40, .top_p = 0.9f, .min_p = 0.05f, .repetition_penalty = 1.2f}};
  for (const int64_t V : {1, 2, 17, 320, 1000}) {
    for (const auto& s : settings) {
      const Floats logits = random_floats(V, uint32_t(V), 6.0f);
      const std::vector<int32_t> context = {3, 0, 3, 16, -1, int32_t(V), 1};
      const auto want = plain(logits, s, context);
      on_every_setting([&](Pool&) {
        SampleScratch scratch;
        Floats work = logits, p(V);
        filtered_distribution(work.data(), V, s, context.data(), int64_t(context.size()), scratch, p.data());
        return p;
      }, [&](const Floats& got) {
        for (int64_t v = 0; v < V; ++v) {
          CHECK((got[v] > 0) == (want[v] > 0));
          CHECK_NEAR(got[v], want[v], 1e-6);
        }
      });
    }
  }
}

TEST(filters_and_ties) {
  SampleScratch scratch;
  Floats p(8);
  Floats equal(8, 1.0f);
  filtered_distribution(equal.data(), 8, {.top_k = 3}, kNoContext, 0, scratch, p.data());
  for (float x : p) CHECK(x == 0.125f);  // ties with the k-th stay
  filtered_distribution(equal.data(), 8, {.top_p = 0.5f}, kNoContext, 0, scratch, p.data());
  for (size_t v = 0; v < 8; ++v) CHECK(p[v] == (v < 4 ? 0.25f : 0.0f));  // lower ids first
  Floats few = {-INFINITY, 2.0f, -INFINITY, 2.0f, -INFINITY, -INFINITY, -INFINITY, -INFINITY};
  filtered_distribution(few.data(), 8, {.top_k = 5, .top_p = 0.9f}, kNoContext, 0, scratch, p.data());
  CHECK(p[1] == 0.5f && p[3] == 0.5f && p[0] == 0 && p[7] == 0);
}

TEST(unfiltered_sampling_reports_the_trainers_bits) {
  for (const int64_t V : {1, 5, 256, 300, 1000}) {
    for (const float temperature : {1.0f, 0.6f, 1.7f}) {
      Floats logits = random_floats(V, uint32_t(V), 5.0f);
      on_every_setting([&](Pool&) {
        SampleScratch scratch;
        Floats out;
        for (const double u : {0.0, 0.1, 0.5, 0.77, 0.999999, 1 - 0x1.0p-53}) {
          const auto t = sample_row(logits.data(), V, {.temperature = temperature}, u, kNoContext, 0, scratch);
          const float inverse = 1.0f / temperature;
          CHECK(t.logprob == row_logprob(row_statistics(logits.data(), V, inverse), logits[t.token], inverse));
          CHECK(t.raw_logprob == row_logprob(row_statistics(logits.data(), V, 1), logits[t.token], 1));
          out.push_back(float(t.token));
        }
        CHECK(out.front() == 0.0f && out.back() == float(V - 1));
        return out;
      }, [](const Floats&) {});
    }
  }
}

TEST(sampling_follows_the_distribution) {
  const int64_t V = 700;
  Floats logits = random_floats(V, 3, 4.0f);
  for (const auto& s :
       {SamplingSettings{}, SamplingSettings{.temperature = 0.8f, .top_k = 50, .top_p = 0.9f, .repetition_penalty = 1.5f}}) {
    const std::vector<int32_t> context = {5, 600, 5};
    SampleScratch scratch;
    const auto p = plain(logits, s, context);
    const Floats before = logits;
    double cumulative = 0;
    for (int64_t v = 0; v < V; ++v) {
      // The middle of the token's interval must give that token.
      if (p[v] > 1e-6) {
        Floats work = logits;
        const auto t = sample_row(work.data(), V, s, cumulative + p[v] / 2, context.data(), 3, scratch);
        CHECK(t.token == v);
        CHECK_NEAR(t.logprob, std::log(p[v]), 1e-5);
        CHECK_NEAR(t.raw_logprob, row_logprob(row_statistics(logits.data(), V, 1), logits[v], 1), 0);
      }
      cumulative += p[v];
    }
    CHECK(check::same_bits(before, logits));
  }
}

TEST(sampling_never_picks_what_has_no_probability) {
  SampleScratch scratch;
  for (const int64_t V : {20, 300, 600}) {
    for (const int64_t only : {int64_t{0}, V / 2, V - 1}) {
      Floats logits(V, -INFINITY);
      logits[only] = -50.0f;
      for (const double u : {0.0, 0.5, 1 - 0x1.0p-53, 1.0}) {
        for (const auto& s :
             {SamplingSettings{}, SamplingSettings{.top_k = 4}, SamplingSettings{.top_p = 0.5f}, SamplingSettings{.min_p = 0.1f}}) {
          const auto t = sample_row(logits.data(), V, s, u, kNoContext, 0, scratch);
          CHECK(t.token == only && t.logprob == 0.0f);
        }
      }
    }
    // The last tokens are dropped: u next to 1 falls back to the last one kept.
    Floats falling(V);
    for (int64_t v = 0; v < V; ++v) falling[v] = float(-v);
    for (const double u : {1 - 0x1.0p-53, 1.0})
      CHECK(sample_row(falling.data(), V, {.top_k = 7}, u, kNoContext, 0, scratch).token == 6);
    CHECK(sample_row(falling.data(), V, {.top_k = 7}, 0, kNoContext, 0, scratch).token == 0);
  }
}

TEST(greedy_takes_the_lowest_best_id) {
  SampleScratch scratch;
  Floats logits = {1, 5, 2, 5, 5};
  const auto t = sample_row(logits.data(), 5, {.temperature = 0.0f}, 0.99, kNoContext, 0, scratch);
  CHECK(t.token == 1);
  CHECK(t.logprob == row_logprob(row_statistics(logits.data(), 5, 1), 5, 1) && t.raw_logprob == t.logprob);
  const int32_t context[] = {1};
  const auto penalised = sample_row(logits.data(), 5, {.temperature = 0.0f, .repetition_penalty = 2.0f}, 0, context, 1, scratch);
  CHECK(penalised.token == 3);
}

TEST(sampling_survives_bad_rows) {
  SampleScratch scratch;
  for (const float bad : {NAN, INFINITY}) {
    for (const auto& s :
         {SamplingSettings{}, SamplingSettings{.temperature = 0.0f}, SamplingSettings{.temperature = 2.0f, .top_k = 3, .top_p = 0.5f}}) {
      Floats logits(40, 1.0f);
      logits[17] = bad;
      const auto t = sample_row(logits.data(), 40, s, 0.5, kNoContext, 0, scratch);
      CHECK(t.token == 0 && std::isnan(t.logprob));
    }
  }
  Floats nothing(40, -INFINITY);
  CHECK(std::isnan(sample_row(nothing.data(), 40, {}, 0.5, kNoContext, 0, scratch).logprob));
}
