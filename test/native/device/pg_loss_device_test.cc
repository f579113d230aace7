// Policy-gradient losses on the emulated device against the host's, which share their formulas: what is tested is which token
// gets which numbers, sums, and pieces of a batch.
#include "device_check.h"
#include "ops/pg_loss/pg_loss.h"

using namespace exitrl;
using namespace check;

namespace {

struct Data {
  std::vector<int32_t> cu, sequence_of;
  Floats logprob, old, ref, behaviour, advantage, entropy;
  PgBatch batch;

  explicit Data(std::vector<int32_t> borders) : cu(std::move(borders)) {
    const int64_t N = cu.back();
    for (size_t b = 0; b + 1 < cu.size(); ++b) sequence_of.insert(sequence_of.end(), size_t(cu[b + 1] - cu[b]), int32_t(b));
    logprob = random_floats(N, 1, 0.5f), old = random_floats(N, 2, 0.5f), ref = random_floats(N, 3, 0.5f),
    behaviour = random_floats(N, 4, 0.5f);
    advantage = random_floats(N, 5, 1.5f), entropy = random_floats(N, 6);
    // A long sequence's sums stay small.
    for (int64_t i = 0; i < N; ++i)
      old[size_t(i)] = logprob[size_t(i)] + 0.1f * old[size_t(i)], behaviour[size_t(i)] = old[size_t(i)] + 0.1f * behaviour[size_t(i)];
    batch = {.sequences = int64_t(cu.size()) - 1, .trained_tokens = N, .entropy_threshold = 0.2};
  }
  PgTokens tokens(float* dlogprob, float* dentropy, bool on_policy) const {
    return {cu.data(),  int64_t(cu.size()) - 1, logprob.data(),   entropy.data(), on_policy ? nullptr : old.data(),
            ref.data(), behaviour.data(),       advantage.data(), dlogprob,       dentropy};
  }
};

std::vector<double> numbers(const PgSums& s) {
  return {s.loss,
          s.ratio,
          s.ratio_min,
          s.ratio_max,
          s.k1,
          s.k2,
          s.k3,
          s.ref_k1,
          s.ref_k2,
          s.ref_k3,
          s.clipped_low,
          s.clipped_high,
          s.below,
          s.above,
          s.entropy,
          s.importance,
          s.importance_dropped,
          s.mismatch,
          s.mismatch_k3,
          double(s.tokens)};
}

struct Result {
  Floats gradients;  // dlogprob, then dentropy
  std::vector<double> sums;
  float mismatch = 0;
};

Result run(const Data& d, const PgSettings& s, bool on_policy, const std::vector<int64_t>& pieces) {
  const int64_t N = d.cu.back(), B = int64_t(d.cu.size()) - 1;
  Result result;
  result.gradients.assign(size_t(2 * N), kNan);
  // Not on the stack, which a card does not see.
  std::vector<PgSums> sums(1);
  Floats mismatch(1, 0.0f);
  std::vector<double> scratch(size_t(device::pg_loss_scratch(B, N)), kNan);
  const PgTokens t = d.tokens(result.gradients.data(), result.gradients.data() + N, on_policy);
  for (size_t i = 0; i + 1 < pieces.size(); ++i)
    cuda::pg_loss(device_context(),
                  {s, d.batch, t.cu_trained, d.sequence_of.data(), t.logprob, t.entropy, t.old_logprob, t.ref_logprob, t.behaviour,
                   t.advantage, t.dlogprob, t.dentropy, scratch.data(), sums.data(), mismatch.data(), B, pieces[i], pieces[i + 1]});
  result.sums = numbers(sums[0]);
  result.mismatch = mismatch[0];
  return result;
}

void compare(const Data& d, const PgSettings& s, bool on_policy, const std::vector<int64_t>& pieces, const std::string& what) {
  const int64_t N = d.cu.back();
  Floats want(size_t(2 * N));
  const auto sums = numbers(pg_loss(s, d.batch, d.tokens(want.data(), want.data() + N, on_policy)));
  Result got;
  in_both_orders([&] {
    got = run(d, s, on_policy, pieces);
    Floats all = got.gradients;
    for (const double& x : got.sums) {  // both halves of every double
      Floats halves(2);
      std::memcpy(halves.data(), &x, 8);
      all.insert(all.end(), halves.begin(), halves.end());
    }
    return all;
  });
  agree(got.gradients, std::vector<double>(want.begin(), want.end()), 0x1p-22, 1e-12, what);
  for (size_t i = 0; i < sums.size(); ++i) CHECK_NEAR(got.sums[i], sums[i], 1e-11 * (1 + std::abs(sums[i])));
  float mismatch = 0;
  double total = 0, k3 = 0;
  for (int64_t i = 0; i < N; ++i) {
    const double x = double(d.logprob[size_t(i)]) - d.behaviour[size_t(i)];
    mismatch = std::max(mismatch, std::fabs(d.logprob[size_t(i)] - d.behaviour[size_t(i)]));
    total += std::abs(x), k3 += std::exp(x) - 1 - x;
  }
  CHECK(got.mismatch == mismatch);
  const size_t at = sums.size() - 3;  // of numbers()
  CHECK_NEAR(got.sums[at], total, 1e-11 * (1 + total));
  CHECK_NEAR(got.sums[at + 1], k3, 1e-9);
}

}  // namespace

TEST(device_pg_loss_agrees_with_the_cpu) {
  const Data small({0, 5, 5, 12});
  for (const auto ratio : {RatioLevel::token, RatioLevel::sequence_mean, RatioLevel::sequence_sum})
    for (const auto loss : {LossKind::clip, LossKind::cispo, LossKind::sapo, LossKind::nll})
      for (const auto importance : {ImportanceLevel::none, ImportanceLevel::token, ImportanceLevel::sequence}) {
        PgSettings s{.ratio = ratio,
                     .loss = loss,
                     .delta = 1.1,
                     .normaliser = 7,
                     .kl_weight = 0.3,
                     .importance = importance,
                     .importance_max = 1.4,
                     .entropy_weight = 0.1};
        s.aggregation = Aggregation(int(importance));
        s.kl = KlEstimator(int(ratio));
        s.kl_corrected = loss != LossKind::sapo;
        s.importance_mode = ratio == RatioLevel::sequence_sum ? ImportanceMode::mask : ImportanceMode::truncate;
        s.top_entropy = loss == LossKind::clip ? 0.5 : 1.0;
        compare(small, s, loss == LossKind::nll, {0, 12}, "small");
      }
}

TEST(device_pg_loss_adds_up_blocks_and_pieces) {
  const Data d({0, 1, 300, 301, 620, 1000});
  for (const auto ratio : {RatioLevel::token, RatioLevel::sequence_mean, RatioLevel::sequence_sum})
    for (const auto& pieces : {std::vector<int64_t>{0, 1000}, {0, 0, 256, 257, 600, 1000, 1000}}) {
      PgSettings s{
          .ratio = ratio, .kl_weight = 0.1, .importance = ratio == RatioLevel::token ? ImportanceLevel::token : ImportanceLevel::sequence};
      compare(d, s, false, pieces, "pieces");
    }
}

TEST(device_pg_loss_writes_nothing_for_no_tokens) {
  const Data d({0, 4});
  const Result got = run(d, {}, false, {2, 2});
  for (const float x : got.gradients) CHECK(std::isnan(x));
  CHECK(got.sums.back() == 0 && got.mismatch == 0);
}

TEST(device_pg_loss_takes_what_is_not_there) {
  const Data d({0, 3, 40});
  Floats dlogprob(40, kNan), want(40, kNan);
  PgTokens t = d.tokens(want.data(), nullptr, true);
  t.entropy = t.ref_logprob = t.behaviour = nullptr;
  const PgSums sums_want = pg_loss({}, d.batch, t);
  std::vector<PgSums> sums(1);
  std::vector<double> scratch(size_t(device::pg_loss_scratch(2, 40)), kNan);
  cuda::pg_loss(device_context(), {PgSettings{}, d.batch, t.cu_trained, d.sequence_of.data(), t.logprob, nullptr, nullptr, nullptr, nullptr,
                                   t.advantage, dlogprob.data(), nullptr, scratch.data(), sums.data(), nullptr, 2, 0, 40});
  agree(dlogprob, std::vector<double>(want.begin(), want.end()), 0x1p-22, 0, "dlogprob");
  CHECK(sums[0].ratio == 40 && sums[0].ratio_min == 1 && sums[0].ratio_max == 1 && sums[0].tokens == 40);
  CHECK_NEAR(sums[0].loss, sums_want.loss, 1e-13);
}

TEST(device_entropy_threshold_is_that_of_the_cpu) {
  for (const int64_t n : {1, 2, 3, 7, 64, 129, 1000, 5001, 8192})
    for (const double top : {1.0, 0.999, 0.7, 0.4, 0.2, 0.01, 1e-9, 0.0}) {
      Floats entropies = random_floats(n, unsigned(n));
      for (int64_t i = 0; i < n; ++i) {
        float& x = entropies[size_t(i)];
        x = i % 3 == 0 ? 0.25f : i % 7 == 0 ? 0.0f : i % 11 == 0 ? -1e-8f : std::fabs(x);  // many are equal, some are rounded below 0
        if (n == 1000 && i % 5 == 0) x = i % 2 == 0 ? kNan : -kNan;
      }
      const double want = entropy_threshold(entropies, top);
      Numbers in(Precision::f32, entropies);
      const Floats got = in_both_orders([&] {
        std::vector<double> threshold(1);
        cuda::entropy_threshold(device_context(), {static_cast<const float*>(in.data()), threshold.data(), n, top});
        Floats halves(2);
        std::memcpy(halves.data(), threshold.data(), 8);
        return halves;
      });
      double found;
      std::memcpy(&found, got.data(), 8);
      CHECK(found == want || (std::isnan(found) && std::isnan(want)));
    }
  CHECK_THROWS(cuda::entropy_threshold(device_context(), {nullptr, nullptr, 0, 0.5}), "0 entropies");
}

TEST(device_pg_loss_takes_the_threshold_from_the_device) {
  const Data d({0, 5, 12});
  Floats want(24), got(24, kNan);
  PgBatch batch = d.batch;
  const PgSettings s{.top_entropy = 0.5};
  batch.entropy_threshold = entropy_threshold(d.entropy, s.top_entropy);
  pg_loss(s, batch, d.tokens(want.data(), want.data() + 12, true));
  const PgTokens t = d.tokens(got.data(), got.data() + 12, true);
  std::vector<PgSums> sums(1);
  std::vector<double> scratch(size_t(device::pg_loss_scratch(2, 12)), kNan), threshold{batch.entropy_threshold};
  cuda::pg_loss(device_context(),
                {s, d.batch, t.cu_trained, d.sequence_of.data(), t.logprob, t.entropy, t.old_logprob, t.ref_logprob, t.behaviour,
                 t.advantage, t.dlogprob, t.dentropy, scratch.data(), sums.data(), nullptr, 2, 0, 12, threshold.data()});
  CHECK(std::count(want.begin(), want.begin() + 12, 0.0f) == 6);
  agree(got, std::vector<double>(want.begin(), want.end()), 0x1p-22, 1e-12, "threshold of the device");
}
