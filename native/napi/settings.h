// Options objects of lib/native/addon.ts -> settings of the core, and metrics back.
#pragma once
#include <napi.h>

#include "napi/model_state.h"
#include "core/arena.h"
#include "rollout/engine.h"
#include "train/trainer.h"

namespace exitrl {

LossSettings loss_settings(const Napi::Value& value);
TrainSettings train_settings(const Napi::Value& value);
OptimizerSettings optimizer_settings(const Napi::Value& value);
// ModelOptions: the optional last argument of createModel(), loadModel() and planModel().
// dtype, device and exact; undefined: float32 on the CPU.
ModelOptions model_options(const Napi::Value& options);
GenerateSettings generate_settings(const Napi::Value& value);
// The filters alone: temperature, topK, topP, minP, repetitionPenalty.
SamplingSettings sampling_settings(const Napi::Value& value);

Napi::Object to_js(Napi::Env env, const TrainMetrics& metrics);
Napi::Object to_js(Napi::Env env, const UpdateMetrics& metrics);
Napi::Object to_js(Napi::Env env, const MemorySegments& segments);

}  // namespace exitrl
