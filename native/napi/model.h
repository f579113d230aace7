// NativeModel of lib/native/addon.ts.
#pragma once
#include <napi.h>

#include "napi/environment.h"
#include "napi/model_state.h"

namespace exitrl {

class Model : public Napi::ObjectWrap<Model> {
 public:
  static Napi::Function define(Napi::Env env);
  // createModel(configJson, seed) and loadModel(directory).
  static Napi::Value create(const Napi::CallbackInfo& info);
  static Napi::Value load(const Napi::CallbackInfo& info);
  explicit Model(const Napi::CallbackInfo& info);

 private:
  using Call = Napi::Value (Model::*)(const Napi::CallbackInfo&);
  template <Call method>
  Napi::Value checked(const Napi::CallbackInfo& info);
  template <Call method>
  Napi::Value promised(const Napi::CallbackInfo& info);
  static Napi::Value open(Napi::Env env, std::function<std::shared_ptr<ModelState>(SharedPool)> make);

  Napi::Value config(const Napi::CallbackInfo& info);
  static ModelState::SaveAs save_as(const Napi::Value& value, const char* name);
  Napi::Value config_as(const Napi::CallbackInfo& info);
  Napi::Value parameters(const Napi::CallbackInfo& info);
  Napi::Value parameter_count(const Napi::CallbackInfo& info);
  Napi::Value adapter(const Napi::CallbackInfo& info);
  Napi::Value device(const Napi::CallbackInfo& info);
  Napi::Value has_reference(const Napi::CallbackInfo& info);
  Napi::Value step(const Napi::CallbackInfo& info);
  void set_step(const Napi::CallbackInfo& info, const Napi::Value& value);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  Napi::Value zero_gradients(const Napi::CallbackInfo& info);
  Napi::Value plan(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);
  // model_jobs.cc: what runs on the executor.
  Napi::Value forward(const Napi::CallbackInfo& info);
  Napi::Value score(const Napi::CallbackInfo& info);
  Napi::Value embed(const Napi::CallbackInfo& info);
  Napi::Value generate(const Napi::CallbackInfo& info);
  Napi::Value accumulate(const Napi::CallbackInfo& info);
  Napi::Value update(const Napi::CallbackInfo& info);
  Napi::Value update_reference(const Napi::CallbackInfo& info);
  Napi::Value create_adapter(const Napi::CallbackInfo& info);
  Napi::Value load_adapter(const Napi::CallbackInfo& info);
  Napi::Value save_adapter(const Napi::CallbackInfo& info);
  Napi::Value merge_adapter(const Napi::CallbackInfo& info);
  Napi::Value fingerprint(const Napi::CallbackInfo& info);
  Napi::Value save_weights(const Napi::CallbackInfo& info);
  Napi::Value save_state(const Napi::CallbackInfo& info);
  Napi::Value load_state(const Napi::CallbackInfo& info);

  // Throws once the model is closed.
  const std::shared_ptr<ModelState>& state() const;
  // The same for synchronous access to the weights, which must not meet a running job.
  ModelState& idle_state(const char* call) const;
  using Work = std::function<Executor::Convert(ModelState&, std::stop_token)>;
  Napi::Value submit(Napi::Env env, const std::vector<Napi::Object>& pins, std::stop_token cancel, Work work);

  std::shared_ptr<ModelState> state_;
  std::shared_ptr<int> running_ = std::make_shared<int>(0);  // jobs not yet settled; JavaScript thread only
};

}  // namespace exitrl
