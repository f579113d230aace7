// What is remembered of a cell is enough: random accesses against a list of all that came before.
#include "../check.h"
#include "cuda/emulate/shadow.h"

using namespace exitrl::cuda::emulate;

namespace {

bool conflict(const Access& before, const Access& now) {
  if (before.kind == Kind::read && now.kind == Kind::read) return false;
  if (before.kind == Kind::atomic && now.kind == Kind::atomic) return false;
  return !ordered(before, now);
}

// Accesses to one place as the emulation runs them: blocks one after the other; between barriers of the block, warps one after the
// other; between barriers of the warp, lanes. Few write, or else the first races would be all there is.
std::vector<Access> random_accesses(unsigned seed) {
  uint64_t state = seed * 2 + 1;
  const auto below = [&](unsigned n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return unsigned(state >> 33) % n;
  };
  std::vector<Access> out;
  const unsigned rare = 2 + below(100);
  for (uint32_t block = 0, blocks = 1 + below(2); block < blocks; ++block) {
    uint32_t passed[2] = {0, 0};
    for (uint32_t phase = 0, phases = 1 + below(3); phase < phases; ++phase) {
      for (unsigned warp = 0; warp < 2; ++warp) {
        for (unsigned part = 0, parts = 1 + below(3); part < parts; ++part) {
          for (unsigned i = 0, n = below(7); i < n; ++i) {
            const Kind kind = below(rare) > 0 ? Kind::read : below(2) > 0 ? Kind::write : Kind::atomic;
            out.push_back({block, uint16_t(warp * 32 + below(3)), kind, phase, passed[warp], 0});
          }
          ++passed[warp];
        }
      }
      // A barrier of the block is one of each warp.
      ++passed[0], ++passed[1];
    }
  }
  return out;
}

}  // namespace

TEST(shadow_remembers_enough) {
  int races = 0, clean = 0;
  for (unsigned seed = 0; seed < 100000; ++seed) {
    const std::vector<Access> all = random_accesses(seed);
    Cell cell;
    Two atomics;
    bool found = false;
    for (size_t i = 0; i < all.size() && !found; ++i) {
      bool wanted = false;
      for (size_t j = 0; j < i; ++j) wanted |= conflict(all[j], all[i]);
      const Access* const before = cell.race(all[i], &atomics);
      found = before != nullptr;
      if (found != wanted || (found && !conflict(*before, all[i]))) {
        check::failed(__FILE__, __LINE__,
                      "seed " + std::to_string(seed) + ", access " + std::to_string(i) + (wanted ? ": missed" : ": no race"));
        return;
      }
    }
    ++(found ? races : clean);
  }
  CHECK(races > 20000);
  CHECK(clean > 20000);
}
