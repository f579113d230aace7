// Policy-gradient losses: gradients against finite differences, formulas on small batches.
#include "agree.h"
#include "ops/pg_loss/pg_loss.h"

using namespace exitrl;
using check::Floats;
using check::random_floats;

namespace {

// Three sequences, one of them empty. Values are multiples of 2^-10 so that a float holds logprob + step exactly.
struct Data {
  std::vector<int32_t> cu = {0, 5, 5, 12};
  Floats logprob, old, ref, behaviour, advantage, entropy, dlogprob, dentropy;
  PgBatch batch{.sequences = 3, .trained_tokens = 12};

  Data() {
    const auto grid = [](uint32_t seed, float scale, float shift) {
      Floats x = random_floats(12, seed, scale);
      for (float& v : x) v = std::round((v + shift) * 1024.0f) / 1024.0f;
      return x;
    };
    logprob = grid(1, 0.5f, -2), old = grid(2, 0.5f, -2), ref = grid(3, 0.5f, -2), behaviour = grid(4, 0.5f, -2);
    advantage = grid(5, 1.5f, 0), entropy = grid(6, 1, 2);
    dlogprob.assign(12, NAN), dentropy.assign(12, NAN);
  }
  PgTokens tokens() {
    return {cu.data(),      3, logprob.data(), entropy.data(), old.data(), ref.data(), behaviour.data(), advantage.data(), dlogprob.data(),
            dentropy.data()};
  }
};

std::vector<PgSettings> all_settings() {
  std::vector<PgSettings> list;
  for (const auto ratio : {RatioLevel::token, RatioLevel::sequence_mean, RatioLevel::sequence_sum})
    for (const auto loss : {LossKind::clip, LossKind::sapo, LossKind::nll})
      for (const auto aggregation : {Aggregation::sequence_mean, Aggregation::token_mean, Aggregation::constant})
        for (const auto kl : {KlEstimator::k1, KlEstimator::k2, KlEstimator::k3})
          for (const auto importance : {ImportanceLevel::none, ImportanceLevel::token, ImportanceLevel::sequence}) {
            PgSettings s{.ratio = ratio, .loss = loss, .aggregation = aggregation, .normaliser = 7, .kl_weight = 0.3, .kl = kl,
                         .kl_corrected = kl != KlEstimator::k2, .importance = importance, .entropy_weight = 0.1};
            s.importance_mode = aggregation == Aggregation::constant ? ImportanceMode::mask : ImportanceMode::truncate;
            s.importance_max = 1.4;
            s.delta = kl == KlEstimator::k1 ? 1.1 : 0.0;
            list.push_back(s);
          }
  return list;
}

}  // namespace

TEST(pg_loss_gradients_match_finite_differences) {
  for (const PgSettings& s : all_settings()) {
    Data d;
    pg_loss(s, d.batch, d.tokens());
    const Floats got = d.dlogprob, entropy_gradient = d.dentropy;
    for (size_t i = 0; i < 12; ++i) {
      const float step = 0x1.0p-13f, x = d.logprob[i];
      d.logprob[i] = x + step;
      const double up = pg_loss(s, d.batch, d.tokens()).loss;
      d.logprob[i] = x - step;
      const double down = pg_loss(s, d.batch, d.tokens()).loss;
      d.logprob[i] = x;
      CHECK_NEAR(got[i], (up - down) / (2 * step), 2e-5);
      CHECK_NEAR(entropy_gradient[i], -0.1 / 12, 1e-9);
    }
  }
}

TEST(pg_loss_cispo_weights_are_constants) {
  Data d;
  PgSettings s{.loss = LossKind::cispo, .cispo_low = 0.8, .cispo_high = 1.28};
  const PgSums sums = pg_loss(s, d.batch, d.tokens());
  double loss = 0;
  for (size_t i = 0; i < 12; ++i) {
    const double weight = std::min(1.28, std::max(0.8, std::exp(double(d.logprob[i]) - d.old[i])));
    loss -= weight * d.advantage[i] * d.logprob[i] / 12;
    CHECK_NEAR(d.dlogprob[i], -weight * d.advantage[i] / 12, 1e-8);
  }
  CHECK_NEAR(sums.loss, loss, 1e-12);
}

TEST(pg_loss_on_policy_has_ratio_one) {
  Data d;
  auto t = d.tokens();
  t.old_logprob = nullptr;
  for (const auto ratio : {RatioLevel::token, RatioLevel::sequence_mean}) {
    PgSettings s{.ratio = ratio, .aggregation = Aggregation::token_mean};
    d.advantage.assign(12, 0.75f);
    const PgSums sums = pg_loss(s, d.batch, t);
    CHECK_NEAR(sums.loss, -0.75, 1e-12);
    for (float g : d.dlogprob) CHECK_NEAR(g, -0.75 / 12, 1e-8);
    CHECK(sums.ratio == 12 && sums.ratio_min == 1 && sums.ratio_max == 1 && sums.k3 == 0 && sums.tokens == 12);
    CHECK(sums.clipped_low + sums.clipped_high + sums.below + sums.above == 0);
  }
}

TEST(pg_loss_gradient_stops_at_the_clip_bounds) {
  // r = 2: with A > 0 the bound holds, with A < 0 the gradient goes on until delta.
  std::vector<int32_t> cu = {0, 2};
  Floats logprob = {0.0f, 0.0f}, old(2, float(-std::log(2.0))), advantage = {1, -1}, dlogprob(2);
  PgTokens t{cu.data(), 1, logprob.data(), nullptr, old.data(), nullptr, nullptr, advantage.data(), dlogprob.data(), nullptr};
  PgSettings s;
  const PgBatch batch{.sequences = 1, .trained_tokens = 2};
  PgSums sums = pg_loss(s, batch, t);
  CHECK(dlogprob[0] == 0.0f);
  CHECK_NEAR(dlogprob[1], 1.0, 1e-6);
  CHECK_NEAR(sums.loss, (-1.2 + 2.0) / 2, 1e-6);
  CHECK(sums.clipped_high == 1 && sums.above == 2 && sums.clipped_low == 0);
  s.delta = 1.5;
  sums = pg_loss(s, batch, t);
  CHECK(dlogprob[1] == 0.0f);
  CHECK_NEAR(sums.loss, (-1.2 + 1.5) / 2, 1e-6);
}

TEST(pg_loss_pieces_add_up) {
  for (const PgSettings& s : all_settings()) {
    Data whole, rows, sequences;
    const PgSums want = pg_loss(s, whole.batch, whole.tokens());
    PgSums by_rows, by_sequence;
    for (int64_t i = 0; i < 12; i += 4) by_rows.add(pg_loss_rows(s, rows.batch, rows.tokens(), i, i + 4));
    for (int64_t b = 0; b < 3; ++b) {
      PgTokens t = sequences.tokens();
      t.cu_trained += b;
      t.B = 1;
      by_sequence.add(pg_loss_rows(s, sequences.batch, t, t.cu_trained[0], t.cu_trained[1]));
    }
    for (const PgSums& got : {by_rows, by_sequence}) {
      CHECK_NEAR(got.loss, want.loss, 1e-13);
      CHECK_NEAR(got.k3, want.k3, 1e-13);
      CHECK(got.ratio_min == want.ratio_min && got.ratio_max == want.ratio_max && got.tokens == want.tokens);
    }
    CHECK(rows.dlogprob == whole.dlogprob && sequences.dlogprob == whole.dlogprob);
  }
}

TEST(pg_loss_top_entropy_keeps_the_denominator) {
  Data d;
  PgSettings s{.top_entropy = 0.25};
  d.batch.entropy_threshold = entropy_threshold(d.entropy, 0.25);
  const PgSums sums = pg_loss(s, d.batch, d.tokens());
  Floats kept = d.dlogprob;
  s.top_entropy = 1.0;
  pg_loss(s, d.batch, d.tokens());
  int n = 0;
  for (size_t i = 0; i < 12; ++i) {
    const bool keep = d.entropy[i] >= d.batch.entropy_threshold;
    n += keep;
    CHECK(kept[i] == (keep ? d.dlogprob[i] : 0.0f));
  }
  CHECK(n == 3 && sums.tokens == 12);
}

TEST(entropy_threshold_interpolates) {
  CHECK_NEAR(entropy_threshold({3, 1, 2, 4}, 0.5), 2.5, 1e-12);
  CHECK_NEAR(entropy_threshold({3, 1, 2, 4, 0}, 0.2), 3.2, 1e-12);
  CHECK(entropy_threshold({3, 1, 2}, 0.0) == 3 && entropy_threshold({3, 1, 2}, 1.0) == 1);
  CHECK(entropy_threshold({5}, 0.2) == 5 && entropy_threshold({}, 0.2) == 0);
}

TEST(needs_sequence_pass_of_sequence_ratios) {
  CHECK(!needs_sequence_pass({}));
  CHECK(needs_sequence_pass({.ratio = RatioLevel::sequence_mean}));
  CHECK(needs_sequence_pass({.ratio = RatioLevel::sequence_sum, .loss = LossKind::cispo}));
  CHECK(!needs_sequence_pass({.ratio = RatioLevel::sequence_sum, .loss = LossKind::nll}));
  CHECK(!needs_sequence_pass({.importance = ImportanceLevel::token}));
}
