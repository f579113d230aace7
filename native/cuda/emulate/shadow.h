// Which accesses of a launch are ordered, and what must be remembered of a piece of memory to see two that are not.
//
// Two accesses race if they touch the same bytes, one of them writes, different threads make them, and no barrier lies between:
// __syncthreads for threads of a block, __syncwarp as well for threads of a warp, nothing for different blocks. Atomic
// operations do not race with each other. An asynchronous copy races with every access, its own thread's too, until it was
// waited for.
//
// The emulation runs one block after the other, and a thread only behind barriers that its whole block or warp has reached. So
// "no barrier between" is "no barrier passed since then", and a few accesses stand for all (remember()).
#pragma once
#include <cstdint>

namespace exitrl::cuda::emulate {

// copy: an asynchronous one that writes and was not waited for; copied: and was.
enum class Kind : uint16_t { none, read, write, atomic, copy, copied };

struct Access {
  uint32_t block = 0;
  uint16_t thread = 0;
  Kind kind = Kind::none;
  uint32_t block_barriers = 0;  // __syncthreads that the thread had passed
  uint32_t warp_barriers = 0;   // the same and __syncwarp
  int32_t site = 0;             // the code that made it, races.cc

  bool by(const Access& other) const { return block == other.block && thread == other.thread; }
  bool same_warp(const Access& other) const { return block == other.block && thread / 32 == other.thread / 32; }
};

// Whether `before`, which the emulation ran earlier, lies before `now` on a card, too.
inline bool ordered(const Access& before, const Access& now) {
  if (before.kind == Kind::none) return true;
  if (before.kind == Kind::copy) return now.kind == Kind::copy && before.by(now);
  if (before.block != now.block) return false;
  if (before.thread == now.thread) return true;
  if (before.same_warp(now)) return before.warp_barriers < now.warp_barriers;
  return before.block_barriers < now.block_barriers;
}

// Accesses of a kind that may run at once. What comes later and conflicts with any of them conflicts with one of the two: one of
// another block is against everything that follows; of the block that runs, two warps behind its last barrier, or else two threads
// of a warp behind the warp's last.
struct Two {
  Access first, second;

  const Access* against(const Access& now) const {
    if (!ordered(first, now)) return &first;
    return ordered(second, now) ? nullptr : &second;
  }
  void remember(const Access& now) {
    const auto behind_barrier = [&](const Access& a) { return a.block_barriers < now.block_barriers; };
    if (first.kind != Kind::none && first.block != now.block) return;
    if (behind_barrier(second)) second = {};
    if (behind_barrier(first)) {
      first = second;
      second = {};
    }
    if (first.kind == Kind::none || first.by(now)) first = now;
    else if (second.kind == Kind::none || second.by(now)) second = now;
    else if (!first.same_warp(second)) return;
    else if (!first.same_warp(now) || second.warp_barriers < now.warp_barriers) second = now;
    else if (first.warp_barriers < now.warp_barriers) first = now;
  }
};

// Of two bytes: neighbouring threads write neighbouring bf16 numbers, and no kernel has smaller ones.
struct alignas(64) Cell {
  uint32_t epoch = 0;  // launch, or block for shared memory, that the rest is of
  Access writer;
  Two readers;

  // What `now` races with; null, and remembered, where there is nothing. `atomics`: earlier atomic operations; may be null if there
  // were none and `now` is none.
  const Access* race(const Access& now, Two* atomics) {
    if (!ordered(writer, now)) return &writer;
    if (now.kind != Kind::read)
      if (const Access* const reader = readers.against(now)) return reader;
    if (now.kind != Kind::atomic && atomics)
      if (const Access* const atomic = atomics->against(now)) return atomic;
    if (now.kind == Kind::read) {
      readers.remember(now);
    } else if (now.kind == Kind::atomic) {
      atomics->remember(now);
    } else {
      // Whatever is ordered behind this write is so behind the accesses before it.
      writer = now;
      readers = {};
      if (atomics) *atomics = {};
    }
    return nullptr;
  }
};
static_assert(sizeof(Cell) == 64);

// Atomic operations on the same two bytes, where there were some.
struct AtomicCell {
  uint32_t epoch = 0;
  Two accesses;
};

}  // namespace exitrl::cuda::emulate
