#include "ops/sample/filters.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>

namespace exitrl {

void repetition_penalty(float* logits, int64_t V, float penalty, const int32_t* context, int64_t context_count,
                        SampleScratch& scratch) {
  auto& ids = scratch.penalised;
  ids.assign(context, context + context_count);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  std::erase_if(ids, [V](int32_t id) { return id < 0 || id >= V; });
  scratch.replaced.clear();
  for (int32_t id : ids) {
    const float x = logits[id];
    scratch.replaced.push_back(x);
    logits[id] = x > 0.0f ? x / penalty : x * penalty;
  }
}

void keep_top_k(const float* logits, int64_t V, int64_t k, float* exponentials, SampleScratch& scratch) {
  if (k >= V) return;
  // The k best of those seen so far are among `best`; whenever it holds 2k, the worse half goes and the bar rises.
  auto& best = scratch.values;
  best.clear();
  float bar = -INFINITY;
  const auto raise_bar = [&] {
    std::nth_element(best.begin(), best.begin() + (k - 1), best.end(), std::greater<float>());
    best.resize(size_t(k));
    bar = best[size_t(k - 1)];
  };
  for (int64_t v = 0; v < V; ++v) {
    if (!(logits[v] > bar)) continue;
    best.push_back(logits[v]);
    if (int64_t(best.size()) == 2 * k) raise_bar();
  }
  if (int64_t(best.size()) > k) raise_bar();
  // Fewer than k: only when the others are -inf, and these have probability 0 anyway.
  else if (int64_t(best.size()) == k) bar = *std::min_element(best.begin(), best.end());
  for (int64_t v = 0; v < V; ++v) exponentials[v] = logits[v] < bar ? 0.0f : exponentials[v];
}

void keep_top_p(int64_t V, float top_p, double total, float* exponentials, SampleScratch& scratch) {
  // Exponentials lie in [0, 1]; the upper bits of a float order them. One pass adds up the mass of each sixteenth of an
  // octave, which leaves the order of a single bucket to be found.
  constexpr int kShift = 19;
  constexpr uint32_t kBuckets = (std::bit_cast<uint32_t>(1.0f) >> kShift) + 1;
  auto& mass = scratch.mass;
  mass.assign(kBuckets, 0.0);
  for (int64_t v = 0; v < V; ++v)
    if (exponentials[v] > 0.0f) mass[std::bit_cast<uint32_t>(exponentials[v]) >> kShift] += exponentials[v];
  const double wanted = double(top_p) * total;
  double above = 0;
  uint32_t cut = kBuckets - 1;
  while (cut > 0 && above + mass[cut] < wanted) above += mass[cut--];

  auto& keys = scratch.keys;  // (exponential, the lower id first) as one integer, larger is better
  keys.clear();
  for (int64_t v = 0; v < V; ++v) {
    const uint32_t bits = std::bit_cast<uint32_t>(exponentials[v]);
    if (bits >> kShift == cut) keys.push_back(uint64_t{bits} << 32 | uint32_t(~uint32_t(v)));
  }
  // Halve the range that holds the cut: a selection by mass in linear time. Sums within a bucket are exact in double.
  auto begin = keys.begin(), end = keys.end();
  while (end - begin > 1) {
    const auto middle = begin + (end - begin) / 2;
    std::nth_element(begin, middle, end, std::greater<uint64_t>());
    double part = 0;
    for (auto i = begin; i != middle; ++i) part += std::bit_cast<float>(uint32_t(*i >> 32));
    if (above + part < wanted) {
      above += part;
      begin = middle;
    } else {
      end = middle;
    }
  }
  const uint64_t worst = end == keys.begin() ? 0 : *std::min_element(begin, end);
  for (int64_t v = 0; v < V; ++v) {
    const uint32_t bits = std::bit_cast<uint32_t>(exponentials[v]);
    if ((uint64_t{bits} << 32 | uint32_t(~uint32_t(v))) < worst) exponentials[v] = 0.0f;
  }
}

void keep_min_p(int64_t V, float min_p, float* exponentials) {
  const float bar = std::min(min_p, 1.0f);  // the best token's exponential is 1
  for (int64_t v = 0; v < V; ++v) exponentials[v] = exponentials[v] < bar ? 0.0f : exponentials[v];
}

}  // namespace exitrl
