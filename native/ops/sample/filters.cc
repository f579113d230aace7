#include "ops/sample/filters.h"

#include <algorithm>
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
  // All tokens up to this size together hold less than 1 - top_p, so none of them is kept: only the rest is ordered.
  const float negligible = float(std::max(0.0, 1.0 - double(top_p)) * total / double(V) * 0.999);
  auto& order = scratch.order;
  order.clear();
  for (int64_t v = 0; v < V; ++v) {
    if (exponentials[v] > negligible) order.push_back(int32_t(v));
    else exponentials[v] = 0.0f;
  }
  const auto better = [&](int32_t i, int32_t j) {
    return exponentials[i] != exponentials[j] ? exponentials[i] > exponentials[j] : i < j;
  };
  // Halve the range that holds the cut: a selection by mass in linear time.
  const double wanted = double(top_p) * total;
  double above = 0;
  auto begin = order.begin(), end = order.end();
  while (end - begin > 1) {
    const auto middle = begin + (end - begin) / 2;
    std::nth_element(begin, middle, end, better);
    double mass = 0;
    for (auto i = begin; i != middle; ++i) mass += exponentials[*i];
    if (above + mass < wanted) {
      above += mass;
      begin = middle;
    } else {
      end = middle;
    }
  }
  for (auto i = end; i != order.end(); ++i) exponentials[*i] = 0.0f;
}

void keep_min_p(int64_t V, float min_p, float* exponentials) {
  const float bar = std::min(min_p, 1.0f);  // the best token's exponential is 1
  for (int64_t v = 0; v < V; ++v) exponentials[v] = exponentials[v] < bar ? 0.0f : exponentials[v];
}

}  // namespace exitrl
