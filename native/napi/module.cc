// The surface of lib/native/addon.ts.
#include "napi/environment.h"
#include "napi/model.h"
#include "napi/napi_support.h"
#include "napi/tools.h"

namespace exitrl {
namespace {

template <Napi::Value (*function)(const Napi::CallbackInfo&)>
void expose(Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<guarded<function>>(exports.Env(), name));
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  auto* own = new Environment;
  own->threads = default_threads();
  own->pool = std::make_shared<std::optional<Pool>>();
  own->executor = new Executor(env);
  own->model_class = Napi::Persistent(Model::define(env));
  env.SetInstanceData(own);

  exports.Set("createModel", Napi::Function::New<promised<&Model::create>>(env, "createModel"));
  exports.Set("loadModel", Napi::Function::New<promised<&Model::load>>(env, "loadModel"));
  exports.Set("CancelToken", CancelToken::define(env));
  expose<doctor>(exports, "doctor");
  expose<set_threads>(exports, "setThreads");
  expose<set_simd>(exports, "setSimd");
  expose<set_bf16>(exports, "setBf16");
  expose<release>(exports, "release");
  expose<read_safetensors>(exports, "readSafetensors");
  expose<bench>(exports, "bench");
  expose<bench_device>(exports, "benchDevice");
  expose<bench_file>(exports, "benchFile");
  expose<policy_loss>(exports, "policyLoss");
  expose<filtered>(exports, "filteredDistribution");
  expose<inspect_column>(exports, "inspectColumn");
  expose<inspect_checkpoint>(exports, "inspectCheckpoint");
  expose<plan_model>(exports, "planModel");
  return exports;
}

}  // namespace
}  // namespace exitrl

static Napi::Object init(Napi::Env env, Napi::Object exports) { return exitrl::initialise(env, exports); }
NODE_API_MODULE(exit_rl, init)
