#include "ops/pg_loss/pg_loss.h"

#include <algorithm>
#include <cmath>

#include "ops/pg_loss/pg_loss_terms.h"

namespace exitrl {

void PgSums::add(const PgSums& o) {
  pg::each_sum(*this, o, [](double& a, double b) { a += b; });
  ratio_min = std::min(ratio_min, o.ratio_min);
  ratio_max = std::max(ratio_max, o.ratio_max);
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
  const pg::Terms terms{settings, batch, tokens, batch.entropy_threshold};
  PgSums sums;
  for (int64_t b = 0; b < tokens.B; ++b) {
    const int64_t first = tokens.cu_trained[b], last = tokens.cu_trained[b + 1];
    const int64_t from = std::max(begin, first), to = std::min(end, last);
    if (from >= to) continue;
    double log_ratios = 0, log_importances = 0, by_ratio = 0;
    if (settings.ratio != RatioLevel::token)
      for (int64_t i = first; i < last; ++i) log_ratios += terms.log_ratio(i);
    if (settings.importance == ImportanceLevel::sequence)
      for (int64_t i = first; i < last; ++i) log_importances += terms.log_importance(i);
    const pg::Shared q = terms.shared(last - first, log_ratios, log_importances);
    if (settings.ratio != RatioLevel::token) {
      for (int64_t i = first; i < last; ++i) by_ratio += terms.token(q, i).by_log_ratio;
      by_ratio *= q.ratio_share;
    }
    for (int64_t i = from; i < to; ++i) terms.visit(q, by_ratio, i, sums);
  }
  return sums;
}

double entropy_threshold(std::vector<float> entropies, double top_entropy) {
  if (entropies.empty()) return 0.0;
  const double position = std::clamp(1.0 - top_entropy, 0.0, 1.0) * double(entropies.size() - 1);
  const auto low = entropies.begin() + std::ptrdiff_t(position);
  const auto below = [](float a, float b) { return std::isnan(b) ? !std::isnan(a) : a < b; };  // NaN is the largest
  std::nth_element(entropies.begin(), low, entropies.end(), below);
  if (low + 1 == entropies.end()) return *low;
  const double next = *std::min_element(low + 1, entropies.end(), below);
  return *low + (position - std::floor(position)) * (next - *low);
}

}  // namespace exitrl
