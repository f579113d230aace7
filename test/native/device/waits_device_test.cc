// How often the host waits for the device: calls of the backend's table are counted.
#include "../small_model.h"
#include "device/model.h"
#include "device_check.h"

extern "C" const exitrl::device::Backend* exitrl_backend();

using namespace exitrl;
using namespace check;
using device::Backend;
using device::Instance;
using device::Status;

namespace {

struct Counts {
  int waits = 0;   // for all of the device's work
  int memory = 0;  // allocations and releases of either kind, most of which wait as well
};
Counts counts;

Backend counting_backend() {
  Backend b = *exitrl_backend();
  b.synchronise = [](Instance* i, Status* s) { ++counts.waits, exitrl_backend()->synchronise(i, s); };
  b.allocate = [](Instance* i, int64_t n, Status* s) { return ++counts.memory, exitrl_backend()->allocate(i, n, s); };
  b.release = [](Instance* i, void* p) { ++counts.memory, exitrl_backend()->release(i, p); };
  b.allocate_pinned = [](Instance* i, int64_t n, Status* s) { return ++counts.memory, exitrl_backend()->allocate_pinned(i, n, s); };
  b.release_pinned = [](Instance* i, void* p) { ++counts.memory, exitrl_backend()->release_pinned(i, p); };
  return b;
}

template <class Body>
Counts during(Body&& body) {
  counts = {};
  body();
  return counts;
}

}  // namespace

TEST(device_steps_wait_for_their_results_only) {
  Decoder decoder(small::config(true, 0));
  Pool pool(1);
  Policy policy(decoder.config, decoder.layout);
  small::randomise(policy, pool, 3);
  const Backend backend = counting_backend();
  device::DeviceModel model(backend, 0, decoder, Precision::bf16, device::Order::any);
  model.load_weights(policy.slab.data());
  const small::Batch sequences(decoder.config.V);
  RolloutBatch batch = sequences.view();
  const std::vector<float> old(sequences.tokens.size(), -3.9f);
  batch.logprob = {sequences.offsets.data(), old.data()};
  Floats logprob(sequences.tokens.size()), entropy(sequences.tokens.size());
  GenerateSettings generate;
  generate.max_new_tokens = 20;
  generate.samples_per_prompt = 2;
  const std::vector<int32_t> prompt{1, 2, 3}, offsets{0, 3};

  for (int step = 0; step < 10; ++step) {
    // Memory grows in a first step; the staged arrays lie in eight places in turn.
    const bool first = step == 0, growing = step < 8;
    for (const double top_entropy : {1.0, 0.4}) {
      LossSettings loss;
      loss.top_entropy = top_entropy;
      loss.ratio = step % 2 == 0 ? RatioLevel::token : RatioLevel::sequence_mean;
      const Counts train = during([&] {
        CHECK(model.accumulate(batch, loss, {8, Recompute::none}, {}).micro_batches == 3);
      });
      CHECK(train.waits == 1 || first);
      CHECK(train.memory == 0 || growing);
    }
    const Counts score = during([&] { model.score(false, batch, 1.0, 8, logprob.data(), entropy.data(), {}); });
    CHECK(score.waits == 1 || first);
    CHECK(score.memory == 0 || growing);
    const Counts update = during([&] { model.update({}); });
    CHECK(update.waits == 1 || first);
    CHECK(update.memory == 0 || growing);
    const Counts rollout = during([&] {
      CHECK(model.generate(prompt.data(), offsets.data(), 1, generate, {}).decode_steps >= 20);
    });
    CHECK(rollout.waits == 0 || first);
    CHECK(rollout.memory == 0 || growing);
  }
}
