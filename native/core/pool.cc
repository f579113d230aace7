#include "core/pool.h"

#include <cstdlib>
#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace exitrl {
namespace {

inline void relax() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spins before a waiting thread lets others run: long enough to bridge the serial code between two ops, short enough to
// leave the core when a step is over or when another process wants it.
constexpr int kWorkerSpins = 2000;
constexpr int kCallerSpins = 1000;

}  // namespace

Pool::Pool(int threads) : size_(std::max(1, threads)) {
  for (int thread = 1; thread < size_; ++thread) threads_.emplace_back([this, thread] { worker(thread); });
}

Pool::~Pool() {
  stop_.store(true, std::memory_order_release);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void Pool::call(Entry entry, void* context, int thread) noexcept {
  try {
    entry(context, thread);
  } catch (...) {
    std::lock_guard lock(failure_mutex_);
    if (!failure_) failure_ = std::current_exception();
  }
}

void Pool::launch(Entry entry, void* context) {
  entry_ = entry;
  context_ = context;
  remaining_.store(size_ - 1, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  call(entry, context, 0);
  for (int spins = 0; remaining_.load(std::memory_order_acquire) != 0;) {
    // A worker that lost its core must get a chance to run.
    if (++spins < kCallerSpins) relax(); else std::this_thread::yield();
  }
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void Pool::worker(int thread) {
  uint32_t seen = 0;
  for (;;) {
    uint32_t now;
    for (int spins = 0; (now = generation_.load(std::memory_order_acquire)) == seen;) {
      if (++spins < kWorkerSpins) relax(); else generation_.wait(seen, std::memory_order_acquire);
    }
    seen = now;
    if (stop_.load(std::memory_order_acquire)) return;
    call(entry_, context_, thread);
    remaining_.fetch_sub(1, std::memory_order_release);
  }
}

int default_threads() {
  if (const char* text = std::getenv("EXIT_RL_THREADS")) {
    const int threads = std::atoi(text);
    if (threads > 0) return threads;
  }
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1u, std::thread::hardware_concurrency());
}

}  // namespace exitrl
