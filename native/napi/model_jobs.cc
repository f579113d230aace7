// The calls of a model that run on the executor's thread and return promises.
#include <cstdio>
#include <cstring>

#include "napi/arrow_import.h"
#include "napi/columns.h"
#include "napi/model.h"
#include "napi/napi_support.h"
#include "napi/settings.h"
#include "io/arrow_batch.h"

namespace exitrl {
namespace {

Napi::Value undefined(Napi::Env env) { return env.Undefined(); }

// Two float arrays in one block, as an object with two views.
struct FloatPair {
  std::shared_ptr<Block> block;
  int64_t first, second, at;  // sizes, and where the second starts (floats)
  FloatPair(int64_t first_, int64_t second_, std::shared_ptr<BlockCounts> counts)
      : first(first_), second(second_), at((first_ + 15) & ~int64_t{15}) {
    block = std::make_shared<Block>((at + second) * int64_t(sizeof(float)), std::move(counts));
  }
  float* first_data() { return reinterpret_cast<float*>(block->data()); }
  float* second_data() { return first_data() + at; }
  Executor::Convert convert(const char* first_name, const char* second_name) const {
    return [pair = *this, first_name, second_name](Napi::Env env) -> Napi::Value {
      const auto buffer = Blocks::to_array_buffer(env, environment(env).blocks, pair.block);
      auto out = Napi::Object::New(env);
      out.Set(first_name, floats_view(buffer, 0, pair.first));
      out.Set(second_name, floats_view(buffer, pair.at * int64_t(sizeof(float)), pair.second));
      return out;
    };
  }
};

std::vector<int32_t> copied(const Napi::Int32Array& array) { return {array.Data(), array.Data() + array.ElementLength()}; }

}  // namespace

Napi::Value Model::forward(const Napi::CallbackInfo& info) {
  state();
  auto tokens = copied(ints_argument(info[0], "tokens"));
  auto borders = copied(ints_argument(info[1], "cuSeqlens"));
  require(borders.size() >= 2 && borders.front() == 0 && borders.back() == int64_t(tokens.size()),
          "cuSeqlens must start at 0 and end at the number of tokens, " + std::to_string(tokens.size()));
  for (size_t i = 1; i < borders.size(); ++i)
    require(borders[i] > borders[i - 1], "cuSeqlens must increase: sequence " + std::to_string(i - 1) + " is empty or negative");
  return submit(info.Env(), {}, {},
                [tokens, borders, counts = environment(info.Env()).blocks->counts()](ModelState& model, std::stop_token) {
                  const auto& c = model.decoder.config;
                  const auto T = int64_t(tokens.size());
                  FloatPair out(T * c.V, (c.L + 2) * T * c.C, counts);
                  model.forward(tokens.data(), borders.data(), int64_t(borders.size()) - 1, out.first_data(), out.second_data());
                  return out.convert("logits", "hidden");
                });
}

Napi::Value Model::score(const Napi::CallbackInfo& info) {
  state();
  const auto& own = environment(info.Env());
  const Fields options(info[1], "options");
  const double temperature = options.above("temperature", 0);
  constexpr std::pair<const char*, bool> kWeights[] = {{"policy", false}, {"reference", true}};
  const bool use_reference = options.word("weights", kWeights);
  const int64_t budget = options.integer("microBatchTokens", 1, INT32_MAX);
  const ImportedColumn in = import_column(info[0], *own.blocks);
  const RolloutBatch batch = rollout_batch(*in.column, BatchUse::score);
  return submit(info.Env(), in.pins, {},
                [=, column = in.column, blocks = in.blocks, counts = own.blocks->counts()](ModelState& model, std::stop_token stop) {
                  const int64_t T = batch.tokens.offsets[batch.B] - batch.tokens.offsets[0];
                  FloatPair out(T, T, counts);
                  model.score(use_reference, batch, temperature, budget, out.first_data(), out.second_data(), stop);
                  return out.convert("logprob", "entropy");
                });
}

Napi::Value Model::embed(const Napi::CallbackInfo& info) {
  state();
  const auto& own = environment(info.Env());
  const int64_t budget = Fields(info[1], "options").integer("microBatchTokens", 1, INT32_MAX);
  const ImportedColumn in = import_column(info[0], *own.blocks);
  const RolloutBatch batch = rollout_batch(*in.column, BatchUse::embed);
  return submit(info.Env(), in.pins, {},
                [=, column = in.column, blocks = in.blocks, counts = own.blocks->counts()](ModelState& model,
                                                                                           std::stop_token stop) -> Executor::Convert {
                  const int64_t floats = batch.B * model.decoder.config.C;
                  const auto block = std::make_shared<Block>(floats * int64_t(sizeof(float)), counts);
                  model.embed(batch, budget, reinterpret_cast<float*>(block->data()), stop);
                  return [block, floats](Napi::Env env) -> Napi::Value {
                    return floats_view(Blocks::to_array_buffer(env, environment(env).blocks, block), 0, floats);
                  };
                });
}

Napi::Value Model::generate(const Napi::CallbackInfo& info) {
  state();
  const auto& own = environment(info.Env());
  const GenerateSettings settings = generate_settings(info[1]);
  const std::stop_token cancel = CancelToken::of(info[2]);
  const ImportedColumn in = import_column(info[0], *own.blocks);
  const ListView<int32_t> prompts = token_lists(*in.column);
  const int64_t count = in.column->length;
  return submit(info.Env(), in.pins, cancel,
                [=, column = in.column, blocks = in.blocks, counts = own.blocks->counts()](ModelState& model,
                                                                                           std::stop_token stop) -> Executor::Convert {
                  const Generated g = model.generate(prompts.values, prompts.offsets, count, settings, stop);
                  std::shared_ptr<Block> embeddings;
                  const auto floats = int64_t(g.embeddings.size());
                  if (settings.embed) {
                    embeddings = std::make_shared<Block>(floats * int64_t(sizeof(float)), counts);
                    std::memcpy(embeddings->data(), g.embeddings.data(), g.embeddings.size() * sizeof(float));
                  }
                  return [=, columns = make_columns(g, counts), reused = g.reused_tokens, prefill = g.prefill_tokens,
                          steps = g.decode_steps, generated = g.generated_tokens, preemptions = g.preemptions, peak = g.peak_pages,
                          pages = g.pages](Napi::Env env) -> Napi::Value {
                    auto stats = Napi::Object::New(env);
                    stats.Set("reusedTokens", double(reused));
                    stats.Set("prefillTokens", double(prefill));
                    stats.Set("decodeSteps", double(steps));
                    stats.Set("generatedTokens", double(generated));
                    stats.Set("preemptions", double(preemptions));
                    stats.Set("peakPages", double(peak));
                    stats.Set("pages", double(pages));
                    auto out = Napi::Object::New(env);
                    out.Set("columns", to_js(env, columns));
                    out.Set("embeddings", embeddings ? Napi::Value(floats_view(
                                                           Blocks::to_array_buffer(env, environment(env).blocks, embeddings), 0, floats))
                                                     : env.Null());
                    out.Set("stats", stats);
                    return out;
                  };
                });
}

Napi::Value Model::accumulate(const Napi::CallbackInfo& info) {
  state();
  const LossSettings loss = loss_settings(info[1]);
  const TrainSettings train = train_settings(info[2]);
  const std::stop_token cancel = CancelToken::of(info[3]);
  const ImportedColumn in = import_column(info[0], *environment(info.Env()).blocks);
  const RolloutBatch batch = rollout_batch(*in.column, BatchUse::update);
  return submit(info.Env(), in.pins, cancel,
                [=, column = in.column, blocks = in.blocks](ModelState& model, std::stop_token stop) -> Executor::Convert {
                  const TrainMetrics metrics = model.accumulate(batch, loss, train, stop);
                  return [metrics](Napi::Env env) -> Napi::Value { return to_js(env, metrics); };
                });
}

Napi::Value Model::update(const Napi::CallbackInfo& info) {
  state();
  const OptimizerSettings settings = optimizer_settings(info[0]);
  return submit(info.Env(), {}, {}, [settings](ModelState& model, std::stop_token) -> Executor::Convert {
    const UpdateMetrics metrics = model.update(settings);
    return [metrics](Napi::Env env) -> Napi::Value { return to_js(env, metrics); };
  });
}

Napi::Value Model::update_reference(const Napi::CallbackInfo& info) {
  state();
  require(info[0].IsNumber(), "alpha must be a number, it is " + describe(info[0]));
  const double alpha = info[0].As<Napi::Number>().DoubleValue();
  require(alpha >= 0 && alpha <= 1, "alpha must lie in [0, 1], it is " + describe(info[0]));
  return submit(info.Env(), {}, {}, [alpha](ModelState& model, std::stop_token) -> Executor::Convert {
    model.update_reference(alpha);
    return undefined;
  });
}

Napi::Value Model::fingerprint(const Napi::CallbackInfo& info) {
  state();
  return submit(info.Env(), {}, {}, [](ModelState& model, std::stop_token) -> Executor::Convert {
    char digits[17];
    std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(model.fingerprint()));
    return [text = std::string(digits)](Napi::Env env) -> Napi::Value { return Napi::String::New(env, text); };
  });
}

Napi::Value Model::save_weights(const Napi::CallbackInfo& info) {
  state();
  const std::string path = string_argument(info, 0, "path");
  const Fields options(info[1].IsUndefined() ? Napi::Value(Napi::Object::New(info.Env())) : info[1], "options");
  const auto as = options.value("dtype").IsUndefined() ? ModelState::SaveAs::source : save_as(options.value("dtype"), "options.dtype");
  const int64_t shard = options.value("maxShardBytes").IsUndefined() ? kMaxSafeInteger
                                                                     : options.integer("maxShardBytes", 1, kMaxSafeInteger);
  return submit(info.Env(), {}, {}, [=](ModelState& model, std::stop_token) -> Executor::Convert {
    return [files = model.save_weights(path, as, shard)](Napi::Env env) -> Napi::Value { return strings(env, files); };
  });
}

Napi::Value Model::create_adapter(const Napi::CallbackInfo& info) {
  state();
  const std::string config = string_argument(info, 0, "configJson");
  const auto seed = uint64_t(integer_argument(info[1], "seed", 0, kMaxSafeInteger));
  return submit(info.Env(), {}, {}, [config, seed](ModelState& model, std::stop_token) -> Executor::Convert {
    model.create_adapter(config, seed);
    return undefined;
  });
}

Napi::Value Model::load_adapter(const Napi::CallbackInfo& info) {
  state();
  const std::string directory = string_argument(info, 0, "directory");
  return submit(info.Env(), {}, {}, [directory](ModelState& model, std::stop_token) -> Executor::Convert {
    model.load_adapter(directory);
    return undefined;
  });
}

Napi::Value Model::save_adapter(const Napi::CallbackInfo& info) {
  state();
  const std::string path = string_argument(info, 0, "path");
  return submit(info.Env(), {}, {}, [path](ModelState& model, std::stop_token) -> Executor::Convert {
    model.save_adapter(path);
    return undefined;
  });
}

Napi::Value Model::merge_adapter(const Napi::CallbackInfo& info) {
  return submit(info.Env(), {}, {}, [](ModelState& model, std::stop_token) -> Executor::Convert {
    model.merge_adapter();
    return undefined;
  });
}

Napi::Value Model::save_state(const Napi::CallbackInfo& info) {
  state();
  const std::string path = string_argument(info, 0, "path");
  return submit(info.Env(), {}, {}, [path](ModelState& model, std::stop_token) -> Executor::Convert {
    model.save_state(path);
    return undefined;
  });
}

Napi::Value Model::load_state(const Napi::CallbackInfo& info) {
  state();
  const std::string path = string_argument(info, 0, "path");
  return submit(info.Env(), {}, {}, [path](ModelState& model, std::stop_token) -> Executor::Convert {
    model.load_state(path);
    return undefined;
  });
}

}  // namespace exitrl
