// Which sequences run in the next step, with which pages. Continuous batching: a finished sequence's place goes to the
// next one at once; when pages run out, the youngest sequence gives its pages up and starts over later from its tokens
// (the same bits: its random numbers are keyed by position, and recomputed keys and values are the same).
#pragma once
#include <cstdint>
#include <deque>
#include <vector>

#include "kv/pages.h"
#include "kv/prefix_cache.h"
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
  std::vector<float> logits;        // (V) after the last prompt token, once known
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
  std::vector<double> pooled;       // (C) sum of the answer's hidden states, up to position pooled_to
  int64_t pooled_to = 0;
};

// Rows of one step that belong to a sequence or to a prefix.
struct Chunk {
  Sequence* sequence;   // null: the prefix
  Prefix* prefix;
  int64_t rows;
  bool samples;         // its last row's logits are needed
};

class Scheduler {
 public:
  // `cache`: null unless prefixes are kept.
  Scheduler(Pages& pages, PrefixCache* cache, std::vector<Prefix>& prefixes, std::vector<Sequence>& sequences, const GenerateSettings& settings);

  bool done() const { return waiting_.empty() && running_.empty(); }
  // Sequences whose prefix is known and that may start now: the caller samples their first token, then calls started().
  std::vector<Sequence*> startable();
  void started(Sequence* sequence, bool finished);
  // Chooses the rows of the next step and gives them pages.
  std::vector<Chunk> next_step();
  void finished(Sequence* sequence);
  int64_t preemptions() const { return preemptions_; }
  int64_t reused_tokens() const { return reused_tokens_; }
  // Tells the cache of a prompt whose last row has been computed.
  void prefilled(const Prefix& prefix);

 private:
  int64_t pages_needed(const Sequence& s, int64_t rows) const;
  bool make_room(int64_t needed, const Sequence* keep, const Prefix* keep_prefix);
  bool has_free(int64_t needed);
  void find_cached(Prefix& prefix);
  void give_pages(Sequence& s, int64_t rows);
  void drop(std::vector<int32_t>& pages);
  void drop_prefix(Prefix& prefix);

  Pages& pages_;
  PrefixCache* cache_;
  std::vector<Prefix>& prefixes_;
  std::vector<Sequence>& sequences_;
  const GenerateSettings& settings_;
  std::deque<Sequence*> waiting_;   // in order of rows; preempted ones in front
  std::vector<Sequence*> running_;  // oldest first
  int64_t preemptions_ = 0, reused_tokens_ = 0;
};

}  // namespace exitrl
