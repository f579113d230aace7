// Threads that live as long as the context. The caller is thread 0. How work is split never changes a result: every
// output element is computed by one thread in one order (see docs/architecture.md, "Exact on-policy").
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace exitrl {

class Pool {
 public:
  explicit Pool(int threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int size() const { return size_; }

  // body(thread) once on every thread; returns when all are done. The first exception is rethrown here.
  template <class Body>
  void run(Body&& body) {
    if (size_ == 1) {
      body(0);
      return;
    }
    launch([](void* context, int thread) { (*static_cast<std::remove_reference_t<Body>*>(context))(thread); }, &body);
  }

  // Splits [0, n) into contiguous ranges with borders at multiples of `grain`: body(begin, end, thread).
  template <class Body>
  void parallel_for(int64_t n, int64_t grain, Body&& body) {
    const int64_t blocks = (n + grain - 1) / grain;
    if (blocks <= 1 || size_ == 1) {
      if (n > 0) body(int64_t{0}, n, 0);
      return;
    }
    run([&](int thread) {
      const int64_t begin = blocks * thread / size_ * grain;
      const int64_t end = std::min(n, blocks * (thread + 1) / size_ * grain);
      if (begin < end) body(begin, end, thread);
    });
  }

  // body(task, thread) for every task in [0, n), handed out one at a time: for tasks of unequal cost.
  template <class Body>
  void parallel_tasks(int64_t n, Body&& body) {
    if (n <= 1 || size_ == 1) {
      for (int64_t task = 0; task < n; ++task) body(task, 0);
      return;
    }
    std::atomic<int64_t> next{0};
    run([&](int thread) {
      for (int64_t task; (task = next.fetch_add(1, std::memory_order_relaxed)) < n;) body(task, thread);
    });
  }

 private:
  using Entry = void (*)(void*, int);
  void launch(Entry entry, void* context);
  void call(Entry entry, void* context, int thread) noexcept;
  void worker(int thread);

  int size_;
  std::vector<std::thread> threads_;
  std::atomic<uint32_t> generation_{0};
  std::atomic<int> remaining_{0};
  std::atomic<bool> stop_{false};
  Entry entry_ = nullptr;
  void* context_ = nullptr;
  std::mutex failure_mutex_;
  std::exception_ptr failure_;
};

// EXIT_RL_THREADS if set, else the number of processors this process may use.
int default_threads();

}  // namespace exitrl
