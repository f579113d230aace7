// Single ops on plain arrays, for tests against reference numbers.
#include <algorithm>
#include <cmath>

#include "io/arrow_batch.h"
#include "napi/arrow_import.h"
#include "napi/environment.h"
#include "napi/napi_support.h"
#include "napi/settings.h"
#include "napi/tools.h"
#include "ops/pg_loss/pg_loss.h"
#include "ops/sample/sample.h"

namespace exitrl {
namespace {

std::vector<float> copied(const Napi::Float32Array& array) { return {array.Data(), array.Data() + array.ElementLength()}; }

// An array of `count` floats; empty when it is optional and absent.
std::vector<float> tokens_of(const Fields& fields, const char* key, size_t count, bool optional) {
  const Napi::Value value = fields.value(key);
  if (optional && (value.IsUndefined() || value.IsNull())) return {};
  auto values = copied(floats_argument(value, (std::string("tokens.") + key).c_str()));
  if (values.size() != count)
    fields.invalid(key, "has " + std::to_string(values.size()) + " values for " + std::to_string(count) + " trained tokens");
  return values;
}

Napi::Float32Array to_array(Napi::Env env, const std::vector<float>& values) {
  auto out = Napi::Float32Array::New(env, values.size());
  std::copy(values.begin(), values.end(), out.Data());
  return out;
}

const float* or_null(const std::vector<float>& values) { return values.empty() ? nullptr : values.data(); }

}  // namespace

Napi::Value policy_loss(const Napi::CallbackInfo& info) {
  const LossSettings settings = loss_settings(info[0]);
  const Fields fields(info[1], "tokens");
  const auto borders = ints_argument(fields.value("cuTrained"), "tokens.cuTrained");
  const int64_t B = int64_t(borders.ElementLength()) - 1;
  if (B < 0 || borders[0] != 0) fields.invalid("cuTrained", "must start with 0");
  for (int64_t b = 0; b < B; ++b)
    if (borders[size_t(b) + 1] < borders[size_t(b)]) fields.invalid("cuTrained", "must not decrease");
  const auto N = size_t(borders[size_t(B)]);
  const auto logprob = tokens_of(fields, "logprob", N, false), entropy = tokens_of(fields, "entropy", N, false),
             advantage = tokens_of(fields, "advantage", N, false), old_logprob = tokens_of(fields, "oldLogprob", N, true),
             ref_logprob = tokens_of(fields, "refLogprob", N, true), behaviour = tokens_of(fields, "behaviour", N, true);
  if (settings.kl_weight != 0 && N > 0 && ref_logprob.empty()) fields.invalid("refLogprob", "is needed when klWeight is not 0");
  if (settings.importance != ImportanceLevel::none && N > 0 && (behaviour.empty() || old_logprob.empty()))
    fields.invalid("behaviour", "and oldLogprob are needed for importance weights");
  std::vector<float> dlogprob(N), dentropy(N);
  PgTokens tokens{borders.Data(), B, logprob.data(), entropy.data(), or_null(old_logprob), or_null(ref_logprob), or_null(behaviour),
                  advantage.data(), dlogprob.data(), dentropy.data()};
  PgBatch batch{B, int64_t(N), 0.0};
  if (settings.top_entropy < 1 && N > 0) batch.entropy_threshold = entropy_threshold(entropy, settings.top_entropy);
  TrainMetrics metrics;
  metrics.sums = pg_loss(settings, batch, tokens);
  auto out = Napi::Object::New(info.Env());
  out.Set("metrics", to_js(info.Env(), metrics));
  out.Set("dlogprob", to_array(info.Env(), dlogprob));
  out.Set("dentropy", to_array(info.Env(), dentropy));
  return out;
}

Napi::Value filtered(const Napi::CallbackInfo& info) {
  auto logits = copied(floats_argument(info[0], "logits"));
  const SamplingSettings settings = sampling_settings(info[1]);
  const auto context = ints_argument(info[2], "context");
  require(!logits.empty(), "logits is empty");
  for (size_t i = 0; i < context.ElementLength(); ++i)
    require(context[i] >= 0 && size_t(context[i]) < logits.size(), "context[" + std::to_string(i) + "]: token id " +
                                                                       std::to_string(context[i]) + " is outside the vocabulary of " +
                                                                       std::to_string(logits.size()));
  std::vector<float> probabilities(logits.size());
  SampleScratch scratch;
  filtered_distribution(logits.data(), int64_t(logits.size()), settings, context.Data(), int64_t(context.ElementLength()), scratch,
                        probabilities.data());
  return to_array(info.Env(), probabilities);
}

namespace {

double value_at(const ArrowColumn& column, int64_t i) {
  switch (column.format[0]) {
    case 'b': return std::to_integer<int>(column.buffers[1].data[i >> 3]) >> (i & 7) & 1;
    case 'c': return column.values<int8_t>()[i];
    case 'i': return column.values<int32_t>()[i];
    case 'l': return double(column.values<int64_t>()[i]);
    case 'f': return double(column.values<float>()[i]);
    case 'g': return column.values<double>()[i];
    default: fail(ErrorCode::invalid_argument, "inspectColumn does not read " + type_name(column));
  }
}

std::pair<int64_t, int64_t> range_at(const ArrowColumn& column, int64_t row) {
  if (column.format == "+l" || column.format == "u") return {column.values<int32_t>()[row], column.values<int32_t>()[row + 1]};
  return {column.values<int64_t>()[row], column.values<int64_t>()[row + 1]};
}

Napi::Value cell(Napi::Env env, const ArrowColumn& column, int64_t row) {
  if (!column.valid(row)) return env.Null();
  if (column.dictionary) return cell(env, *column.dictionary, int64_t(value_at(column, row)));
  if (column.format == "u" || column.format == "U") {
    const auto [begin, end] = range_at(column, row);
    return Napi::String::New(env, column.values<char>(2) + begin, size_t(end - begin));
  }
  if (column.format == "+l" || column.format == "+L") {
    const auto [begin, end] = range_at(column, row);
    auto list = Napi::Array::New(env, size_t(end - begin));
    for (int64_t i = begin; i < end; ++i) list[uint32_t(i - begin)] = cell(env, *column.children[0], i);
    return list;
  }
  if (column.format == "b") return Napi::Boolean::New(env, value_at(column, row) != 0);
  return Napi::Number::New(env, value_at(column, row));
}

}  // namespace

// Rows of a column as native code reads them. For tests of the bridge.
Napi::Value inspect_column(const Napi::CallbackInfo& info) {
  const ImportedColumn in = import_column(info[0], *environment(info.Env()).blocks);
  auto rows = Napi::Array::New(info.Env(), size_t(in.column->length));
  for (int64_t row = 0; row < in.column->length; ++row) rows[uint32_t(row)] = cell(info.Env(), *in.column, row);
  return rows;
}

}  // namespace exitrl
