#include <napi.h>

#include "core/pool.h"
#include "core/simd/isa.h"

namespace {

Napi::Value doctor(const Napi::CallbackInfo& info) {
  auto result = Napi::Object::New(info.Env());
  result.Set("simd", exitrl::simd::name(exitrl::simd::isa()));
  result.Set("threads", exitrl::default_threads());
  return result;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("doctor", Napi::Function::New(env, doctor));
  return exports;
}

}  // namespace

NODE_API_MODULE(exit_rl, init)
