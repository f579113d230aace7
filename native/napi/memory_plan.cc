#include "napi/memory_plan.h"

#include "device/model.h"
#include "napi/napi_support.h"
#include "napi/settings.h"

namespace exitrl {

PlanRequest plan_request(const Napi::Value& value) {
  const Fields fields(value, "request");
  PlanRequest request;
  request.prompts = fields.integer("prompts", 1, 1 << 24);
  request.prompt_tokens = fields.integer("promptTokens", 1, 1 << 24);
  request.generate.samples_per_prompt = fields.integer("samplesPerPrompt", 1, 1 << 24);
  request.generate.max_new_tokens = fields.integer("newTokens", 1, 1 << 24);
  request.generate.max_running = fields.integer("maxRunning", 1, 1 << 24);
  request.generate.prefill_tokens = fields.integer("prefillTokens", 1, 1 << 24);
  request.generate.keep_prefixes = !fields.value("keepPrefixes").IsUndefined() && fields.boolean("keepPrefixes");
  require(request.prompts * request.prompt_tokens <= INT32_MAX,
          "request.prompts * request.promptTokens is more than one batch can hold (2^31 - 1 tokens)");
  request.training = fields.value("training").IsUndefined() || fields.boolean("training");
  request.train = train_settings(value);
  request.reference = fields.boolean("reference");
  if (!fields.value("evaluated").IsUndefined()) request.evaluated = fields.integer("evaluated", 0, 1 << 24);
  require(request.evaluated * request.prompt_tokens <= INT32_MAX,
          "request.evaluated * request.promptTokens is more than one batch can hold (2^31 - 1 tokens)");
  return request;
}

MemorySegments plan_memory(const Decoder& decoder, const AdapterLayout* adapter, const PlanRequest& request, bool on_device) {
  if (on_device)
    return device::plan_memory(decoder, adapter, decoder.config.precision, request.prompts, request.prompt_tokens, request.generate,
                               request.training ? &request.train : nullptr, request.reference, request.evaluated);
  const int64_t weights = decoder.layout.size * int64_t(sizeof(float)) + PackedWeights::bytes(decoder.config);
  const GenerateSettings& generate = request.generate;
  MemorySegments segments{{"policy weights", weights}};
  if (adapter) {
    const int64_t bytes = (adapter->size + adapter->packed_size) * int64_t(sizeof(float));
    segments.push_back({"adapter", bytes});
    if (request.reference) segments.push_back({"adapter of the reference", bytes});  // once it moves; before, it has none
  } else if (request.reference) {
    segments.push_back({"reference weights", weights});
  }
  if (request.training)
    for (auto& segment : Trainer::plan(decoder, request.prompts, generate.samples_per_prompt, request.prompt_tokens,
                                       generate.max_new_tokens, request.train.micro_batch_tokens, request.train.recompute, adapter))
      segments.push_back({"train: " + segment.name, segment.bytes});
  MemorySegments sampling = Engine::plan(decoder, request.prompts, request.prompt_tokens, generate, adapter);
  if (request.evaluated > 0) {
    GenerateSettings one = generate;
    one.samples_per_prompt = 1;
    one.keep_prefixes = true;  // as self-iteration does
    MemorySegments evaluation = Engine::plan(decoder, request.evaluated, request.prompt_tokens, one, adapter);
    if (total_bytes(evaluation) > total_bytes(sampling)) sampling = std::move(evaluation);
  }
  for (auto& segment : sampling)
    segments.push_back({"generate: " + segment.name, segment.bytes});
  return segments;
}

}  // namespace exitrl
