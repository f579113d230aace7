// How much memory a model will hold, before anything is allocated.
#pragma once
#include <napi.h>

#include "core/arena.h"
#include "rollout/engine.h"
#include "train/trainer.h"

namespace exitrl {

struct PlanRequest {
  int64_t prompts = 1, prompt_tokens = 1;
  GenerateSettings generate;  // samples_per_prompt, max_new_tokens, max_running, prefill_tokens, keep_prefixes
  TrainSettings train;
  bool training = true;       // false: what generation needs, alone
  bool reference = false;
  int64_t evaluated = 0;      // sequences of an evaluation, each with a prompt of its own
};
PlanRequest plan_request(const Napi::Value& value);
// `adapter`: of the model, or null. on_device: memory of a device, else of the host.
MemorySegments plan_memory(const Decoder& decoder, const AdapterLayout* adapter, const PlanRequest& request, bool on_device);

}  // namespace exitrl
