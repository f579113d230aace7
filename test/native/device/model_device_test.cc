// A whole model on the emulated device: training against the CPU's trainer, generation against its engine, exact mode.
#include "../small_model.h"
#include "device/model.h"
#include "device_check.h"
#include "rollout/engine.h"
#include "train/trainer.h"

extern "C" const exitrl::device::Backend* exitrl_backend();

using namespace exitrl;
using namespace check;
using small::Prompts;
using small::settings_for;
using device::DeviceModel;
using device::Order;

namespace {

struct Shape {
  bool qk_norm;
  int64_t window;
  const char* targets;  // of a LoRA adapter
  bool wide = false;    // heads of 64, and products that warpgroups compute
};
const Shape kShapes[] = {
    {true, 0, ""}, {false, 8, ""}, {true, 0, "\"all-linear\""}, {false, 0, R"(["v_proj", "down_proj"])"}, {true, 0, "", true}};
const Shape& kWide = kShapes[4];

DecoderConfig config_of(const Shape& shape) {
  DecoderConfig c = small::config(shape.qk_norm, shape.window);
  if (shape.wide) c.H = 2, c.K = 1, c.D = 64, c.C = 128, c.F = 384;
  return c;
}

// A model on the CPU and on the device, with the same weights.
struct Pair {
  Pool pool{1};
  Decoder decoder;
  Policy policy;
  small::Adapted adapted;
  Trainer trainer;
  Engine engine;
  DeviceModel device;
  Pair(const Shape& shape, Precision precision, Order order)
      : decoder(config_of(shape)), policy(decoder.config, decoder.layout), adapted(policy, pool, decoder.config, shape.targets, 4),
        trainer(decoder, pool), engine(decoder, pool), device(*exitrl_backend(), 0, decoder, precision, order) {
    small::randomise(policy, pool, 3);
    if (adapted.adapter) {
      trainer.train(adapted.layout());
      engine.adapt(adapted.layout());
      device.train(adapted.layout());
      device.load_adapter(adapted.adapter->slab.data());
    }
    device.load_weights(policy.slab.data());
  }
  const ParameterList& trained() const { return trainer.trained(); }
  const float* host_weights() const { return adapted.adapter ? adapted.adapter->slab.data() : policy.slab.data(); }
};

// The largest difference of the parameters' numbers, relative to the largest number of each parameter.
double worst(const ParameterList& list, const float* got, const float* want) {
  double most = 0;
  for (const Parameter& p : list.parameters) {
    double size = 1e-3, error = 0;
    for (int64_t i = p.offset; i < p.offset + p.size; ++i) {
      size = std::max(size, std::abs(double(want[i])));
      error = std::isnan(got[i]) ? 1e9 : std::max(error, std::abs(double(got[i]) - want[i]));
    }
    most = std::max(most, error / size);
  }
  return most;
}

}  // namespace

TEST(device_model_trains_like_the_cpu) {
  for (const Shape& shape : kShapes)
    for (const Precision precision : {Precision::f32, Precision::bf16})
      for (const Recompute recompute : {Recompute::none, Recompute::block}) {
        if (shape.wide && (few() || precision == Precision::f32)) continue;  // as the others
        if (few() && (shape.window > 0) == (recompute == Recompute::none || precision == Precision::f32)) continue;
        Pair pair(shape, precision, Order::fixed);
        const small::Batch sequences(pair.decoder.config.V);
        RolloutBatch batch = sequences.view();
        std::vector<float> old(sequences.tokens.size(), -3.9f);
        batch.logprob = {sequences.offsets.data(), old.data()};
        LossSettings loss;
        loss.entropy_weight = 0.01;
        loss.temperature = 0.9;
        // With 8 rows at most every sequence is a micro-batch of its own.
        const TrainSettings train{recompute == Recompute::block ? 8 : 8192, recompute};
        const double tolerance = precision == Precision::bf16 ? 0.06 : 2e-5;
        for (int step = 0; step < 2; ++step) {
          const TrainMetrics want = pair.trainer.accumulate(pair.policy, batch, loss, train, {});
          const TrainMetrics got = pair.device.accumulate(batch, loss, train, {});
          CHECK(got.sums.tokens == want.sums.tokens && got.micro_batches == want.micro_batches);
          CHECK_NEAR(got.sums.loss, want.sums.loss, tolerance * 0.2);
          CHECK_NEAR(got.sums.entropy, want.sums.entropy, tolerance * 10);
          CHECK_NEAR(got.mismatch, want.mismatch, tolerance * 2);
          Floats gradients(size_t(pair.trained().size));
          pair.device.store_gradients(gradients.data());
          CHECK_NEAR(worst(pair.trained(), gradients.data(), pair.trainer.gradients()), 0, tolerance);
          const OptimizerSettings optimizer{.lr = 1e-2, .weight_decay = 0.1, .max_grad_norm = 0.5};
          const UpdateMetrics wanted = pair.trainer.update(pair.policy, optimizer), updated = pair.device.update(optimizer);
          CHECK_NEAR(updated.grad_norm, wanted.grad_norm, tolerance * wanted.grad_norm);
          CHECK(updated.step == wanted.step);
          pair.device.store_gradients(gradients.data());
          for (float g : gradients) CHECK(g == 0);
          Floats weights(size_t(pair.trained().size));
          pair.device.store_trained(weights.data());
          // Adam divides by the gradient's size: where that is near 0 its sign may differ.
          CHECK_NEAR(worst(pair.trained(), weights.data(), pair.host_weights()), 0, precision == Precision::bf16 ? 0.15 : 2e-3);
        }
        const auto T = sequences.tokens.size();
        Floats lp(T), h(T), lp_device(T), h_device(T);
        pair.trainer.score(pair.policy, batch, 0.9, 8192, lp.data(), h.data(), {});
        pair.device.score(false, batch, 0.9, 8, lp_device.data(), h_device.data(), {});
        for (size_t i = 0; i < T; ++i) {
          CHECK_NEAR(lp_device[i], lp[i], precision == Precision::bf16 ? 0.2 : 5e-3);
          CHECK_NEAR(h_device[i], h[i], precision == Precision::bf16 ? 0.2 : 5e-3);
        }
      }
}

TEST(device_losses_of_whole_sequences_and_references) {
  Pair pair(kShapes[0], Precision::f32, Order::fixed);
  const small::Batch sequences(pair.decoder.config.V);
  RolloutBatch batch = sequences.view();
  std::vector<float> old(sequences.tokens.size(), -3.8f), ref(sequences.tokens.size(), -4.1f);
  batch.logprob = {sequences.offsets.data(), old.data()};
  batch.ref_logprob = {sequences.offsets.data(), ref.data()};
  for (const RatioLevel ratio : {RatioLevel::token, RatioLevel::sequence_mean, RatioLevel::sequence_sum})
    for (const double top_entropy : {1.0, 0.4}) {
      LossSettings loss;
      loss.ratio = ratio;
      loss.kl_weight = 0.1;
      loss.top_entropy = top_entropy;
      loss.importance = ImportanceLevel::sequence;
      loss.aggregation = Aggregation::sequence_mean;
      pair.trainer.zero_gradients();
      pair.device.zero_gradients();
      // The threshold is the whole batch's, however it is cut.
      const TrainSettings train{top_entropy < 1 ? 8 : 8192, Recompute::none};
      const TrainMetrics want = pair.trainer.accumulate(pair.policy, batch, loss, train, {}),
                         got = pair.device.accumulate(batch, loss, train, {});
      CHECK(got.micro_batches == (top_entropy < 1 ? 3 : 1));
      CHECK_NEAR(got.sums.loss, want.sums.loss, 1e-5);
      CHECK_NEAR(got.sums.ref_k3, want.sums.ref_k3, 1e-3);
      CHECK_NEAR(got.sums.importance, want.sums.importance, 1e-3);
      Floats gradients(size_t(pair.trained().size));
      pair.device.store_gradients(gradients.data());
      CHECK_NEAR(worst(pair.trained(), gradients.data(), pair.trainer.gradients()), 0, 3e-5);
    }
}

// More trained tokens than logits are held of at once, with losses that need all of a sequence's first.
TEST(device_losses_cross_chunks_of_the_head) {
  if (few()) return;
  DecoderConfig config = small::config(true, 0);
  config.L = 1, config.C = config.F = 8, config.H = config.K = 1;
  config.windows.assign(1, 0);
  const Decoder decoder(config);
  Pool pool(1);
  Policy policy(decoder.config, decoder.layout);
  small::randomise(policy, pool, 3);
  Trainer trainer(decoder, pool);
  DeviceModel device(*exitrl_backend(), 0, decoder, Precision::f32, Order::fixed);
  device.load_weights(policy.slab.data());
  RolloutBatch batch;
  batch.B = 60;
  std::vector<int32_t> offsets{0}, tokens;
  for (int64_t b = 0; b < batch.B; ++b) {
    for (int64_t t = 0; t < 76; ++t) tokens.push_back(int32_t(philox(5, uint64_t(b), uint64_t(t))[0] % uint32_t(config.V)));
    offsets.push_back(int32_t(tokens.size()));
  }
  std::vector<uint8_t> mask((tokens.size() + 7) / 8);
  for (size_t i = 0; i < tokens.size(); ++i)
    if (i % 76 > 0) mask[i / 8] |= uint8_t(1 << (i % 8));
  std::vector<float> old(tokens.size(), -3.9f), advantage;
  for (int64_t b = 0; b < batch.B; ++b) advantage.push_back(float(b % 5) - 2);
  batch.tokens = {offsets.data(), tokens.data()};
  batch.loss_mask = {offsets.data(), mask.data(), 0};
  batch.logprob = {offsets.data(), old.data()};
  batch.advantage = advantage.data();
  CHECK(batch.B * 75 > device::head_chunk(config.V));
  for (const double top_entropy : {1.0, 0.3}) {
    LossSettings loss;
    loss.ratio = RatioLevel::sequence_mean;
    loss.top_entropy = top_entropy;
    const TrainSettings train{8192, Recompute::none};
    const TrainMetrics want = trainer.accumulate(policy, batch, loss, train, {}), got = device.accumulate(batch, loss, train, {});
    CHECK(got.sums.tokens == want.sums.tokens && got.micro_batches == 1);
    CHECK_NEAR(got.sums.loss, want.sums.loss, 1e-5);
    Floats gradients(size_t(decoder.layout.size));
    device.store_gradients(gradients.data());
    CHECK_NEAR(worst(decoder.layout, gradients.data(), trainer.gradients()), 0, 2e-5);
  }
}

TEST(device_generates_like_the_cpu) {
  for (const Shape& shape : kShapes) {
    if (few() && &shape != &kShapes[2]) continue;
    Pair pair(shape, Precision::f32, Order::any);
    const Prompts prompts({5, 16, 1, 80}, pair.decoder.config.V);
    for (const float temperature : {0.0f, 0.8f}) {
      GenerateSettings s = settings_for(3, 12, temperature);
      s.embed = true;
      s.stop_sequences = {{1, 2}};
      if (temperature > 0) s.sampling.repetition_penalty = 1.2f, s.sampling.top_k = 20;
      const Generated want = pair.engine.generate(pair.policy, prompts.tokens.data(), prompts.offsets.data(), prompts.count(), s, {});
      const Generated got = pair.device.generate(prompts.tokens.data(), prompts.offsets.data(), prompts.count(), s, {});
      CHECK(got.tokens == want.tokens);
      CHECK(got.offsets == want.offsets && got.prompt_length == want.prompt_length && got.finish_reason == want.finish_reason);
      if (got.tokens != want.tokens) continue;
      for (size_t i = 0; i < want.logprob.size(); ++i) {
        CHECK_NEAR(got.logprob[i], want.logprob[i], 2e-5);
        CHECK_NEAR(got.raw_logprob[i], want.raw_logprob[i], 2e-5);
      }
      CHECK(got.embeddings.size() == want.embeddings.size());
      double error = 0;
      for (size_t i = 0; i < want.embeddings.size(); ++i) {
        error = std::max(error, std::abs(double(got.embeddings[i]) - want.embeddings[i]));
      }
      CHECK_NEAR(error, 0, 2e-5);
    }
  }
}

TEST(device_exact_mode_is_exact_whatever_the_schedule) {
  for (const auto& [precision, shape] : {std::pair{Precision::f32, kShapes[2]}, {Precision::bf16, kShapes[0]}, {Precision::bf16, kWide}}) {
    if (few() && (precision == Precision::f32 || shape.wide)) continue;
    Pair pair(shape, precision, Order::fixed);
    const Prompts prompts({5, 33, 70}, pair.decoder.config.V);
    const GenerateSettings base = settings_for(3, 10, 0.8f);
    const auto run = [&](const GenerateSettings& s) {
      return pair.device.generate(prompts.tokens.data(), prompts.offsets.data(), prompts.count(), s, {});
    };
    const Generated want = run(base);
    bool preempted = false, reused = false;
    for (const auto& [pages, running, prefill, keep] :
         {std::tuple<int64_t, int64_t, int64_t, bool>{0, 2, 7, false}, {8, 64, 2048, false}, {0, 64, 16, true}, {0, 64, 2048, true}}) {
      GenerateSettings s = base;
      s.pages = pages, s.max_running = running, s.prefill_tokens = prefill, s.keep_prefixes = keep;
      const Generated got = run(s);
      CHECK(got.tokens == want.tokens && same_bits(got.logprob, want.logprob));
      preempted |= got.preemptions > 0;
      reused |= got.reused_tokens > 0;
    }
    CHECK(preempted && reused);
    // The sampler and the trainer must scale by the same float, whatever the temperature: most have no exact reciprocal.
    for (const double temperature : {0.8, 0.55, 0.85, 1.1}) {
      const Generated got = temperature == 0.8 ? want : run(settings_for(3, 10, float(temperature)));
      RolloutBatch batch;
      batch.B = int64_t(got.prompt_length.size());
      batch.tokens = {got.offsets.data(), got.tokens.data()};
      for (const int64_t budget : {8, 8192}) {
        if (temperature != 0.8 && budget == 8) continue;
        Floats lp(got.tokens.size()), h(got.tokens.size());
        pair.device.score(false, batch, temperature, budget, lp.data(), h.data(), {});
        int64_t compared = 0;
        for (int64_t r = 0; r < batch.B; ++r)
          for (int64_t i = got.prompt_length[size_t(r)]; i < batch.tokens.length(r); ++i, ++compared) {
            const auto at = size_t(got.offsets[size_t(r)] + i);
            CHECK(lp[at] == got.logprob[at]);
          }
        CHECK(compared > 30);
      }
    }
  }
}
