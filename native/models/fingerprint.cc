#include "models/fingerprint.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

namespace exitrl {
namespace {

constexpr uint64_t kPrime = 0x9e3779b97f4a7c15u;
constexpr int64_t kChunk = int64_t{1} << 16;  // floats hashed by one thread

uint64_t mix(uint64_t h, uint64_t word) {
  h = (h ^ word) * kPrime;
  return h ^ (h >> 29);
}

// Eight chains side by side, so that memory is what limits it.
uint64_t hash_floats(const float* values, int64_t n) {
  constexpr int64_t kChains = 8, kStep = 2 * kChains;
  uint64_t chains[kChains] = {1, 2, 3, 4, 5, 6, 7, 8}, words[kChains];
  for (int64_t i = 0; i < n; i += kStep) {
    if (n - i < kStep) std::memset(words, 0, sizeof words);
    std::memcpy(words, values + i, size_t(std::min(kStep, n - i)) * sizeof(float));
    for (int64_t c = 0; c < kChains; ++c) chains[c] = std::rotl((chains[c] ^ words[c]) * kPrime, 31);
  }
  uint64_t h = uint64_t(n);
  for (uint64_t chain : chains) h = mix(h, chain);
  return h;
}

}  // namespace

uint64_t fingerprint(Pool& pool, const ParameterList& list, const float* slab) {
  struct Piece {
    const float* values;
    int64_t n;
    uint64_t hash;
  };
  std::vector<Piece> pieces;
  for (const Parameter& p : list.parameters)
    for (int64_t from = 0; from < p.size; from += kChunk) pieces.push_back({slab + p.offset + from, std::min(kChunk, p.size - from), 0});
  pool.parallel_tasks(int64_t(pieces.size()), [&](int64_t i, int) {
    Piece& piece = pieces[size_t(i)];
    piece.hash = hash_floats(piece.values, piece.n);
  });
  uint64_t h = 0;
  for (const Parameter& p : list.parameters) {
    for (char c : p.name) h = mix(h, uint8_t(c));
    for (int64_t n : p.shape) h = mix(h, uint64_t(n));
  }
  for (const Piece& piece : pieces) h = mix(h, piece.hash);
  return h;
}

}  // namespace exitrl
