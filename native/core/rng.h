// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
// A number depends on (seed, sequence, position) alone, so a sequence's tokens do not depend on its batch.
#pragma once
#include <cstdint>

#include "core/host_device.h"

namespace exitrl {

struct PhiloxBlock {
  uint32_t at[4];
  EXITRL_HOST_DEVICE uint32_t operator[](int i) const { return at[i]; }
};

EXITRL_HOST_DEVICE PhiloxBlock philox(uint64_t seed, uint64_t sequence, uint64_t position) {
  PhiloxBlock c{{uint32_t(position), uint32_t(position >> 32), uint32_t(sequence), uint32_t(sequence >> 32)}};
  uint32_t k0 = uint32_t(seed), k1 = uint32_t(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53u} * c[0], p1 = uint64_t{0xCD9E8D57u} * c[2];
    c = {{uint32_t(p1 >> 32) ^ c[1] ^ k0, uint32_t(p1), uint32_t(p0 >> 32) ^ c[3] ^ k1, uint32_t(p0)}};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

// Uniform in [0, 1) with 53 bits.
EXITRL_HOST_DEVICE double uniform53(uint32_t high, uint32_t low) {
  return double((uint64_t(high) << 32 | low) >> 11) * 0x1.0p-53;
}

}  // namespace exitrl
