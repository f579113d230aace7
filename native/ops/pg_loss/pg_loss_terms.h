// The formulas of pg_loss.h for one token and for what the tokens of a sequence share: pg_loss.cc on the host and pg_loss.cu on
// the card call these. Arithmetic in double.
#pragma once
#include <cmath>
#include <cstdint>

#include "core/host_device.h"
#include "ops/pg_loss/pg_loss.h"

namespace exitrl::pg {

// A value and its derivatives by the log-ratio and by the token's own log-probability.
struct Term {
  double value = 0, by_log_ratio = 0, by_logprob = 0;
};

// std::clamp is not for the card.
EXITRL_HOST_DEVICE double clamp(double x, double low, double high) { return x < low ? low : high < x ? high : x; }
EXITRL_HOST_DEVICE double at_least_one(int64_t n) { return double(n < 1 ? 1 : n); }

EXITRL_HOST_DEVICE Term clipped(const PgSettings& s, double r, double A) {
  const double low = 1.0 - s.clip_low, high = 1.0 + s.clip_high;
  const bool capped = s.delta > 0.0 && r > s.delta;
  const double first = (capped ? s.delta : r) * A, second = clamp(r, low, high) * A;
  if (first <= second) return {-first, capped ? 0.0 : -A * r, 0};
  return {-second, r >= low && r <= high ? -A * r : 0.0, 0};
}

EXITRL_HOST_DEVICE Term policy_term(const PgSettings& s, double r, double A, double logprob) {
  switch (s.loss) {
    case LossKind::clip: return clipped(s, r, A);
    case LossKind::cispo: {
      const double weight = clamp(r, s.cispo_low, s.cispo_high) * A;
      return {-weight * logprob, 0, -weight};
    }
    case LossKind::sapo: {
      const double t = A > 0.0 ? s.sapo_positive : s.sapo_negative;
      const double gate = 1.0 / (1.0 + std::exp(-t * (r - 1.0)));
      return {-A * 4.0 / t * gate, -A * 4.0 * gate * (1.0 - gate) * r, 0};
    }
    case LossKind::nll: return {-A * logprob, 0, -A};
  }
  return {};
}

EXITRL_HOST_DEVICE Term kl_term(const PgSettings& s, double r, double logprob, double ref) {
  const double x = ref - logprob;
  Term k;
  switch (s.kl) {
    case KlEstimator::k1: k = {-x, 0, 1.0}; break;
    case KlEstimator::k2: k = {0.5 * x * x, 0, -x}; break;
    case KlEstimator::k3: k = {std::expm1(x) - x, 0, -std::expm1(x)}; break;
  }
  if (s.kl_corrected) k = {r * k.value, r * k.value, r * k.by_logprob};
  return {s.kl_weight * k.value, s.kl_weight * k.by_log_ratio, s.kl_weight * k.by_logprob};
}

EXITRL_HOST_DEVICE bool uses_ratio_gradient(LossKind loss) { return loss == LossKind::clip || loss == LossKind::sapo; }

// What the tokens of one sequence share.
struct Shared {
  double scale = 0;             // of each token's loss
  double ratio = 1;             // when the ratio is the sequence's
  double ratio_share = 1;       // d log-ratio of the sequence / d logprob of one token
  double importance = 1;        // when the weight is the sequence's
};

// Calls f(x of a, x of b) for every number that is a sum over tokens, but for `tokens`.
constexpr int kSums = 17;
template <class F>
EXITRL_HOST_DEVICE void each_sum(PgSums& a, const PgSums& b, F&& f) {
  f(a.loss, b.loss), f(a.ratio, b.ratio);
  f(a.k1, b.k1), f(a.k2, b.k2), f(a.k3, b.k3);
  f(a.ref_k1, b.ref_k1), f(a.ref_k2, b.ref_k2), f(a.ref_k3, b.ref_k3);
  f(a.clipped_low, b.clipped_low), f(a.clipped_high, b.clipped_high);
  f(a.below, b.below), f(a.above, b.above);
  f(a.entropy, b.entropy);
  f(a.importance, b.importance), f(a.importance_dropped, b.importance_dropped);
  f(a.mismatch, b.mismatch), f(a.mismatch_k3, b.mismatch_k3);
}

struct Terms {
  const PgSettings& s;
  const PgBatch& b;
  const PgTokens& t;
  double entropy_threshold;  // of the tokens that are trained where top_entropy < 1

  EXITRL_HOST_DEVICE double trained() const { return at_least_one(b.trained_tokens); }
  EXITRL_HOST_DEVICE double log_ratio(int64_t i) const { return t.old_logprob ? double(t.logprob[i]) - t.old_logprob[i] : 0.0; }
  EXITRL_HOST_DEVICE double log_importance(int64_t i) const {
    return double(t.old_logprob ? t.old_logprob[i] : t.logprob[i]) - t.behaviour[i];
  }
  EXITRL_HOST_DEVICE double bounded(double weight) const {
    if (s.importance_mode == ImportanceMode::truncate) return clamp(weight, s.importance_min, s.importance_max);
    return weight < s.importance_min || weight > s.importance_max ? 0.0 : weight;
  }

  // tokens: of the sequence; the sums are over all of them, and read where the ratio or the importance is the sequence's.
  EXITRL_HOST_DEVICE Shared shared(int64_t tokens, double log_ratios, double log_importances) const {
    Shared q;
    const double count = at_least_one(tokens), sequences = at_least_one(b.sequences);
    const bool once = s.ratio == RatioLevel::sequence_sum && uses_ratio_gradient(s.loss);
    if (once || s.aggregation == Aggregation::sequence_mean) q.scale = 1.0 / (sequences * count);
    else if (s.aggregation == Aggregation::token_mean) q.scale = 1.0 / trained();
    else q.scale = 1.0 / (sequences * s.normaliser);
    if (s.ratio != RatioLevel::token) {
      q.ratio_share = s.ratio == RatioLevel::sequence_mean ? 1.0 / count : 1.0;
      q.ratio = std::exp(log_ratios * q.ratio_share);
    }
    if (s.importance == ImportanceLevel::sequence) q.importance = bounded(std::exp(log_importances));
    return q;
  }

  EXITRL_HOST_DEVICE double ratio(const Shared& q, int64_t i) const {
    return s.ratio == RatioLevel::token ? std::exp(log_ratio(i)) : q.ratio;
  }
  EXITRL_HOST_DEVICE double importance(const Shared& q, int64_t i) const {
    return s.importance == ImportanceLevel::token ? bounded(std::exp(log_importance(i))) : q.importance;
  }

  EXITRL_HOST_DEVICE Term token(const Shared& q, int64_t i) const {
    const double r = ratio(q, i);
    double weight = importance(q, i);
    if (s.top_entropy < 1.0 && t.entropy[i] < entropy_threshold) weight = 0.0;
    Term term{};
    if (weight != 0.0) {
      const Term policy = policy_term(s, r, t.advantage[i], t.logprob[i]);
      term = {weight * policy.value, weight * policy.by_log_ratio, weight * policy.by_logprob};
    }
    if (s.kl_weight != 0.0) {
      const Term k = kl_term(s, r, t.logprob[i], t.ref_logprob[i]);
      term = {term.value + k.value, term.by_log_ratio + k.by_log_ratio, term.by_logprob + k.by_logprob};
    }
    return {term.value * q.scale, term.by_log_ratio * q.scale, term.by_logprob * q.scale};
  }

  // Writes the gradients of token i and adds it to the sums. by_ratio: gradient through a ratio that is the sequence's.
  EXITRL_HOST_DEVICE void visit(const Shared& q, double by_ratio, int64_t i, PgSums& sums) const {
    const Term term = token(q, i);
    t.dlogprob[i] = float((s.ratio == RatioLevel::token ? term.by_log_ratio : by_ratio) + term.by_logprob);
    if (t.dentropy) t.dentropy[i] = float(-s.entropy_weight / trained());
    sums.loss += term.value;
    if (s.entropy_weight != 0.0) sums.loss -= s.entropy_weight * t.entropy[i] / trained();
    count(q, i, sums);
  }

  EXITRL_HOST_DEVICE void count(const Shared& q, int64_t i, PgSums& sums) const {
    const double log_r = log_ratio(i), r = std::exp(log_r), A = t.advantage[i];
    sums.ratio += r;
    sums.ratio_min = r < sums.ratio_min ? r : sums.ratio_min;
    sums.ratio_max = r > sums.ratio_max ? r : sums.ratio_max;
    sums.k1 -= log_r;
    sums.k2 += 0.5 * log_r * log_r;
    sums.k3 += std::expm1(log_r) - log_r;
    sums.below += r < 1.0 - s.clip_low;
    sums.above += r > 1.0 + s.clip_high;
    const bool cispo = s.loss == LossKind::cispo;
    const double level = ratio(q, i);
    sums.clipped_low += level < (cispo ? s.cispo_low : 1.0 - s.clip_low) && A < 0.0;
    sums.clipped_high += level > (cispo ? s.cispo_high : 1.0 + s.clip_high) && A > 0.0;
    if (t.ref_logprob) {
      const double x = double(t.ref_logprob[i]) - t.logprob[i];
      sums.ref_k1 -= x;
      sums.ref_k2 += 0.5 * x * x;
      sums.ref_k3 += std::expm1(x) - x;
    }
    if (t.entropy) sums.entropy += t.entropy[i];
    if (t.behaviour) {
      const double x = double(t.logprob[i]) - t.behaviour[i];
      sums.mismatch += x < 0 ? -x : x;
      sums.mismatch_k3 += std::expm1(x) - x;
    }
    const double weight = importance(q, i);
    sums.importance += weight;
    sums.importance_dropped += weight == 0.0;
    ++sums.tokens;
  }
};

}  // namespace exitrl::pg
