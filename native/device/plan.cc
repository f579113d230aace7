#include "device/model.h"
#include "device/rollout.h"

namespace exitrl::device {
namespace {

int64_t pass_bytes(const Decoder& decoder, const AdapterLayout* adapter, Precision precision, const PlannedBatch& planned,
                   const TrainSettings& train) {
  const DecoderConfig& c = decoder.config;
  const RolloutBatch batch = planned.view();
  PassSizes most;
  int64_t rows = train.micro_batch_tokens;
  const auto borders = micro_batch_borders(batch, train.micro_batch_tokens, Targets::loss_mask);
  MicroBatch micro;
  for (size_t m = 0; m + 1 < borders.size(); ++m) {
    fill(micro, batch, borders[m], borders[m + 1], Targets::loss_mask);
    rows = std::max(rows, micro.T());
    most.grow(micro, plan_pass(micro, c, 0, Workspace::Use::training));
  }
  Segments segments;
  PassMemory(segments, c, precision, rows, Workspace::Use::training, train.recompute, adapter, most);
  return segments.bytes();
}

int64_t rollout_bytes(const Decoder& decoder, const AdapterLayout* adapter, Precision precision, int64_t prompts, int64_t prompt_tokens,
                      const GenerateSettings& generate) {
  std::vector<int32_t> offsets;
  for (int64_t p = 0; p <= prompts; ++p) offsets.push_back(int32_t(p * prompt_tokens));
  Segments segments;
  RolloutMemory(segments, decoder.config, precision, RolloutSizes::of(decoder.config, offsets.data(), prompts, generate), adapter);
  return segments.bytes();
}

}  // namespace

MemorySegments plan_memory(const Decoder& decoder, const AdapterLayout* adapter, Precision precision, int64_t prompts,
                           int64_t prompt_tokens, const GenerateSettings& generate, const TrainSettings* train, bool reference, int64_t evaluated) {
  const int64_t number = 4 + (precision == Precision::bf16 ? 2 : 0);
  MemorySegments out{{"policy weights", decoder.layout.size * number}};
  if (adapter) out.push_back({"adapter", adapter->size * number});
  const int64_t trained = adapter ? adapter->size : decoder.layout.size;
  if (reference) out.push_back({adapter ? "adapter of the reference" : "reference weights", trained * number});
  if (train) out.push_back({"gradients and moments", 3 * trained * 4});
  out.push_back({"rotary angles", decoder.config.max_positions * decoder.config.D * 4});
  int64_t rollout = rollout_bytes(decoder, adapter, precision, prompts, prompt_tokens, generate);
  if (evaluated > 0) {
    GenerateSettings one = generate;
    one.samples_per_prompt = 1;
    one.keep_prefixes = true;  // as self-iteration does
    rollout = std::max(rollout, rollout_bytes(decoder, adapter, precision, evaluated, prompt_tokens, one));
  }
  const int64_t pass = train ? pass_bytes(decoder, adapter, precision,
                                          {prompts, generate.samples_per_prompt, prompt_tokens, generate.max_new_tokens}, *train)
                             : 0;
  out.push_back({rollout >= pass ? "working memory, for rollouts" : "working memory, for training", std::max(rollout, pass)});
  return out;
}

}  // namespace exitrl::device
