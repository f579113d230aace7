// Rollout = training, bit for bit: over cache sizes that force preemption, chunked prefill, batch sizes and threads.
#include <cmath>
#include <numeric>

#include "agree.h"
#include "core/rng.h"
#include "ops/matmul/amx.h"
#include "rollout/engine.h"
#include "small_model.h"
#include "train/trainer.h"

using namespace exitrl;
using check::same_bits;

namespace {

struct Prompts {
  std::vector<int32_t> tokens, offsets{0};
  void add(int64_t n, int64_t V) {
    for (int64_t i = 0; i < n; ++i) tokens.push_back(int32_t(philox(99, uint64_t(n), uint64_t(i))[0] % uint32_t(V)));
    offsets.push_back(int32_t(tokens.size()));
  }
  int64_t count() const { return int64_t(offsets.size()) - 1; }
};

GenerateSettings settings_for(int64_t samples, int64_t new_tokens, float temperature) {
  GenerateSettings s;
  s.samples_per_prompt = samples;
  s.max_new_tokens = new_tokens;
  s.sampling.temperature = temperature;
  s.stop_tokens = {7};
  s.seed = 5;
  return s;
}

RolloutBatch view(const Generated& g) {
  RolloutBatch batch;
  batch.B = int64_t(g.prompt_length.size());
  batch.tokens = {g.offsets.data(), g.tokens.data()};
  return batch;
}

}  // namespace

TEST(engine_is_exact_whatever_the_schedule) {
  struct Case {
    bool qk_norm;
    int64_t window;
    const char* targets;  // of a LoRA adapter
  };
  for (const auto& [qk_norm, window, targets] :
       {Case{false, 0, ""}, {true, 0, ""}, {false, 8, ""}, {true, 0, "\"all-linear\""}, {false, 8, R"(["v_proj", "down_proj"])"}}) {
    const Decoder decoder(small::config(qk_norm, window));
    Pool one(1);
    Policy policy(decoder.config, decoder.layout);
    small::randomise(policy, one, 3);
    const small::Adapted adapted(policy, one, decoder.config, targets, 4);
    Prompts prompts;
    for (int64_t n : {5, 16, 1, 33, 48, 17}) prompts.add(n, decoder.config.V);

    const GenerateSettings base = settings_for(5, 30, 0.8f);
    Engine engine(decoder, one);
    engine.adapt(adapted.layout());
    const Generated want = engine.generate(policy, prompts.tokens.data(), prompts.offsets.data(), prompts.count(), base, {});
    CHECK(want.preemptions == 0);
    CHECK(want.prompt_length.size() == 30);

    bool preempted = false;
    for (int threads : {1, 3})
      for (int64_t pages : {0, 7, 9, 23})
        for (int64_t running : {1, 4, 64})
          for (int64_t prefill : {1, 7, 2048}) {
            Pool pool(threads);
            Engine other(decoder, pool);
            other.adapt(adapted.layout());
            GenerateSettings s = base;
            s.pages = pages, s.max_running = running, s.prefill_tokens = prefill;
            const Generated got = other.generate(policy, prompts.tokens.data(), prompts.offsets.data(), prompts.count(), s, {});
            CHECK(got.tokens == want.tokens);
            CHECK(same_bits(got.logprob, want.logprob));
            CHECK(same_bits(got.raw_logprob, want.raw_logprob));
            CHECK(got.finish_reason == want.finish_reason);
            preempted = preempted || got.preemptions > 0;
          }
    CHECK(preempted);

    // Training's log-probability of the same tokens.
    Trainer trainer(decoder, one);
    trainer.train(adapted.layout());
    std::vector<float> logprob(want.tokens.size()), entropy(want.tokens.size());
    for (int64_t budget : {1, 100, 4096}) {
      trainer.score(policy, view(want), 0.8f, budget, logprob.data(), entropy.data(), {});
      for (size_t r = 0; r < want.prompt_length.size(); ++r)
        for (int32_t t = want.offsets[r] + want.prompt_length[r]; t < want.offsets[r + 1]; ++t)
          CHECK(logprob[size_t(t)] == want.logprob[size_t(t)]);
    }
  }
}

TEST(engine_is_exact_in_bfloat16) {
  const std::string before = name(bf16_unit());
  for (const char* unit : {"vector", "emulated", before.c_str()}) {
    force_bf16_unit(unit);
    DecoderConfig config = small::config(true, 8);
    config.precision = Precision::bf16;
    const Decoder decoder(config);
    Pool one(1), three(3);
    Policy policy(decoder.config, decoder.layout);
    small::randomise(policy, one, 3);
    Prompts prompts;
    for (int64_t n : {5, 16, 1, 33}) prompts.add(n, decoder.config.V);
    GenerateSettings s = settings_for(3, 20, 0.8f);
    Engine engine(decoder, one);
    const Generated want = engine.generate(policy, prompts.tokens.data(), prompts.offsets.data(), prompts.count(), s, {});
    for (int64_t pages : {5, 9}) {
      s.pages = pages, s.max_running = pages, s.prefill_tokens = pages;
      Engine other(decoder, three);
      const Generated got = other.generate(policy, prompts.tokens.data(), prompts.offsets.data(), prompts.count(), s, {});
      CHECK(got.tokens == want.tokens);
      CHECK(same_bits(got.logprob, want.logprob));
    }
    Trainer trainer(decoder, three);
    std::vector<float> logprob(want.tokens.size()), entropy(want.tokens.size());
    for (int64_t budget : {1, 4096}) {
      trainer.score(policy, view(want), 0.8f, budget, logprob.data(), entropy.data(), {});
      for (size_t r = 0; r < want.prompt_length.size(); ++r)
        for (int32_t t = want.offsets[r] + want.prompt_length[r]; t < want.offsets[r + 1]; ++t)
          CHECK(logprob[size_t(t)] == want.logprob[size_t(t)]);
    }
  }
  force_bf16_unit(before);
}

TEST(engine_samples_are_keyed_by_sequence_not_by_place) {
  const Decoder decoder(small::config(false, 0));
  Pool pool(2);
  Policy policy(decoder.config, decoder.layout);
  small::randomise(policy, pool, 4);
  Prompts prompts;
  for (int64_t n : {9, 9, 21}) prompts.add(n, decoder.config.V);
  Engine engine(decoder, pool);
  GenerateSettings s = settings_for(4, 20, 1.0f);
  const Generated all = engine.generate(policy, prompts.tokens.data(), prompts.offsets.data(), 3, s, {});
  // The third prompt alone, with the ids its rows had.
  s.first_sequence = 8;
  const Generated alone = engine.generate(policy, prompts.tokens.data(), prompts.offsets.data() + 2, 1, s, {});
  const std::vector<int32_t> tail(all.tokens.begin() + all.offsets[8], all.tokens.end());
  CHECK(tail == alone.tokens);
}

TEST(engine_stops) {
  const Decoder decoder(small::config(false, 0));
  Pool pool(1);
  Policy policy(decoder.config, decoder.layout);
  small::randomise(policy, pool, 6);
  Prompts prompts;
  prompts.add(4, decoder.config.V);
  Engine engine(decoder, pool);
  GenerateSettings s = settings_for(1, 40, 1.0f);
  s.stop_tokens.clear();
  const Generated free = engine.generate(policy, prompts.tokens.data(), prompts.offsets.data(), 1, s, {});
  CHECK(free.finish_reason[0] == int8_t(FinishReason::length));
  CHECK(free.tokens.size() == 44);
  s.stop_sequences = {{free.tokens[10], free.tokens[11]}};
  const Generated stopped = engine.generate(policy, prompts.tokens.data(), prompts.offsets.data(), 1, s, {});
  CHECK(stopped.finish_reason[0] == int8_t(FinishReason::stop_sequence));
  CHECK(stopped.tokens.size() <= 12);
  CHECK(std::equal(stopped.tokens.begin(), stopped.tokens.end(), free.tokens.begin()));
  s.stop_tokens = {free.tokens[4]};
  const Generated first = engine.generate(policy, prompts.tokens.data(), prompts.offsets.data(), 1, s, {});
  CHECK(first.finish_reason[0] == int8_t(FinishReason::stop_token));
  CHECK(first.tokens.size() == 5);
}

TEST(engine_refuses_what_cannot_work) {
  const Decoder decoder(small::config(false, 0));
  Pool pool(1);
  Policy policy(decoder.config, decoder.layout);
  small::randomise(policy, pool, 6);
  Engine engine(decoder, pool);
  const auto fails = [&](std::vector<int32_t> tokens, GenerateSettings s) {
    const int32_t offsets[] = {0, int32_t(tokens.size())};
    try {
      engine.generate(policy, tokens.data(), offsets, 1, s, {});
      return false;
    } catch (const Error& e) {
      return e.code == ErrorCode::invalid_argument;
    }
  };
  const GenerateSettings good = settings_for(1, 4, 1.0f);
  CHECK(fails({}, good));
  CHECK(fails({53}, good));
  CHECK(fails({-1}, good));
  CHECK(fails(std::vector<int32_t>(197, 1), good));
  GenerateSettings few = good;
  few.pages = 1;
  CHECK(fails({1, 2}, few));
  CHECK(!fails({1, 2}, good));
}

namespace {

void check_gradients_stay(const std::string& targets) {
  const Decoder decoder(small::config(false, 8));
  Pool one(1), three(3);
  Policy policy(decoder.config, decoder.layout);
  small::randomise(policy, one, 8);
  const small::Adapted adapted(policy, one, decoder.config, targets, 9);
  Prompts prompts;
  for (int64_t n : {9, 20, 1}) prompts.add(n, decoder.config.V);
  Engine engine(decoder, one);
  engine.adapt(adapted.layout());
  const Generated g = engine.generate(policy, prompts.tokens.data(), prompts.offsets.data(), 3, settings_for(3, 25, 1.0f), {});
  RolloutBatch batch = view(g);
  std::vector<uint8_t> bits((g.tokens.size() + 7) / 8);
  std::vector<float> advantage;
  for (int64_t r = 0; r < batch.B; ++r) {
    for (int32_t t = g.offsets[size_t(r)] + g.prompt_length[size_t(r)]; t < g.offsets[size_t(r) + 1]; ++t)
      bits[size_t(t) / 8] |= uint8_t(1 << (t % 8));
    advantage.push_back(float(r % 3) - 0.9f);
  }
  batch.loss_mask = {g.offsets.data(), bits.data(), 0};
  batch.logprob = {g.offsets.data(), g.logprob.data()};
  batch.advantage = advantage.data();

  for (Aggregation aggregation : {Aggregation::token_mean, Aggregation::sequence_mean}) {
    LossSettings loss;
    loss.aggregation = aggregation;
    std::vector<float> want;
    for (int64_t budget : {10000, 60, 1}) {
      // Where a group is cut in two, its prompt is computed twice and the sums round differently.
      std::vector<float> of_budget;
      for (Pool* pool : {&one, &three})
        for (Recompute recompute : {Recompute::none, Recompute::block}) {
          Trainer trainer(decoder, *pool);
          trainer.train(adapted.layout());
          const TrainMetrics metrics = trainer.accumulate(policy, batch, loss, {budget, recompute}, {});
          CHECK(metrics.mismatch == 0);
          CHECK(metrics.sums.ratio_min == 1 && metrics.sums.ratio_max == 1);
          const std::vector<float> got(trainer.gradients(), trainer.gradients() + trainer.trained().size);
          if (of_budget.empty()) of_budget = got;
          CHECK(same_bits(got, of_budget));
        }
      if (want.empty()) want = of_budget;
      double distance = 0, size = 0;
      for (size_t i = 0; i < want.size(); ++i) {
        distance += std::pow(double(of_budget[i]) - want[i], 2);
        size += double(want[i]) * want[i];
      }
      CHECK(std::sqrt(distance / size) < 1e-6);
    }
    double norm = 0;
    for (float x : want) norm += double(x) * x;
    CHECK(norm > 0);
  }
}

}  // namespace

TEST(gradients_do_not_depend_on_micro_batches_recompute_or_threads) { check_gradients_stay(""); }
TEST(gradients_of_an_adapter_do_not_either) {
  check_gradients_stay("\"all-linear\"");
  check_gradients_stay(R"(["q_proj", "up_proj", "down_proj"])");
  check_gradients_stay(R"(".*layers\\.1\\..*o_proj")");
}

TEST(engine_keeps_prefixes_between_calls_with_the_same_weights) {
  const Decoder decoder(small::config(true, 8));
  Pool pool(2);
  Policy policy(decoder.config, decoder.layout);
  small::randomise(policy, pool, 9);
  GenerateSettings s = settings_for(2, 20, 0.9f);
  s.stop_tokens.clear();
  // Three rounds of revision: a request of 40 or 21 tokens, the answer of the round before, a separator.
  const auto rounds = [&](const GenerateSettings& settings, Engine& engine) {
    Prompts prompts;
    for (int64_t n : {40, 21}) prompts.add(n, decoder.config.V);
    std::vector<Generated> out;
    for (int round = 0; round < 3; ++round) {
      out.push_back(engine.generate(policy, prompts.tokens.data(), prompts.offsets.data(), 2, settings, {}));
      const Generated& g = out.back();
      Prompts next;
      for (size_t p = 0; p < 2; ++p) {
        const int64_t request = p == 0 ? 40 : 21;
        const auto begin = g.tokens.begin() + g.offsets[2 * p];
        next.tokens.insert(next.tokens.end(), begin, begin + request);
        next.tokens.insert(next.tokens.end(), begin + g.prompt_length[2 * p], g.tokens.begin() + g.offsets[2 * p + 1]);
        next.tokens.push_back(1);
        next.offsets.push_back(int32_t(next.tokens.size()));
      }
      prompts = next;
    }
    return out;
  };
  Engine plain(decoder, pool);
  const auto want = rounds(s, plain);
  s.keep_prefixes = true;
  // Ample pages, and pools so small that what was kept has to go again and sequences are preempted.
  for (int64_t pages : {0, 7, 9, 12})
    for (int64_t running : {1, 64}) {
      s.pages = pages, s.max_running = running;
      Engine engine(decoder, pool);
      const auto got = rounds(s, engine);
      for (size_t r = 0; r < want.size(); ++r) {
        CHECK(got[r].tokens == want[r].tokens);
        CHECK(same_bits(got[r].logprob, want[r].logprob));
      }
      CHECK(got[0].reused_tokens == 0);
      if (pages == 0) {
        // The first answer follows the request directly, so round 1 finds both; later only the request is where it was.
        CHECK(got[1].reused_tokens == 48 + 32);
        CHECK(got[2].reused_tokens >= 32 + 16);
        CHECK(got[1].prefill_tokens + got[1].reused_tokens == want[1].prefill_tokens);
      }
    }

  // Other weights, a call that keeps nothing and a cancelled call: nothing of before may be read.
  Engine engine(decoder, pool);
  s.pages = 0, s.max_running = 64;
  const auto reused = [&](const GenerateSettings& settings) {
    Prompts prompts;
    prompts.add(40, decoder.config.V);
    return engine.generate(policy, prompts.tokens.data(), prompts.offsets.data(), 1, settings, {}).reused_tokens;
  };
  CHECK(reused(s) == 0);
  CHECK(reused(s) == 32);
  policy.pack(pool);
  CHECK(reused(s) == 0);
  GenerateSettings forgetful = s;
  forgetful.keep_prefixes = false;
  CHECK(reused(forgetful) == 0);
  CHECK(reused(s) == 0);
  std::stop_source stopped;
  stopped.request_stop();
  Prompts prompts;
  prompts.add(40, decoder.config.V);
  bool cancelled = false;
  try {
    engine.generate(policy, prompts.tokens.data(), prompts.offsets.data(), 1, s, stopped.get_token());
  } catch (const Error& e) {
    cancelled = e.code == ErrorCode::cancelled;
  }
  CHECK(cancelled);
  CHECK(reused(s) == 0);
  CHECK(reused(s) == 32);
}

TEST(engine_forgets_prefixes_when_an_adapter_comes_or_goes) {
  const Decoder decoder(small::config(true, 8));
  Pool pool(2);
  Policy policy(decoder.config, decoder.layout);
  small::randomise(policy, pool, 9);
  Prompts prompts;
  prompts.add(40, decoder.config.V);
  GenerateSettings s = settings_for(3, 20, 0.9f);
  s.keep_prefixes = true;
  const auto generate = [&](Engine& engine) { return engine.generate(policy, prompts.tokens.data(), prompts.offsets.data(), 1, s, {}); };
  Engine engine(decoder, pool);
  const auto as_a_fresh_one = [&](const AdapterLayout* layout) {
    const Generated got = generate(engine);
    Engine fresh(decoder, pool);
    fresh.adapt(layout);
    const Generated want = generate(fresh);
    CHECK(got.reused_tokens == 0);
    CHECK(got.tokens == want.tokens);
    CHECK(same_bits(got.raw_logprob, want.raw_logprob));
    return got;
  };
  const Generated plain = as_a_fresh_one(nullptr);
  // The weights keep their version: that they are read with an adapter now is said by adapt() alone.
  const small::Adapted adapted(policy, pool, decoder.config, "\"all-linear\"", 4);
  engine.adapt(adapted.layout());
  const Generated with = as_a_fresh_one(adapted.layout());
  CHECK(!same_bits(with.raw_logprob, plain.raw_logprob));
  CHECK(generate(engine).reused_tokens == 32);
  policy.adapter = nullptr;
  engine.adapt(nullptr);
  CHECK(same_bits(as_a_fresh_one(nullptr).raw_logprob, plain.raw_logprob));
}

TEST(engine_embeds_answers_like_a_pass_of_its_own) {
  const Decoder decoder(small::config(false, 0));
  Pool pool(2);
  Policy policy(decoder.config, decoder.layout);
  small::randomise(policy, pool, 10);
  Prompts prompts;
  for (int64_t n : {5, 16, 1, 33}) prompts.add(n, decoder.config.V);
  GenerateSettings s = settings_for(4, 24, 1.0f);
  Engine plain(decoder, pool);
  const Generated without = plain.generate(policy, prompts.tokens.data(), prompts.offsets.data(), 4, s, {});
  CHECK(without.embeddings.empty());
  RolloutBatch batch = view(without);
  std::vector<uint8_t> bits((without.tokens.size() + 7) / 8);
  for (int64_t r = 0; r < batch.B; ++r)
    for (int32_t t = without.offsets[size_t(r)] + without.prompt_length[size_t(r)]; t < without.offsets[size_t(r) + 1]; ++t)
      bits[size_t(t) / 8] |= uint8_t(1 << (t % 8));
  batch.loss_mask = {without.offsets.data(), bits.data(), 0};
  std::vector<float> want(size_t(batch.B * decoder.config.C));
  Trainer(decoder, pool).embed(policy, batch, 200, want.data(), {});

  s.embed = true;
  bool preempted = false;
  for (int64_t pages : {0, 5, 9})
    for (int64_t running : {1, 3, 64})
      for (int64_t new_tokens : {24, 1}) {
        s.pages = pages, s.max_running = running, s.max_new_tokens = new_tokens;
        Engine engine(decoder, pool);
        const Generated got = engine.generate(policy, prompts.tokens.data(), prompts.offsets.data(), 4, s, {});
        preempted = preempted || got.preemptions > 0;
        CHECK(got.embeddings.size() == want.size());
        if (new_tokens == 1) continue;  // the first token of each answer only
        CHECK(got.tokens == without.tokens);
        CHECK(same_bits(got.logprob, without.logprob));
        CHECK(same_bits(got.embeddings, want));
      }
  CHECK(preempted);
}
