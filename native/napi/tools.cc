#include "napi/tools.h"

#include <algorithm>
#include <sstream>

#include "bench/bench.h"
#include "core/buffer.h"
#include "core/simd/isa.h"
#include "device/bench.h"
#include "device/plugin.h"
#include "ops/matmul/amx.h"
#include "io/safetensors.h"
#include "napi/environment.h"
#include "napi/napi_support.h"
#include "napi/settings.h"

namespace exitrl {
namespace {

template <class Array, class Element>
Array widened(Napi::Env env, const SafetensorsFile& file, const Tensor& tensor) {
  std::vector<Element> values(size_t(tensor.count));
  file.read_bytes(tensor, reinterpret_cast<std::byte*>(values.data()));
  auto out = Array::New(env, values.size());
  std::copy(values.begin(), values.end(), out.Data());
  return out;
}

Napi::Value values_of(Napi::Env env, const SafetensorsFile& file, const Tensor& tensor) {
  switch (tensor.dtype) {
    case Dtype::f64: return widened<Napi::Float64Array, double>(env, file, tensor);
    case Dtype::i64: return widened<Napi::Float64Array, int64_t>(env, file, tensor);
    case Dtype::i32: return widened<Napi::Int32Array, int32_t>(env, file, tensor);
    case Dtype::u8:
    case Dtype::boolean: return widened<Napi::Uint8Array, uint8_t>(env, file, tensor);
    default: break;
  }
  auto out = Napi::Float32Array::New(env, size_t(tensor.count));
  file.read(tensor, out.Data());
  return out;
}

Napi::Object to_js(Napi::Env env, const device::DeviceInfo& info) {
  std::vector<std::string> libraries;
  std::string line;
  for (std::istringstream text(info.libraries); std::getline(text, line);) libraries.push_back(line);
  auto out = Napi::Object::New(env);
  out.Set("name", info.name);
  out.Set("note", info.note);
  out.Set("compute", info.compute);
  out.Set("multiprocessors", info.multiprocessors);
  out.Set("memoryBytes", double(info.memory_bytes));
  out.Set("freeBytes", double(info.free_bytes));
  out.Set("reserveBytes", double(info.reserve_bytes));
  out.Set("driver", info.driver);
  out.Set("runtime", info.runtime);
  out.Set("libraries", strings(env, libraries));
  return out;
}

Napi::Object cuda_facts(Napi::Env env) {
  const device::Plugin& plugin = device::plugin();
  std::string reason = plugin.reason;
  auto devices = Napi::Array::New(env);
  if (plugin.backend) {
    device::Status status;
    const int32_t count = plugin.backend->device_count(&status);
    if (status.code != 0) reason = status.message;
    else if (count == 0) reason = "no CUDA device was found";
    for (int32_t i = 0; status.code == 0 && i < count; ++i) {
      device::DeviceInfo info;
      plugin.backend->describe(i, &info, &status);
      if (status.code != 0) reason = status.message;
      else devices[uint32_t(i)] = to_js(env, info);
    }
  }
  auto out = Napi::Object::New(env);
  out.Set("version", plugin.backend ? Napi::Value(Napi::String::New(env, plugin.backend->version)) : env.Null());
  out.Set("path", plugin.path);
  out.Set("reason", reason);
  out.Set("devices", devices);
  return out;
}

}  // namespace

Napi::Value doctor(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Environment& own = environment(env);
  std::vector<std::string> available, failures;
  for (const simd::Isa isa : simd::available()) {
    available.push_back(simd::name(isa));
    if (const std::string failed = simd::self_check(isa); !failed.empty()) failures.push_back(available.back() + ": " + failed);
  }
  auto out = Napi::Object::New(env);
  out.Set("simd", simd::name(simd::isa()));
  out.Set("bf16", name(bf16_unit()));
  out.Set("simdAvailable", strings(env, available));
  out.Set("simdFailures", strings(env, failures));
  out.Set("threads", own.threads);
#if defined(__clang__)
  out.Set("compiler", __VERSION__);
#else
  out.Set("compiler", "GCC " __VERSION__);
#endif
  out.Set("cuda", cuda_facts(env));
  out.Set("blocks", double(own.blocks->counts()->blocks));
  out.Set("bufferBytes", double(buffer_bytes.load()));
  out.Set("blockBytes", double(own.blocks->counts()->bytes));
  return out;
}

// Takes effect between jobs: those already submitted run with the threads they have.
Napi::Value set_threads(const Napi::CallbackInfo& info) {
  Environment& own = environment(info.Env());
  own.threads = int(integer_argument(info[0], "threads", 1, 1024));
  own.executor->submit(info.Env(), {}, {}, [pool = own.pool, threads = own.threads](std::stop_token) -> Executor::Convert {
    pool->emplace(threads);
    return [](Napi::Env env) -> Napi::Value { return env.Undefined(); };
  });
  return info.Env().Undefined();
}

Napi::Value set_bf16(const Napi::CallbackInfo& info) {
  force_bf16_unit(string_argument(info, 0, "name"));
  return info.Env().Undefined();
}

Napi::Value set_simd(const Napi::CallbackInfo& info) {
  simd::force(string_argument(info, 0, "name"));
  return info.Env().Undefined();
}

Napi::Value release(const Napi::CallbackInfo& info) {
  environment(info.Env()).blocks->release(info[0]);
  return info.Env().Undefined();
}

Napi::Value read_safetensors(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const SafetensorsFile file(string_argument(info, 0, "path"));
  auto list = Napi::Array::New(env, file.tensors().size());
  for (uint32_t i = 0; i < file.tensors().size(); ++i) {
    const Tensor& tensor = file.tensors()[i];
    auto shape = Napi::Array::New(env, tensor.shape.size());
    for (uint32_t d = 0; d < tensor.shape.size(); ++d) shape[d] = Napi::Number::New(env, double(tensor.shape[d]));
    auto entry = Napi::Object::New(env);
    entry.Set("name", tensor.name);
    entry.Set("dtype", name(tensor.dtype));
    entry.Set("shape", shape);
    entry.Set("data", values_of(env, file, tensor));
    list[i] = entry;
  }
  return list;
}

namespace {

Napi::Object to_js(Napi::Env env, const BenchResult& result) {
  auto seconds = Napi::Array::New(env, result.seconds.size());
  for (uint32_t i = 0; i < result.seconds.size(); ++i) seconds[i] = Napi::Number::New(env, result.seconds[i]);
  auto out = Napi::Object::New(env);
  out.Set("seconds", seconds);
  auto rival = Napi::Array::New(env, result.rival.size());
  for (uint32_t i = 0; i < result.rival.size(); ++i) rival[i] = Napi::Number::New(env, result.rival[i]);
  out.Set("rival", rival);
  out.Set("flops", result.flops);
  out.Set("bytes", result.bytes);
  return out;
}

}  // namespace

Napi::Value bench(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string op = string_argument(info, 0, "op");
  require(info[1].IsArray(), "shape must be an array of sizes, it is " + describe(info[1]));
  std::vector<int64_t> shape;
  for (uint32_t i = 0; i < info[1].As<Napi::Array>().Length(); ++i)
    shape.push_back(integer_argument(Napi::Value(info[1].As<Napi::Array>()[i]), "a size of shape", 1, int64_t{1} << 40));
  Pool pool(environment(env).threads);
  return to_js(env, run_bench(pool, op, shape, integer_argument(info[2], "repeats", 1, 1'000'000)));
}

Napi::Value bench_device(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int32_t ordinal = device::device_ordinal(string_argument(info, 0, "device"));
  require(ordinal >= 0, "benchDevice() times a device, not the CPU");
  const std::string op = string_argument(info, 1, "op");
  require(info[2].IsArray(), "shape must be an array of sizes, it is " + describe(info[2]));
  std::vector<int64_t> shape;
  for (uint32_t i = 0; i < info[2].As<Napi::Array>().Length(); ++i)
    shape.push_back(integer_argument(Napi::Value(info[2].As<Napi::Array>()[i]), "a size of shape", 1, int64_t{1} << 40));
  const ModelOptions options = model_options(info[3]);
  const int64_t repeats = integer_argument(info[4], "repeats", 1, 1'000'000);
  device::Device device(*device::plugin().backend, ordinal);
  if (info[5].IsUndefined()) return to_js(env, device::run_bench(device, op, shape, options.precision, repeats));
  return to_js(env, device::run_bench(device, op, shape, options.precision, repeats, info[5].ToNumber().DoubleValue()));
}

Napi::Value bench_file(const Napi::CallbackInfo& info) {
  Pool pool(environment(info.Env()).threads);
  return to_js(info.Env(), bench_mapped_file(pool, string_argument(info, 0, "path"), integer_argument(info[1], "repeats", 1, 1'000'000)));
}

}  // namespace exitrl
