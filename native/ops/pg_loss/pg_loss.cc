#include "ops/pg_loss/pg_loss.h"

#include <algorithm>
#include <cmath>

namespace exitrl {
namespace {

// A value and its derivatives by the log-ratio and by the token's own log-probability.
struct Term {
  double value = 0, by_log_ratio = 0, by_logprob = 0;
};

Term clipped(const PgSettings& s, double r, double A) {
  const double low = 1.0 - s.clip_low, high = 1.0 + s.clip_high;
  const bool capped = s.delta > 0.0 && r > s.delta;
  const double first = (capped ? s.delta : r) * A, second = std::clamp(r, low, high) * A;
  if (first <= second) return {-first, capped ? 0.0 : -A * r, 0};
  return {-second, r >= low && r <= high ? -A * r : 0.0, 0};
}

Term policy_term(const PgSettings& s, double r, double A, double logprob) {
  switch (s.loss) {
    case LossKind::clip: return clipped(s, r, A);
    case LossKind::cispo: {
      const double weight = std::clamp(r, s.cispo_low, s.cispo_high) * A;
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

Term kl_term(const PgSettings& s, double r, double logprob, double ref) {
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

bool uses_ratio_gradient(LossKind loss) { return loss == LossKind::clip || loss == LossKind::sapo; }

// What the tokens of one sequence share.
struct Sequence {
  int64_t begin, end;
  double scale;                 // of each token's loss
  double ratio = 1;             // when the ratio is the sequence's
  double ratio_share = 1;       // d log-ratio of the sequence / d logprob of one token
  double importance = 1;        // when the weight is the sequence's
};

class Loss {
 public:
  Loss(const PgSettings& settings, const PgBatch& batch, const PgTokens& tokens)
      : s(settings), b(batch), t(tokens), trained(double(std::max<int64_t>(1, batch.trained_tokens))) {}

  PgSums run(int64_t first, int64_t last) {
    for (int64_t i = 0; i < t.B; ++i) {
      const int64_t begin = std::max<int64_t>(first, t.cu_trained[i]), end = std::min<int64_t>(last, t.cu_trained[i + 1]);
      if (begin < end) sequence(share(t.cu_trained[i], t.cu_trained[i + 1]), begin, end);
    }
    return sums;
  }

 private:
  double log_ratio(int64_t i) const { return t.old_logprob ? double(t.logprob[i]) - t.old_logprob[i] : 0.0; }
  double log_importance(int64_t i) const {
    return double(t.old_logprob ? t.old_logprob[i] : t.logprob[i]) - t.behaviour[i];
  }
  double bounded(double weight) const {
    if (s.importance_mode == ImportanceMode::truncate) return std::clamp(weight, s.importance_min, s.importance_max);
    return weight < s.importance_min || weight > s.importance_max ? 0.0 : weight;
  }

  Sequence share(int64_t begin, int64_t end) const {
    Sequence q{.begin = begin, .end = end, .scale = 0};
    const double count = double(std::max<int64_t>(1, end - begin)), sequences = double(std::max<int64_t>(1, b.sequences));
    const bool once = s.ratio == RatioLevel::sequence_sum && uses_ratio_gradient(s.loss);
    if (once || s.aggregation == Aggregation::sequence_mean) q.scale = 1.0 / (sequences * count);
    else if (s.aggregation == Aggregation::token_mean) q.scale = 1.0 / trained;
    else q.scale = 1.0 / (sequences * s.normaliser);
    if (s.ratio != RatioLevel::token) {
      q.ratio_share = s.ratio == RatioLevel::sequence_mean ? 1.0 / count : 1.0;
      double sum = 0;
      for (int64_t i = begin; i < end; ++i) sum += log_ratio(i);
      q.ratio = std::exp(sum * q.ratio_share);
    }
    if (s.importance == ImportanceLevel::sequence) {
      double sum = 0;
      for (int64_t i = begin; i < end; ++i) sum += log_importance(i);
      q.importance = bounded(std::exp(sum));
    }
    return q;
  }

  double ratio(const Sequence& q, int64_t i) const {
    return s.ratio == RatioLevel::token ? std::exp(log_ratio(i)) : q.ratio;
  }
  double importance(const Sequence& q, int64_t i) const {
    return s.importance == ImportanceLevel::token ? bounded(std::exp(log_importance(i))) : q.importance;
  }

  Term token(const Sequence& q, int64_t i) const {
    const double r = ratio(q, i);
    double weight = importance(q, i);
    if (s.top_entropy < 1.0 && t.entropy[i] < b.entropy_threshold) weight = 0.0;
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

  void sequence(const Sequence& q, int64_t begin, int64_t end) {
    double shared = 0;
    if (s.ratio != RatioLevel::token) {
      for (int64_t i = q.begin; i < q.end; ++i) shared += token(q, i).by_log_ratio;
      shared *= q.ratio_share;
    }
    for (int64_t i = begin; i < end; ++i) {
      const Term term = token(q, i);
      t.dlogprob[i] = float((s.ratio == RatioLevel::token ? term.by_log_ratio : shared) + term.by_logprob);
      if (t.dentropy) t.dentropy[i] = float(-s.entropy_weight / trained);
      sums.loss += term.value;
      if (s.entropy_weight != 0.0) sums.loss -= s.entropy_weight * t.entropy[i] / trained;
      count(q, i);
    }
  }

  void count(const Sequence& q, int64_t i) {
    const double log_r = log_ratio(i), r = std::exp(log_r), A = t.advantage[i];
    sums.ratio += r;
    sums.ratio_min = std::min(sums.ratio_min, r);
    sums.ratio_max = std::max(sums.ratio_max, r);
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
    const double weight = importance(q, i);
    sums.importance += weight;
    sums.importance_dropped += weight == 0.0;
    ++sums.tokens;
  }

  const PgSettings& s;
  const PgBatch& b;
  const PgTokens& t;
  const double trained;
  PgSums sums;
};

}  // namespace

void PgSums::add(const PgSums& o) {
  loss += o.loss;
  ratio += o.ratio;
  ratio_min = std::min(ratio_min, o.ratio_min);
  ratio_max = std::max(ratio_max, o.ratio_max);
  k1 += o.k1, k2 += o.k2, k3 += o.k3;
  ref_k1 += o.ref_k1, ref_k2 += o.ref_k2, ref_k3 += o.ref_k3;
  clipped_low += o.clipped_low, clipped_high += o.clipped_high;
  below += o.below, above += o.above;
  entropy += o.entropy;
  importance += o.importance, importance_dropped += o.importance_dropped;
  tokens += o.tokens;
}

bool needs_sequence_pass(const PgSettings& s) {
  const bool uses_ratio = s.loss != LossKind::nll || (s.kl_weight != 0.0 && s.kl_corrected);
  // Without old log-probabilities the weight of a sequence is exp(sum(logprob - behaviour)).
  return (s.ratio != RatioLevel::token && uses_ratio) || s.importance == ImportanceLevel::sequence;
}

PgSums pg_loss(const PgSettings& settings, const PgBatch& batch, const PgTokens& tokens) {
  return pg_loss_rows(settings, batch, tokens, 0, tokens.cu_trained[tokens.B]);
}

PgSums pg_loss_rows(const PgSettings& settings, const PgBatch& batch, const PgTokens& tokens, int64_t begin, int64_t end) {
  return Loss(settings, batch, tokens).run(begin, end);
}

double entropy_threshold(std::vector<float> entropies, double top_entropy) {
  if (entropies.empty()) return 0.0;
  const double position = std::clamp(1.0 - top_entropy, 0.0, 1.0) * double(entropies.size() - 1);
  const auto low = entropies.begin() + std::ptrdiff_t(position);
  std::nth_element(entropies.begin(), low, entropies.end());
  if (low + 1 == entropies.end()) return *low;
  const double next = *std::min_element(low + 1, entropies.end());
  return *low + (position - std::floor(position)) * (next - *low);
}

}  // namespace exitrl
