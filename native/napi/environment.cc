#include "napi/environment.h"

#include "napi/napi_support.h"

namespace exitrl {
namespace {

// So that no other wrapped object passes for a token.
constexpr napi_type_tag kTag{0x8f0d6c1be2a34f57, 0xb1c40e7729d85a13};

}  // namespace

Napi::Function CancelToken::define(Napi::Env env) {
  return DefineClass(env, "CancelToken", {InstanceMethod<&CancelToken::cancel>("cancel")});
}

CancelToken::CancelToken(const Napi::CallbackInfo& info) : Napi::ObjectWrap<CancelToken>(info) {
  info.This().As<Napi::Object>().TypeTag(&kTag);
}

std::stop_token CancelToken::of(const Napi::Value& value) {
  if (value.IsUndefined() || value.IsNull()) return {};
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTag))
    fail(ErrorCode::invalid_argument, "cancel must be a CancelToken of this addon, it is " + describe(value));
  return Unwrap(value.As<Napi::Object>())->source_.get_token();
}

Napi::Value CancelToken::cancel(const Napi::CallbackInfo& info) {
  source_.request_stop();
  return info.Env().Undefined();
}

}  // namespace exitrl
