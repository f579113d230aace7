// Deterministic mutation fuzzing of the readers: inputs of a small corpus, changed by random numbers that depend on the
// number of the input alone. EXIT_RL_FUZZ sets how many inputs each reader gets; run it under npm run sanitize.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "io/json.h"

namespace fuzz {

// Random numbers of input `input` of the target `stream`.
class Random {
 public:
  Random(uint64_t stream, uint64_t input) : stream_(stream), input_(input) {}
  uint64_t bits();
  uint64_t below(uint64_t n) { return n == 0 ? 0 : bits() % n; }
  bool chance(uint64_t one_in) { return below(one_in) == 0; }
  template <class T>
  const T& of(const std::vector<T>& values) { return values[below(values.size())]; }

 private:
  uint64_t stream_, input_, drawn_ = 0;
};

// Numbers at the edges of types and of what readers allow.
int64_t edge(Random& random);

// Bytes: flipped, overwritten, cut, repeated, moved, replaced by words of JSON.
void mutate_bytes(std::string& bytes, Random& random);
// A tree of values, so that most results are still documents: values of other kinds and at the edges of their range, members
// dropped, renamed, doubled, moved; one to four changes.
void mutate_tree(exitrl::json::Value& root, Random& random);

// Runs `body` on as many inputs as EXIT_RL_FUZZ says, 2000 without it. It returns whether the reader took the input; a reader
// refuses by throwing exitrl::Error, and anything else it throws fails the test. So does a reader that takes less than one
// input in a hundred, or all: then the mutations say nothing.
void run(const char* target, uint64_t stream, const std::function<bool(Random&)>& body);

}  // namespace fuzz
