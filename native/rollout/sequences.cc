#include "rollout/sequences.h"

#include <algorithm>

#include "core/status.h"

namespace exitrl {
namespace {

bool ends_with(const std::vector<int32_t>& tokens, int64_t completion_begin, const std::vector<int32_t>& stop) {
  const int64_t n = int64_t(tokens.size()) - completion_begin;
  return n >= int64_t(stop.size()) && std::equal(stop.begin(), stop.end(), tokens.end() - std::ptrdiff_t(stop.size()));
}

}  // namespace

std::pair<std::vector<Prefix>, std::vector<Sequence>> make_sequences(const int32_t* prompts, const int32_t* offsets, int64_t prompt_count,
                                                                     const GenerateSettings& settings) {
  const int64_t samples = settings.samples_per_prompt;
  std::vector<Prefix> prefixes(static_cast<size_t>(prompt_count));
  std::vector<Sequence> sequences(static_cast<size_t>(prompt_count * samples));
  for (int64_t p = 0; p < prompt_count; ++p) {
    prefixes[size_t(p)].tokens = prompts + offsets[p];
    prefixes[size_t(p)].length = offsets[p + 1] - offsets[p];
    prefixes[size_t(p)].unfinished = samples;
    for (int64_t i = 0; i < samples; ++i) {
      Sequence& s = sequences[size_t(p * samples + i)];
      s.row = p * samples + i;
      s.prefix = p;
      s.tokens.reserve(size_t(offsets[p + 1] - offsets[p] + settings.max_new_tokens));
      s.tokens.assign(prompts + offsets[p], prompts + offsets[p + 1]);
    }
  }
  return {std::move(prefixes), std::move(sequences)};
}

bool is_finished(Sequence& s, int64_t prompt_length, const GenerateSettings& settings) {
  if (std::find(settings.stop_tokens.begin(), settings.stop_tokens.end(), s.tokens.back()) != settings.stop_tokens.end()) {
    s.finish = FinishReason::stop_token;
    return true;
  }
  for (const auto& stop : settings.stop_sequences)
    if (ends_with(s.tokens, prompt_length, stop)) {
      s.finish = FinishReason::stop_sequence;
      return true;
    }
  s.finish = FinishReason::length;
  return int64_t(s.tokens.size()) - prompt_length >= settings.max_new_tokens;
}

Generated collect(const std::vector<Prefix>& prefixes, const std::vector<Sequence>& sequences) {
  Generated out;
  out.offsets.push_back(0);
  for (const Sequence& s : sequences) {
    const int64_t prompt = prefixes[size_t(s.prefix)].length;
    out.tokens.insert(out.tokens.end(), s.tokens.begin(), s.tokens.end());
    out.logprob.resize(out.logprob.size() + size_t(prompt), 0.0f);
    out.logprob.insert(out.logprob.end(), s.logprob.begin(), s.logprob.end());
    out.raw_logprob.resize(out.raw_logprob.size() + size_t(prompt), 0.0f);
    out.raw_logprob.insert(out.raw_logprob.end(), s.raw_logprob.begin(), s.raw_logprob.end());
    require(out.tokens.size() < (size_t{1} << 31), "the rollout has more than 2^31 - 1 tokens; generate fewer sequences per call");
    out.offsets.push_back(int32_t(out.tokens.size()));
    out.prompt_length.push_back(int32_t(prompt));
    out.finish_reason.push_back(int8_t(s.finish));
    out.generated_tokens += int64_t(s.logprob.size());
  }
  return out;
}

std::vector<float> mean_hidden(const std::vector<Sequence>& sequences, int64_t C) {
  std::vector<float> out;
  out.reserve(sequences.size() * size_t(C));
  for (const Sequence& s : sequences)
    for (double sum : s.pooled) out.push_back(float(sum / double(s.logprob.size())));
  return out;
}

}  // namespace exitrl
