// Calls of the addon that need no model.
#pragma once
#include <napi.h>

namespace exitrl {

Napi::Value doctor(const Napi::CallbackInfo& info);
Napi::Value set_threads(const Napi::CallbackInfo& info);
Napi::Value set_simd(const Napi::CallbackInfo& info);
Napi::Value set_bf16(const Napi::CallbackInfo& info);
Napi::Value release(const Napi::CallbackInfo& info);
Napi::Value read_safetensors(const Napi::CallbackInfo& info);
Napi::Value bench(const Napi::CallbackInfo& info);
Napi::Value bench_device(const Napi::CallbackInfo& info);
Napi::Value bench_file(const Napi::CallbackInfo& info);
Napi::Value policy_loss(const Napi::CallbackInfo& info);
Napi::Value filtered(const Napi::CallbackInfo& info);
Napi::Value inspect_column(const Napi::CallbackInfo& info);
Napi::Value inspect_checkpoint(const Napi::CallbackInfo& info);
Napi::Value plan_model(const Napi::CallbackInfo& info);

}  // namespace exitrl
