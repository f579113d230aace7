// What the emulation tells whoever looks for races: races.cc, which only race_tests links.
#pragma once
#include <cstddef>
#include <cstdint>

namespace exitrl::cuda::emulate {

enum class Barrier { block, warp };

class Watcher {
 public:
  virtual ~Watcher() = default;
  // Device memory, and host memory that the device reads in place.
  virtual void memory_begins(const void* p, size_t bytes) = 0;
  virtual void memory_ends(const void* p) = 0;
  // `callers`: the host's stack from there on belongs to who launches. `own_memory`: kernels may use no memory but the above.
  virtual void launch_begins(const char* kernel, unsigned block_threads, const void* shared, size_t shared_bytes, const void* callers,
                             bool own_memory) = 0;
  // Throws Error(internal) where the launch had a race, or used memory that a card cannot.
  virtual void launch_ends() = 0;
  // The threads of a block run one at a time, each on a stack of its own.
  virtual void block_begins(int64_t block) = 0;
  virtual void thread_runs(int thread, const void* stack, size_t stack_bytes) = 0;
  virtual void thread_rests() = 0;
  // Of the thread that runs: __syncthreads or __syncwarp lies behind it. Other collectives order no memory.
  virtual void passed(Barrier barrier) = 0;
  // An asynchronous copy may read and write at any time between the two. `site`: the code that asked for it.
  virtual void copy_begins(void* to, const void* from, int bytes, const void* site) = 0;
  virtual void copy_ends(void* to, const void* from, int bytes, const void* site) = 0;
  // A product reads these numbers of two bytes at any time between being given and being waited for: called at both.
  virtual void product_reads(const void* p, const void* site) = 0;
  // What the thread does between the two is one atomic operation on these bytes.
  virtual void atomic_begins(const void* p, size_t bytes) = 0;
  virtual void atomic_ends() = 0;
};
extern constinit Watcher* watcher;  // null: nobody looks

class Atomic {
 public:
  Atomic(const void* p, size_t bytes) {
    if (watcher) watcher->atomic_begins(p, bytes);
  }
  ~Atomic() {
    if (watcher) watcher->atomic_ends();
  }
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;
};

}  // namespace exitrl::cuda::emulate
