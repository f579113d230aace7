#include "napi/model.h"

#include <cstring>

#include "napi/memory_plan.h"
#include "napi/napi_support.h"
#include "napi/settings.h"

namespace exitrl {
namespace {

constexpr std::pair<const char*, WeightSet> kWeightSets[] = {{"policy", WeightSet::policy},
                                                             {"reference", WeightSet::reference},
                                                             {"gradient", WeightSet::gradient},
                                                             {"exp_avg", WeightSet::exp_avg},
                                                             {"exp_avg_sq", WeightSet::exp_avg_sq}};

WeightSet weight_set(const Napi::CallbackInfo& info, size_t i) {
  const std::string text = string_argument(info, i, "set");
  for (const auto& [name, set] : kWeightSets)
    if (text == name) return set;
  fail(ErrorCode::invalid_argument,
       "no set of weights is called \"" + text + "\"; there are policy, reference, gradient, exp_avg, exp_avg_sq");
}

// `dtypes`: of the parameters as they are saved; null: F32 all.
Napi::Array to_js(Napi::Env env, const ParameterList& list, const std::vector<Dtype>* dtypes) {
  auto out = Napi::Array::New(env, list.parameters.size());
  for (uint32_t i = 0; i < list.parameters.size(); ++i) {
    const Parameter& parameter = list.parameters[i];
    auto shape = Napi::Array::New(env, parameter.shape.size());
    for (uint32_t d = 0; d < parameter.shape.size(); ++d) shape[d] = Napi::Number::New(env, double(parameter.shape[d]));
    auto entry = Napi::Object::New(env);
    entry.Set("name", parameter.name);
    entry.Set("shape", shape);
    entry.Set("dtype", name(dtypes ? (*dtypes)[i] : Dtype::f32));
    out[i] = entry;
  }
  return out;
}

constexpr std::pair<const char*, ModelState::SaveAs> kSaveAs[] = {{"source", ModelState::SaveAs::source},
                                                                   {"master", ModelState::SaveAs::master},
                                                                   {"float32", ModelState::SaveAs::f32},
                                                                   {"bfloat16", ModelState::SaveAs::bf16},
                                                                   {"float16", ModelState::SaveAs::f16}};

// Marks the external that constructs a model: JavaScript cannot make one.
constexpr napi_type_tag kTag{0x2d1f8a7704be4c9e, 0x9a60d3c5e1187b42};
using Handle = std::shared_ptr<ModelState>;

}  // namespace

template <Model::Call method>
Napi::Value Model::checked(const Napi::CallbackInfo& info) {
  try {
    return (this->*method)(info);
  } catch (...) {
    throw to_js(info.Env(), std::current_exception());
  }
}

// What returns a promise never throws: wrong arguments reject it.
template <Model::Call method>
Napi::Value Model::promised(const Napi::CallbackInfo& info) {
  try {
    return (this->*method)(info);
  } catch (...) {
    return rejected(info.Env(), std::current_exception());
  }
}

Napi::Function Model::define(Napi::Env env) {
  return DefineClass(env, "NativeModel",
                     {InstanceAccessor<&Model::checked<&Model::config>>("config"),
                      InstanceAccessor<&Model::checked<&Model::parameters>>("parameters"),
                      InstanceAccessor<&Model::checked<&Model::parameter_count>>("parameterCount"),
                      InstanceAccessor<&Model::checked<&Model::adapter>>("adapter"),
                      InstanceAccessor<&Model::checked<&Model::has_reference>>("hasReference"),
                      InstanceAccessor<&Model::checked<&Model::step>, &Model::set_step>("step"),
                      InstanceAccessor<&Model::checked<&Model::device>>("device"),
                      InstanceMethod<&Model::checked<&Model::config_as>>("configAs"),
                      InstanceMethod<&Model::checked<&Model::read>>("read"),
                      InstanceMethod<&Model::checked<&Model::write>>("write"),
                      InstanceMethod<&Model::checked<&Model::zero_gradients>>("zeroGradients"),
                      InstanceMethod<&Model::checked<&Model::plan>>("plan"),
                      InstanceMethod<&Model::checked<&Model::close>>("close"),
                      InstanceMethod<&Model::promised<&Model::forward>>("forward"),
                      InstanceMethod<&Model::promised<&Model::score>>("score"),
                      InstanceMethod<&Model::promised<&Model::embed>>("embed"),
                      InstanceMethod<&Model::promised<&Model::generate>>("generate"),
                      InstanceMethod<&Model::promised<&Model::accumulate>>("accumulate"),
                      InstanceMethod<&Model::promised<&Model::update>>("update"),
                      InstanceMethod<&Model::promised<&Model::update_reference>>("updateReference"),
                      InstanceMethod<&Model::promised<&Model::create_adapter>>("createAdapter"),
                      InstanceMethod<&Model::promised<&Model::load_adapter>>("loadAdapter"),
                      InstanceMethod<&Model::promised<&Model::save_adapter>>("saveAdapter"),
                      InstanceMethod<&Model::promised<&Model::merge_adapter>>("mergeAdapter"),
                      InstanceMethod<&Model::promised<&Model::fingerprint>>("fingerprint"),
                      InstanceMethod<&Model::promised<&Model::save_weights>>("saveWeights"),
                      InstanceMethod<&Model::promised<&Model::save_state>>("saveState"),
                      InstanceMethod<&Model::promised<&Model::load_state>>("loadState")});
}

Model::Model(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Model>(info) {
  if (!info[0].IsExternal() || !info[0].As<Napi::External<Handle>>().CheckTypeTag(&kTag))
    throw Napi::TypeError::New(info.Env(), "models are made by createModel() and loadModel()");
  state_ = *info[0].As<Napi::External<Handle>>().Data();
}

Napi::Value Model::open(Napi::Env env, std::function<Handle(SharedPool)> make) {
  const auto& own = environment(env);
  const int threads = own.threads;
  return own.executor->submit(env, {}, {}, [pool = own.pool, threads, make](std::stop_token) -> Executor::Convert {
    if (!*pool) pool->emplace(threads);
    const Handle state = make(pool);
    return [state](Napi::Env env) -> Napi::Value {
      Handle handle = state;
      auto external = Napi::External<Handle>::New(env, &handle);
      external.TypeTag(&kTag);
      return environment(env).model_class.New({external});
    };
  });
}

Napi::Value Model::create(const Napi::CallbackInfo& info) {
  const std::string config = string_argument(info, 0, "configJson");
  const auto seed = uint64_t(integer_argument(info[1], "seed", 0, kMaxSafeInteger));
  const ModelOptions options = model_options(info[2]);
  return open(info.Env(), [=](SharedPool pool) { return ModelState::create(config, seed, options, std::move(pool)); });
}

Napi::Value Model::load(const Napi::CallbackInfo& info) {
  const std::string directory = string_argument(info, 0, "directory");
  const ModelOptions options = model_options(info[1]);
  return open(info.Env(), [=](SharedPool pool) { return ModelState::load(directory, options, std::move(pool)); });
}

const Handle& Model::state() const {
  require(state_ != nullptr, "the model is closed");
  return state_;
}

ModelState& Model::idle_state(const char* call) const {
  ModelState& found = *state();
  require(*running_ == 0, std::string(call) + " while another call on the model is running: await that first");
  return found;
}

Napi::Value Model::submit(Napi::Env env, const std::vector<Napi::Object>& pins, std::stop_token cancel, Work work) {
  ++*running_;
  const std::shared_ptr<void> running(nullptr, [count = running_](void*) { --*count; });
  return environment(env).executor->submit(
      env, pins, std::move(cancel),
      [state = state(), running, work = std::move(work)](std::stop_token stop) { return work(*state, std::move(stop)); });
}

Napi::Value Model::config(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), state()->decoder.config.json); }

ModelState::SaveAs Model::save_as(const Napi::Value& value, const char* argument) {
  for (const auto& [word, as] : kSaveAs)
    if (value.IsString() && value.As<Napi::String>().Utf8Value() == word) return as;
  fail(ErrorCode::invalid_argument,
       std::string(argument) + " must be source, master, float32, bfloat16 or float16, it is " + describe(value));
}

Napi::Value Model::config_as(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), state()->config_json(save_as(info[0], "dtype")));
}

Napi::Value Model::parameters(const Napi::CallbackInfo& info) { return to_js(info.Env(), state()->decoder.layout, &state()->dtypes); }

Napi::Value Model::adapter(const Napi::CallbackInfo& info) {
  const Adapter* adapter = idle_state("adapter").adapter();
  if (!adapter) return info.Env().Null();
  auto out = Napi::Object::New(info.Env());
  out.Set("config", adapter->layout->config.json());
  out.Set("parameters", to_js(info.Env(), *adapter->layout, nullptr));
  out.Set("parameterCount", double(adapter->layout->count));
  return out;
}

Napi::Value Model::parameter_count(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), double(state()->decoder.layout.count));
}
Napi::Value Model::device(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), state()->device_name()); }
Napi::Value Model::has_reference(const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), state()->has_reference); }
Napi::Value Model::step(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), double(state()->step)); }

void Model::set_step(const Napi::CallbackInfo& info, const Napi::Value& value) {
  try {
    ModelState& model = idle_state("step");
    model.set_step(integer_argument(value, "step", 0, kMaxSafeInteger));
  } catch (...) {
    throw to_js(info.Env(), std::current_exception());
  }
}

Napi::Value Model::read(const Napi::CallbackInfo& info) {
  ModelState& model = idle_state("read()");
  const std::string name = string_argument(info, 0, "name");
  const auto [parameter, data, shared] = model.find(name, weight_set(info, 1));
  auto out = Napi::Float32Array::New(info.Env(), size_t(parameter.size));
  std::memcpy(out.Data(), data, size_t(parameter.size) * sizeof(float));
  return out;
}

Napi::Value Model::write(const Napi::CallbackInfo& info) {
  ModelState& model = idle_state("write()");
  const std::string name = string_argument(info, 0, "name");
  const WeightSet set = weight_set(info, 1);
  const auto [parameter, data, shared] = model.find(name, set);
  require(!shared, name + ": the reference has the policy's weights beside an adapter; write to those");
  const auto values = floats_argument(info[2], "values");
  require(int64_t(values.ElementLength()) == parameter.size,
          parameter.name + " has " + std::to_string(parameter.size) + " values, got " + std::to_string(values.ElementLength()));
  std::memcpy(data, values.Data(), size_t(parameter.size) * sizeof(float));
  model.touch(set);
  return info.Env().Undefined();
}

Napi::Value Model::zero_gradients(const Napi::CallbackInfo& info) {
  idle_state("zeroGradients()").zero_gradients();
  return info.Env().Undefined();
}

Napi::Value Model::plan(const Napi::CallbackInfo& info) {
  const ModelState& model = idle_state("plan()");  // a job may be replacing the adapter
  const Adapter* const adapter = model.adapter();
  return to_js(info.Env(), plan_memory(model.decoder, adapter ? adapter->layout.get() : nullptr, plan_request(info[0]), model.device != nullptr));
}

// Jobs that were started hold the state too: they finish, then its memory goes.
Napi::Value Model::close(const Napi::CallbackInfo& info) {
  state_.reset();
  return info.Env().Undefined();
}

}  // namespace exitrl
