#include "napi/napi_support.h"

#include <cmath>
#include <sstream>

namespace exitrl {

Napi::Error to_js(Napi::Env env, std::exception_ptr failure) {
  const auto make = [env](const char* what, ErrorCode code) {
    Napi::Error error = Napi::Error::New(env, what);
    error.Set("code", name(code));
    return error;
  };
  try {
    std::rethrow_exception(failure);
  } catch (const Napi::Error& error) {
    return error;
  } catch (const Error& error) {
    return make(error.what(), error.code);
  } catch (const std::bad_alloc&) {
    return make("out of memory", ErrorCode::out_of_memory);
  } catch (const std::exception& error) {
    return make(error.what(), ErrorCode::internal);
  } catch (...) {
    return make("unknown native exception", ErrorCode::internal);
  }
}

Napi::Value rejected(Napi::Env env, std::exception_ptr failure) {
  const auto deferred = Napi::Promise::Deferred::New(env);
  deferred.Reject(to_js(env, failure).Value());
  return deferred.Promise();
}

std::string describe(const Napi::Value& value) {
  if (value.IsNumber()) {
    const double number = value.As<Napi::Number>().DoubleValue();
    return std::isnan(number) ? "NaN" : value.ToString().Utf8Value();
  }
  if (value.IsString()) return "\"" + value.As<Napi::String>().Utf8Value() + "\"";
  if (value.IsArray()) return "an array";
  if (value.IsTypedArray()) return "another typed array";
  if (value.IsObject()) return "an object";
  if (value.IsSymbol()) return "a symbol";
  return value.ToString().Utf8Value();  // undefined, null, true, false, a bigint
}

Fields::Fields(const Napi::Value& value, std::string where) : where_(std::move(where)) {
  if (!value.IsObject()) fail(ErrorCode::invalid_argument, where_ + " must be an object, it is " + describe(value));
  object_ = value.As<Napi::Object>();
}

void Fields::invalid(const std::string& key, const std::string& what) const {
  fail(ErrorCode::invalid_argument, where_ + "." + key + " " + what);
}

double Fields::number(const char* key) const {
  const Napi::Value found = value(key);
  const double number = found.IsNumber() ? found.As<Napi::Number>().DoubleValue() : std::nan("");
  if (!std::isfinite(number)) invalid(key, "must be a finite number, it is " + describe(found));
  return number;
}

double Fields::number(const char* key, double low, double high) const {
  const double found = number(key);
  if (found >= low && found <= high) return found;
  std::ostringstream range;
  range << "must lie in [" << low << ", " << high << "], it is ";
  invalid(key, range.str() + describe(value(key)));
}

double Fields::above(const char* key, double low) const {
  const double found = number(key);
  if (!(found > low)) invalid(key, "must be above " + std::to_string(int64_t(low)) + ", it is " + describe(value(key)));
  return found;
}

int64_t Fields::integer(const char* key, int64_t low, int64_t high) const {
  const Napi::Value found = value(key);
  const double number = found.IsNumber() ? found.As<Napi::Number>().DoubleValue() : std::nan("");
  if (number >= double(low) && number <= double(high) && number == std::floor(number)) return int64_t(number);
  return integer_argument(found, (where_ + "." + key).c_str(), low, high);
}

bool Fields::boolean(const char* key) const {
  const Napi::Value found = value(key);
  if (!found.IsBoolean()) invalid(key, "must be true or false, it is " + describe(found));
  return found.As<Napi::Boolean>().Value();
}

std::string Fields::string(const char* key) const {
  const Napi::Value found = value(key);
  if (!found.IsString()) invalid(key, "must be a string, it is " + describe(found));
  return found.As<Napi::String>().Utf8Value();
}

std::string string_argument(const Napi::CallbackInfo& info, size_t i, const char* name) {
  if (!info[i].IsString()) fail(ErrorCode::invalid_argument, std::string(name) + " must be a string, it is " + describe(info[i]));
  const std::string text = info[i].As<Napi::String>().Utf8Value();
  require(text.find('\0') == std::string::npos, std::string(name) + " contains a zero character");
  return text;
}

int64_t integer_argument(const Napi::Value& value, const char* name, int64_t low, int64_t high) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : std::nan("");
  if (!(number >= double(low) && number <= double(high)) || number != std::floor(number))
    fail(ErrorCode::invalid_argument, std::string(name) + " must be an integer from " + std::to_string(low) + " to " +
                                          std::to_string(high) + ", it is " + describe(value));
  return int64_t(number);
}

Napi::Array strings(Napi::Env env, const std::vector<std::string>& values) {
  auto list = Napi::Array::New(env, values.size());
  for (uint32_t i = 0; i < values.size(); ++i) list[i] = Napi::String::New(env, values[i]);
  return list;
}

}  // namespace exitrl
