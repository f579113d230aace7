// Calls of one rollout after another, on the device and on the CPU: what an earlier call leaves must not show in a later one.
#include "../small_model.h"
#include "device/model.h"
#include "device_check.h"
#include "rollout/engine.h"

extern "C" const exitrl::device::Backend* exitrl_backend();

using namespace exitrl;
using namespace check;
using device::DeviceModel;
using device::Order;
using small::Prompts;
using small::settings_for;

namespace {

struct Both {
  Pool pool{1};
  Decoder decoder;
  Policy policy;
  Engine engine;
  DeviceModel device;
  explicit Both(const DecoderConfig& config)
      : decoder(config), policy(decoder.config, decoder.layout), engine(decoder, pool),
        device(*exitrl_backend(), 0, decoder, Precision::f32, Order::any) {
    small::randomise(policy, pool, 3);
    device.load_weights(policy.slab.data());
  }
  Generated on_cpu(const std::vector<int32_t>& tokens, const std::vector<int32_t>& offsets, const GenerateSettings& s) {
    return engine.generate(policy, tokens.data(), offsets.data(), int64_t(offsets.size()) - 1, s, {});
  }
  Generated on_device(const std::vector<int32_t>& tokens, const std::vector<int32_t>& offsets, const GenerateSettings& s) {
    return device.generate(tokens.data(), offsets.data(), int64_t(offsets.size()) - 1, s, {});
  }
};

}  // namespace

TEST(device_repetition_penalty_after_a_call_of_more_sequences) {
  Both both(small::config(true, 0));
  const Prompts many({5, 16, 1, 80}, both.decoder.config.V), one({9}, both.decoder.config.V);
  both.on_device(many.tokens, many.offsets, settings_for(16, 4, 0.8f));
  GenerateSettings s = settings_for(2, 12, 0.8f);
  s.sampling.repetition_penalty = 1.2f;
  for (int call = 0; call < 2; ++call) {
    const Generated want = both.on_cpu(one.tokens, one.offsets, s), got = both.on_device(one.tokens, one.offsets, s);
    CHECK(got.tokens == want.tokens);
    both.on_device(many.tokens, many.offsets, s);  // histories of more sequences, and longer ones
  }
}

// A conversation: every prompt is the one before, its answer and a little more. The pool grows with it.
TEST(device_reuses_the_pages_of_a_growing_conversation) {
  DecoderConfig config = small::config(true, 0);
  config.max_positions = 2000;
  Both both(config);
  GenerateSettings s = settings_for(1, 20, 0.8f);
  s.keep_prefixes = true;
  s.stop_tokens.clear();
  std::vector<int32_t> prompt;
  for (int32_t i = 0; i < 40; ++i) prompt.push_back(i % 53);
  for (int turn = 0; turn < 5; ++turn) {
    const std::vector<int32_t> offsets{0, int32_t(prompt.size())};
    const Generated want = both.on_cpu(prompt, offsets, s), got = both.on_device(prompt, offsets, s);
    CHECK(got.tokens == want.tokens);
    CHECK(got.reused_tokens == want.reused_tokens && (turn == 0 || got.reused_tokens >= 16 * turn));
    prompt = want.tokens;
    for (int32_t i = 0; i < 6; ++i) prompt.push_back(i);
  }
}

// Two prompts that begin alike and are computed side by side: the pages of the second hang below those of the first, which ends early.
TEST(kept_pages_below_which_others_are_held_are_given_back) {
  Both both(small::config(true, 0));
  std::vector<int32_t> tokens, offsets{0};
  for (int32_t p = 0; p < 2; ++p) {
    for (int32_t i = 0; i < 52; ++i) tokens.push_back(i < 32 ? i : (i * 5 + p) % 53);
    offsets.push_back(int32_t(tokens.size()));
  }
  GenerateSettings s = settings_for(1, 100, 0.8f);
  s.stop_tokens.clear();
  const Generated whole = both.on_cpu(tokens, offsets, s);
  const auto second = whole.tokens.begin() + whole.offsets[1] + 52;
  for (int64_t i = 55; i < whole.offsets[1] && s.stop_tokens.empty(); ++i)
    if (std::find(second, whole.tokens.end(), whole.tokens[size_t(i)]) == whole.tokens.end()) s.stop_tokens = {whole.tokens[size_t(i)]};
  CHECK(!s.stop_tokens.empty());
  const Generated want = both.on_cpu(tokens, offsets, s);
  s.keep_prefixes = true;
  s.pages = 11;
  CHECK(both.on_cpu(tokens, offsets, s).tokens == want.tokens);
  CHECK(both.on_device(tokens, offsets, s).tokens == want.tokens);
}
