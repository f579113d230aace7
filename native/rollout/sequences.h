// Prompts and the sequences that grow from them.
#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "rollout/engine.h"

namespace exitrl {

// The prompt of a group: its pages are computed once and shared by its samples.
struct Prefix {
  const int32_t* tokens = nullptr;
  int64_t length = 0;
  std::vector<int32_t> pages;
  int64_t cached = 0;               // positions whose keys and values are in the pages
  int64_t unfinished = 0;           // samples that still need it
  int64_t running = 0;              // samples that run now
  bool known = false;               // what follows its last token has been computed
  std::vector<float> logits;        // (V) after the last prompt token, once known (on the CPU)
};

struct Sequence {
  int64_t row = 0;                  // place in the output
  int64_t prefix = 0;
  std::vector<int32_t> tokens;      // prompt + completion
  std::vector<float> logprob, raw_logprob;  // of the completion
  std::vector<int32_t> pages;
  int64_t cached = 0;
  FinishReason finish = FinishReason::length;
  bool ended = false;               // has its last token; runs on only until that one is embedded
  bool complete = false;            // needs no more rows, though its last tokens may not be known yet (on a device)
  std::vector<double> pooled;       // (C) sum of the answer's hidden states, up to position pooled_to
  int64_t pooled_to = 0;
};

// All that a call samples, in order of its rows. Prefixes point at `prompts`.
std::pair<std::vector<Prefix>, std::vector<Sequence>> make_sequences(const int32_t* prompts, const int32_t* offsets, int64_t prompt_count,
                                                                     const GenerateSettings& settings);
// Whether the last token of `s` ends it, and as what.
bool is_finished(Sequence& s, int64_t prompt_length, const GenerateSettings& settings);
Generated collect(const std::vector<Prefix>& prefixes, const std::vector<Sequence>& sequences);
// (rows, C) of sequences whose hidden states have been summed.
std::vector<float> mean_hidden(const std::vector<Sequence>& sequences, int64_t C);

}  // namespace exitrl
