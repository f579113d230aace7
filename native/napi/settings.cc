#include "napi/settings.h"

#include <limits>

#include "napi/napi_support.h"

namespace exitrl {
namespace {

constexpr std::pair<const char*, RatioLevel> kRatios[] = {
    {"token", RatioLevel::token}, {"sequence_mean", RatioLevel::sequence_mean}, {"sequence_sum", RatioLevel::sequence_sum}};
constexpr std::pair<const char*, LossKind> kLosses[] = {
    {"clip", LossKind::clip}, {"cispo", LossKind::cispo}, {"sapo", LossKind::sapo}, {"nll", LossKind::nll}};
constexpr std::pair<const char*, Aggregation> kAggregations[] = {
    {"sequence_mean", Aggregation::sequence_mean}, {"token_mean", Aggregation::token_mean}, {"constant", Aggregation::constant}};
constexpr std::pair<const char*, KlEstimator> kKls[] = {{"k1", KlEstimator::k1}, {"k2", KlEstimator::k2}, {"k3", KlEstimator::k3}};
constexpr std::pair<const char*, ImportanceLevel> kImportance[] = {
    {"none", ImportanceLevel::none}, {"token", ImportanceLevel::token}, {"sequence", ImportanceLevel::sequence}};
constexpr std::pair<const char*, ImportanceMode> kImportanceModes[] = {{"truncate", ImportanceMode::truncate},
                                                                       {"mask", ImportanceMode::mask}};
constexpr std::pair<const char*, Recompute> kRecomputes[] = {{"none", Recompute::none}, {"block", Recompute::block}};
constexpr std::pair<const char*, Decay> kDecays[] = {
    {"matrices", Decay::matrices}, {"matrices_without_embeddings", Decay::matrices_without_embeddings}, {"none", Decay::none}};

constexpr double kLarge = std::numeric_limits<double>::max();

SamplingSettings sampling(const Fields& fields) {
  SamplingSettings s;
  s.temperature = float(fields.number("temperature", 0, 1e30));
  s.top_k = int32_t(fields.integer("topK", 0, INT32_MAX));
  s.top_p = float(fields.number("topP", 0, 1));
  if (!(s.top_p > 0)) fields.invalid("topP", "must be above 0 (1 turns it off)");
  s.min_p = float(fields.number("minP", 0, 1));
  s.repetition_penalty = float(fields.above("repetitionPenalty", 0));
  return s;
}

std::vector<int32_t> token_list(const Napi::Value& value, const std::string& name) {
  if (!value.IsArray()) fail(ErrorCode::invalid_argument, name + " must be an array of token ids, it is " + describe(value));
  const auto array = value.As<Napi::Array>();
  std::vector<int32_t> tokens;
  for (uint32_t i = 0; i < array.Length(); ++i)
    tokens.push_back(int32_t(integer_argument(array[i], (name + "[" + std::to_string(i) + "]").c_str(), 0, INT32_MAX)));
  return tokens;
}

}  // namespace

LossSettings loss_settings(const Napi::Value& value) {
  const Fields fields(value, "loss");
  LossSettings s;
  s.ratio = fields.word("ratio", kRatios);
  s.loss = fields.word("loss", kLosses);
  s.clip_low = fields.number("clipLow", 0, kLarge);
  s.clip_high = fields.number("clipHigh", 0, kLarge);
  s.delta = fields.number("delta");
  s.cispo_low = fields.number("cispoLow", 0, kLarge);
  s.cispo_high = fields.number("cispoHigh", 0, kLarge);
  s.sapo_positive = fields.above("sapoPositive", 0);
  s.sapo_negative = fields.above("sapoNegative", 0);
  s.aggregation = fields.word("aggregation", kAggregations);
  s.normaliser = fields.above("normaliser", 0);
  s.kl_weight = fields.number("klWeight", 0, kLarge);
  s.kl = fields.word("kl", kKls);
  s.kl_corrected = fields.boolean("klCorrected");
  s.importance = fields.word("importance", kImportance);
  s.importance_mode = fields.word("importanceMode", kImportanceModes);
  s.importance_min = fields.number("importanceMin", 0, kLarge);
  s.importance_max = fields.number("importanceMax", 0, kLarge);
  s.entropy_weight = fields.number("entropyWeight");
  s.top_entropy = fields.number("topEntropy", 0, 1);
  s.temperature = fields.above("temperature", 0);
  return s;
}

TrainSettings train_settings(const Napi::Value& value) {
  const Fields fields(value, "train");
  return {fields.integer("microBatchTokens", 1, INT32_MAX), fields.word("recompute", kRecomputes)};
}

OptimizerSettings optimizer_settings(const Napi::Value& value) {
  const Fields fields(value, "optimizer");
  OptimizerSettings s;
  s.lr = fields.number("lr", 0, kLarge);
  s.beta1 = fields.number("beta1", 0, 1);
  s.beta2 = fields.number("beta2", 0, 1);
  if (s.beta1 == 1) fields.invalid("beta1", "must be below 1");
  if (s.beta2 == 1) fields.invalid("beta2", "must be below 1");
  s.eps = fields.number("eps", 0, kLarge);
  s.weight_decay = fields.number("weightDecay", 0, kLarge);
  s.decay = fields.word("decay", kDecays);
  s.max_grad_norm = fields.number("maxGradNorm", 0, kLarge);
  return s;
}

SamplingSettings sampling_settings(const Napi::Value& value) { return sampling(Fields(value, "settings")); }

ModelOptions model_options(const Napi::Value& value) {
  ModelOptions out;
  if (value.IsUndefined()) return out;
  const Fields options(value, "options");
  constexpr std::pair<const char*, Precision> kDtypes[] = {{"float32", Precision::f32}, {"bfloat16", Precision::bf16}};
  out.precision = options.word("dtype", kDtypes);
  if (!options.value("device").IsUndefined()) out.device = options.string("device");
  if (!options.value("exact").IsUndefined()) out.exact = options.boolean("exact");
  return out;
}

GenerateSettings generate_settings(const Napi::Value& value) {
  const Fields fields(value, "settings");
  GenerateSettings s;
  s.samples_per_prompt = fields.integer("samplesPerPrompt", 1, INT32_MAX);
  s.max_new_tokens = fields.integer("maxNewTokens", 1, INT32_MAX);
  s.sampling = sampling(fields);
  s.stop_tokens = token_list(fields.value("stopTokens"), "settings.stopTokens");
  const Napi::Value sequences = fields.value("stopSequences");
  if (!sequences.IsArray()) fields.invalid("stopSequences", "must be an array of arrays of token ids, it is " + describe(sequences));
  for (uint32_t i = 0; i < sequences.As<Napi::Array>().Length(); ++i) {
    const std::string name = "settings.stopSequences[" + std::to_string(i) + "]";
    s.stop_sequences.push_back(token_list(Napi::Value(sequences.As<Napi::Array>()[i]), name));
    require(!s.stop_sequences.back().empty(), name + " is empty");
  }
  s.seed = uint64_t(fields.integer("seed", 0, kMaxSafeInteger));
  s.first_sequence = uint64_t(fields.integer("firstSequence", 0, kMaxSafeInteger));
  s.pages = fields.integer("pages", 0, INT32_MAX);
  s.max_running = fields.integer("maxRunning", 1, INT32_MAX);
  s.prefill_tokens = fields.integer("prefillTokens", 1, INT32_MAX);
  s.keep_prefixes = fields.boolean("keepPrefixes");
  s.embed = fields.boolean("embed");
  return s;
}

Napi::Object to_js(Napi::Env env, const TrainMetrics& metrics) {
  auto out = Napi::Object::New(env);
  const PgSums& s = metrics.sums;
  const double n = s.tokens > 0 ? double(s.tokens) : 1.0;
  out.Set("loss", s.loss);
  out.Set("tokens", double(s.tokens));
  out.Set("microBatches", double(metrics.micro_batches));
  out.Set("ratioMean", s.ratio / n);
  out.Set("ratioMin", s.tokens > 0 ? s.ratio_min : 0.0);
  out.Set("ratioMax", s.ratio_max);
  out.Set("klK1", s.k1 / n);
  out.Set("klK2", s.k2 / n);
  out.Set("klK3", s.k3 / n);
  out.Set("refKlK1", s.ref_k1 / n);
  out.Set("refKlK2", s.ref_k2 / n);
  out.Set("refKlK3", s.ref_k3 / n);
  out.Set("clippedLow", s.clipped_low / n);
  out.Set("clippedHigh", s.clipped_high / n);
  out.Set("below", s.below / n);
  out.Set("above", s.above / n);
  out.Set("entropy", s.entropy / n);
  out.Set("importance", s.importance / n);
  out.Set("importanceDropped", s.importance_dropped / n);
  out.Set("mismatch", metrics.mismatch);
  out.Set("mismatchMean", s.mismatch / n);
  out.Set("mismatchK3", s.mismatch_k3 / n);
  return out;
}

Napi::Object to_js(Napi::Env env, const UpdateMetrics& metrics) {
  auto out = Napi::Object::New(env);
  out.Set("gradNorm", metrics.grad_norm);
  out.Set("clipFactor", metrics.clip_factor);
  out.Set("step", double(metrics.step));
  return out;
}

Napi::Object to_js(Napi::Env env, const MemorySegments& segments) {
  auto list = Napi::Array::New(env, segments.size());
  for (size_t i = 0; i < segments.size(); ++i) {
    auto entry = Napi::Object::New(env);
    entry.Set("name", segments[i].name);
    entry.Set("bytes", double(segments[i].bytes));
    list[uint32_t(i)] = entry;
  }
  auto out = Napi::Object::New(env);
  out.Set("total", double(total_bytes(segments)));
  out.Set("segments", list);
  return out;
}

}  // namespace exitrl
