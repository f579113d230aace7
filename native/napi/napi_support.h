// What every file here needs: errors across the border, and arguments that say what is wrong with them.
#pragma once
#include <napi.h>

#include <exception>
#include <string>
#include <vector>

#include "core/status.h"

namespace exitrl {

// Any C++ exception as a JavaScript Error with a `code`.
Napi::Error to_js(Napi::Env env, std::exception_ptr failure);

// Wraps a callback so that no C++ exception crosses into Node.
template <Napi::Value (*function)(const Napi::CallbackInfo&)>
Napi::Value guarded(const Napi::CallbackInfo& info) {
  try {
    return function(info);
  } catch (...) {
    throw to_js(info.Env(), std::current_exception());
  }
}

// A promise rejected with it.
Napi::Value rejected(Napi::Env env, std::exception_ptr failure);
// The same as guarded() for functions that return promises: wrong arguments reject.
template <Napi::Value (*function)(const Napi::CallbackInfo&)>
Napi::Value promised(const Napi::CallbackInfo& info) {
  try {
    return function(info);
  } catch (...) {
    return rejected(info.Env(), std::current_exception());
  }
}

// "a number", "undefined", "an array": what a value is, for messages.
std::string describe(const Napi::Value& value);

// Typed access to the fields of an options object; errors start with "<where>.<key>".
class Fields {
 public:
  Fields(const Napi::Value& value, std::string where);
  double number(const char* key) const;                              // finite
  double number(const char* key, double low, double high) const;     // in [low, high]
  double above(const char* key, double low) const;                   // finite and > low
  int64_t integer(const char* key, int64_t low, int64_t high) const;
  bool boolean(const char* key) const;
  Napi::Value value(const char* key) const { return object_.Get(key); }
  [[noreturn]] void invalid(const std::string& key, const std::string& what) const;

  // One of the words in `table`: {{"token", RatioLevel::token}, ...}.
  template <class T, size_t N>
  T word(const char* key, const std::pair<const char*, T> (&table)[N]) const {
    const std::string text = string(key);
    for (const auto& [name, value] : table)
      if (text == name) return value;
    std::string known;
    for (const auto& [name, value] : table) known += (known.empty() ? "" : ", ") + std::string(name);
    invalid(key, "must be one of " + known + ", it is \"" + text + "\"");
  }
  std::string string(const char* key) const;

 private:
  Napi::Object object_;
  std::string where_;
};

// Positional arguments.
std::string string_argument(const Napi::CallbackInfo& info, size_t i, const char* name);
int64_t integer_argument(const Napi::Value& value, const char* name, int64_t low, int64_t high);

template <class Array>
Array array_argument(const Napi::Value& value, const char* name, napi_typedarray_type type, const char* type_name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type)
    fail(ErrorCode::invalid_argument, std::string(name) + " must be " + type_name + ", it is " + describe(value));
  return value.As<Array>();
}
inline Napi::Float32Array floats_argument(const Napi::Value& value, const char* name) {
  return array_argument<Napi::Float32Array>(value, name, napi_float32_array, "a Float32Array");
}
inline Napi::Int32Array ints_argument(const Napi::Value& value, const char* name) {
  return array_argument<Napi::Int32Array>(value, name, napi_int32_array, "an Int32Array");
}

Napi::Array strings(Napi::Env env, const std::vector<std::string>& values);

constexpr int64_t kMaxSafeInteger = (int64_t{1} << 53) - 1;

}  // namespace exitrl
