// What the addon keeps per JavaScript environment (the main thread and each worker has its own). No globals.
#pragma once
#include <napi.h>

#include <memory>
#include <optional>
#include <stop_token>

#include "core/pool.h"
#include "napi/blocks.h"
#include "napi/executor.h"

namespace exitrl {

// The threads of the environment's jobs. Only the executor's thread touches it, so it can be replaced between jobs.
using SharedPool = std::shared_ptr<std::optional<Pool>>;

struct Environment {
  Executor* executor = nullptr;  // owns itself, see executor.h
  std::shared_ptr<Blocks> blocks = Blocks::make();
  SharedPool pool;
  int threads = 1;
  Napi::FunctionReference model_class;
};

inline Environment& environment(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

// An object that JavaScript cancels jobs with.
class CancelToken : public Napi::ObjectWrap<CancelToken> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit CancelToken(const Napi::CallbackInfo& info);
  // The stop token of an optional argument.
  static std::stop_token of(const Napi::Value& value);

 private:
  Napi::Value cancel(const Napi::CallbackInfo& info);
  std::stop_source source_;
};

}  // namespace exitrl
