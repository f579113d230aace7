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
#include "rollout/sequences.h"

namespace exitrl {

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
  Scheduler(Pages& pages, PrefixCache* cache, std::vector<Prefix>& prefixes, std::vector<Sequence>& sequences,
            const GenerateSettings& settings);

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
