// What is in a checkpoint folder and what it would take to run it, without loading it.
#include "device/model.h"
#include "device/plugin.h"
#include "io/checkpoint.h"
#include "io/file.h"
#include "models/adapter.h"
#include "napi/memory_plan.h"
#include "napi/napi_support.h"
#include "napi/settings.h"
#include "napi/tools.h"

namespace exitrl {
namespace {

Napi::Object to_js(Napi::Env env, const Checkpoint::Entry& entry) {
  auto shape = Napi::Array::New(env, entry.tensor->shape.size());
  for (uint32_t d = 0; d < entry.tensor->shape.size(); ++d) shape[d] = Napi::Number::New(env, double(entry.tensor->shape[d]));
  auto out = Napi::Object::New(env);
  out.Set("name", entry.tensor->name);
  out.Set("shape", shape);
  out.Set("dtype", name(entry.tensor->dtype));
  out.Set("bytes", double(entry.tensor->count) * double(size_of(entry.tensor->dtype)));
  return out;
}

}  // namespace

// Reads headers only, and checks what loading would check of them.
Napi::Value inspect_checkpoint(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string directory = string_argument(info, 0, "directory"), path = directory + "/config.json";
  const DecoderConfig config = parse_config(read_file(path), path);
  const Layout layout = make_layout(config);
  const Checkpoint checkpoint(directory);
  const auto entries = checkpoint.match(config, layout);
  auto parameters = Napi::Array::New(env, entries.size()), files = Napi::Array::New(env, checkpoint.files().size());
  for (uint32_t i = 0; i < entries.size(); ++i) parameters[i] = to_js(env, entries[i]);
  for (uint32_t i = 0; i < checkpoint.files().size(); ++i) {
    auto file = Napi::Object::New(env);
    file.Set("path", checkpoint.files()[i]->path());
    file.Set("bytes", double(checkpoint.files()[i]->size()));
    files[i] = file;
  }
  auto out = Napi::Object::New(env);
  out.Set("config", config.json);
  out.Set("parameterCount", double(layout.count));
  out.Set("parameters", parameters);
  out.Set("files", files);
  return out;
}

Napi::Value plan_model(const Napi::CallbackInfo& info) {
  DecoderConfig config = parse_config(string_argument(info, 0, "configJson"), "config.json");
  const ModelOptions device = model_options(info[2]);
  const std::string beyond = device.device == "cpu" ? "" : device::beyond_device(config, device.precision);
  const bool is_auto = device.device == "auto";
  require(beyond.empty() || is_auto, "device " + device.device + ": " + beyond);
  const bool on_device = is_auto ? beyond.empty() && device::device_ordinal("auto") >= 0 : device.device != "cpu";
  if (!on_device) config.max_positions = 1;  // no plan of the host depends on them, and the decoder's table of angles does
  config.precision = device.precision;
  std::shared_ptr<const AdapterLayout> adapter;
  if (!info[2].IsUndefined())
    if (const Fields options(info[2], "options"); !options.value("adapter").IsUndefined())
      adapter = make_adapter_layout(config, parse_adapter_config(options.string("adapter"), "adapter_config.json"));
  const Decoder decoder(std::move(config));
  Napi::Object out = to_js(info.Env(), plan_memory(decoder, adapter.get(), plan_request(info[1]), on_device));
  out.Set("parameterCount", double(decoder.layout.count));
  out.Set("trainedCount", double(adapter ? adapter->count : decoder.layout.count));
  return out;
}

}  // namespace exitrl
