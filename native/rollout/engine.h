// Generation: paged KV cache, prefix sharing within a group and with earlier calls, continuous batching, preemption.
#pragma once
#include <cstdint>
#include <memory>
#include <stop_token>
#include <vector>

#include "kv/pages.h"
#include "kv/prefix_cache.h"
#include "models/decoder.h"
#include "ops/sample/sample.h"

namespace exitrl {

struct GenerateSettings {
  int64_t samples_per_prompt = 1;
  int64_t max_new_tokens = 16;
  SamplingSettings sampling;
  std::vector<int32_t> stop_tokens;
  std::vector<std::vector<int32_t>> stop_sequences;
  uint64_t seed = 0;
  uint64_t first_sequence = 0;
  int64_t pages = 0;            // 0: enough for max_running sequences
  int64_t max_running = 256;
  int64_t prefill_tokens = 2048;
  // Keeps full pages of prompts and answers after the call, and reads those that an earlier such call with the same weights
  // left: what a later prompt begins with is not computed again.
  bool keep_prefixes = false;
  // Also returns the mean hidden state of every answer: the bits of Trainer::embed without a pass of its own.
  bool embed = false;
};

// Throws Error(invalid_argument) on an empty prompt, an id outside the vocabulary, settings out of range, or a prompt whose
// completion cannot fit max_positions or the pages of the settings, naming the prompt.
void validate(const DecoderConfig& config, const int32_t* prompts, const int32_t* offsets, int64_t count, const GenerateSettings& settings);
// Pages that let every group's prompt and max_running samples live side by side, and beside them, where prefixes are kept,
// the prompts of an earlier call with an answer each.
int64_t ample_pages(const int32_t* offsets, int64_t prompts, const GenerateSettings& settings);

enum class FinishReason : int8_t { stop_token = 0, stop_sequence = 1, length = 2 };

// Rows in order prompt 0 sample 0, prompt 0 sample 1, ... Token columns hold prompt + completion; a stop token is kept.
struct Generated {
  std::vector<int32_t> offsets;        // (rows + 1)
  std::vector<int32_t> tokens;
  std::vector<float> logprob, raw_logprob;   // 0 on the prompt
  std::vector<int32_t> prompt_length;  // (rows)
  std::vector<int8_t> finish_reason;   // (rows)
  std::vector<float> embeddings;       // (rows, C), empty unless asked for
  int64_t reused_tokens = 0;           // of prompts, found in pages of earlier calls
  int64_t prefill_tokens = 0, decode_steps = 0, generated_tokens = 0, preemptions = 0, peak_pages = 0, pages = 0;
};

// Keeps its cache and activations between calls; what the pages hold survives only a call that keeps prefixes.
class Engine {
 public:
  Engine(const Decoder& decoder, Pool& pool) : decoder_(decoder), pool_(pool) {}
  // Policies will have an adapter of this layout from now on, or (null) none. Forgets kept prefixes.
  void adapt(const AdapterLayout* adapter) {
    adapter_ = adapter;
    workspace_.reset();
    cached_policy_ = nullptr;
  }

  // `prompts`: token ids with borders (prompt_count + 1). Throws what validate() throws.
  Generated generate(const Policy& policy, const int32_t* prompts, const int32_t* prompt_offsets, int64_t prompt_count,
                     const GenerateSettings& settings, std::stop_token stop);

  // Reads samples_per_prompt, max_new_tokens, max_running, prefill_tokens, pages and keep_prefixes of the settings.
  static MemorySegments plan(const Decoder& decoder, int64_t prompts, int64_t prompt_tokens, const GenerateSettings& settings,
                             const AdapterLayout* adapter);

 private:
  void prepare_pages(const Policy& policy, int64_t needed, const GenerateSettings& settings);

  const Decoder& decoder_;
  Pool& pool_;
  const AdapterLayout* adapter_ = nullptr;
  std::unique_ptr<HostPages> pages_;
  std::unique_ptr<PrefixCache> prefix_cache_;
  // What the pages in prefix_cache_ were computed with.
  const Policy* cached_policy_ = nullptr;
  uint64_t cached_version_ = 0;
  std::unique_ptr<Workspace> workspace_;
  Buffer<float> logits_;  // (kHeadChunk, V)
};

}  // namespace exitrl
