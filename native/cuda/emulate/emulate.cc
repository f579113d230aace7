#include "cuda/emulate/emulate.h"

#include <cstdlib>
#include <deque>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/bf16.h"
#include "core/status.h"
#include "cuda/emulate/fiber.h"
#include "cuda/emulate/products.h"

namespace exitrl::cuda::emulate {

constinit thread_local Place place;
constinit Watcher* watcher = nullptr;

namespace {

struct Copy {
  void* to;
  const void* from;
  int bytes;
  const void* site;  // that asked for it
};

struct Thread {
  enum class State { ready, at_block, at_warp, ended };
  Fiber fiber;
  Place place;
  State state = State::ended;
  const char* waits_at = "";
  unsigned exchanges = 0;
  std::vector<Copy> copies;                // not committed
  std::deque<std::vector<Copy>> groups;    // committed, oldest first
  Products products;
};

struct Slot {
  alignas(16) unsigned char bytes[Exchanged::kMost];
};

struct Machine {
  std::vector<std::unique_ptr<Thread>> threads;
  std::vector<Slot> slots;  // (threads, 2)
  std::unique_ptr<void, decltype(&std::free)> shared{nullptr, &std::free};
  size_t shared_bytes = 0;
  std::exception_ptr failure;  // what a thread of the block threw
  const Kernel* kernel = nullptr;
  const char* name = "";
  int current = 0;
  Order order = Order::forward;
  Counts counts;
  std::vector<std::function<void()>>* recorded = nullptr;
};

thread_local Machine machine;
// The same without asking each time whether it was made: set by launch().
constinit thread_local Machine* here = nullptr;

// An exception cannot leave a fiber.
void body(void*) {
  try {
    machine.kernel->call(machine.kernel->function.get());
  } catch (...) {
    machine.failure = std::current_exception();
  }
}

Thread& current() { return *here->threads[size_t(here->current)]; }

SharedMemory shared_view() { return {static_cast<const unsigned char*>(here->shared.get()), here->shared_bytes}; }

void do_copy(const Copy& copy) {
  if (watcher) watcher->copy_ends(copy.to, copy.from, copy.bytes, copy.site);
  std::memcpy(copy.to, copy.from, size_t(copy.bytes));
}

[[noreturn]] void deadlock(int threads) {
  std::string message = std::string(machine.name) + ": threads of a block wait at different places:";
  for (int t = 0; t < threads; ++t) {
    const Thread& thread = *machine.threads[size_t(t)];
    const bool first = t == 0 || thread.state != machine.threads[size_t(t) - 1]->state ||
                       thread.waits_at != machine.threads[size_t(t) - 1]->waits_at;
    if (first) message += " " + std::to_string(t) + ": " + (thread.state == Thread::State::ended ? "has ended" : thread.waits_at) + ";";
  }
  for (int t = 0; t < threads; ++t) machine.threads[size_t(t)]->state = Thread::State::ended;
  fail(ErrorCode::internal, message);
}

// Makes the threads [begin, end) go on if all of them wait at the same kind of place.
bool release(int begin, int end, Thread::State state) {
  for (int t = begin; t < end; ++t)
    if (here->threads[size_t(t)]->state != state || here->threads[size_t(t)]->waits_at != here->threads[size_t(begin)]->waits_at)
      return false;
  for (int t = begin; t < end; ++t) here->threads[size_t(t)]->state = Thread::State::ready;
  return true;
}

// Warpgroups multiply as one: every warp of one has given the same number of products, and has waited for them.
void check_products(int threads) {
  for (int t = 0; t < threads; ++t) {
    const Products& own = here->threads[size_t(t)]->products;
    if (own.any_left())
      fail(ErrorCode::internal, std::string(here->name) + ": thread " + std::to_string(t) + " ended without waiting for its products");
    if (own.count() == here->threads[size_t(t / 128 * 128)]->products.count() && (own.count() == 0 || threads % 128 == 0)) continue;
    fail(ErrorCode::internal,
         std::string(here->name) + ": a product that not all four warps of a warpgroup take part in (thread " + std::to_string(t) + ")");
  }
}

void run_lane(int t) {
  Thread& thread = *here->threads[size_t(t)];
  while (thread.state == Thread::State::ready) {
    here->current = t;
    place = thread.place;
    if (watcher) watcher->thread_runs(t, thread.fiber.stack(), Fiber::stack_bytes());
    if (!thread.fiber.resume()) {
      for (const Copy& copy : thread.copies) do_copy(copy);
      for (const auto& group : thread.groups)
        for (const Copy& copy : group) do_copy(copy);
      thread.copies.clear();
      thread.groups.clear();
      thread.state = Thread::State::ended;
    }
    if (watcher) watcher->thread_rests();
  }
}

void run_block(dim3 block, dim3 grid, int threads) {
  const bool reversed = here->order == Order::reversed;
  if (here->shared_bytes > 0) std::memset(here->shared.get(), 0xff, here->shared_bytes);
  for (int t = 0; t < threads; ++t) {
    Thread& thread = *here->threads[size_t(t)];
    thread.place = {dim3(t, 0, 0), block, dim3(threads), grid};
    thread.state = Thread::State::ready;
    thread.exchanges = 0;
    thread.copies.clear();
    thread.groups.clear();
    thread.products.clear();
    thread.fiber.start(body, nullptr);
  }
  const int warps = threads / 32;
  for (bool any = true; any;) {
    any = false;
    bool progress = false;
    for (int i = 0; i < warps; ++i) {
      const int warp = reversed ? warps - 1 - i : i;
      do {
        for (int j = 0; j < 32; ++j) {
          const int t = warp * 32 + (reversed ? 31 - j : j);
          if (here->threads[size_t(t)]->state != Thread::State::ready) continue;
          run_lane(t);
          progress = true;
        }
      } while (release(warp * 32, warp * 32 + 32, Thread::State::at_warp));
    }
    if (here->failure) std::rethrow_exception(std::exchange(here->failure, nullptr));
    if (release(0, threads, Thread::State::at_block)) progress = true;
    for (int t = 0; t < threads; ++t) any |= here->threads[size_t(t)]->state != Thread::State::ended;
    if (any && !progress) deadlock(threads);
  }
  check_products(threads);
}

// Memory that stands for something else of a device: arguments of a kernel, registers of other lanes.
class Known {
 public:
  Known(const void* at, size_t bytes) : at_(at) {
    if (watcher) watcher->memory_begins(at_, bytes);
  }
  ~Known() {
    if (watcher) watcher->memory_ends(at_);
  }
  Known(const Known&) = delete;

 private:
  const void* const at_;
};

}  // namespace

void order(Order o) { machine.order = o; }
Counts counts() { return machine.counts; }

void launch(const char* name, Kernel kernel, dim3 grid, int threads, size_t shared_bytes, bool own_memory) {
  if (machine.recorded) {
    machine.recorded->push_back([=] { launch(name, kernel, grid, threads, shared_bytes, own_memory); });
    return;
  }
  if (threads <= 0 || threads % 32 != 0 || threads > 1024)
    fail(ErrorCode::internal, std::string(name) + ": blocks of " + std::to_string(threads) + " threads");
  if (shared_bytes > (size_t{227} << 10))
    fail(ErrorCode::internal, std::string(name) + " asks for " + std::to_string(shared_bytes) + " bytes of shared memory");
  if (grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535)
    fail(ErrorCode::internal, std::string(name) + ": a grid of " + std::to_string(grid.x) + " x " + std::to_string(grid.y) + " x " +
                                  std::to_string(grid.z) + " blocks");
  while (machine.threads.size() < size_t(threads)) machine.threads.push_back(std::make_unique<Thread>());
  machine.slots.resize(std::max(machine.slots.size(), size_t(threads) * 2));
  // Exactly as many bytes as asked for: the address sanitizer sees what lies beyond.
  void* memory = nullptr;
  if (shared_bytes > 0 && posix_memalign(&memory, 1024, shared_bytes) != 0)
    fail(ErrorCode::out_of_memory, "no memory for emulated shared memory");
  here = &machine;
  machine.shared.reset(memory);
  machine.shared_bytes = shared_bytes;
  machine.kernel = &kernel;
  machine.name = name;
  ++machine.counts.launches;
  const int64_t blocks = int64_t(grid.x) * grid.y * grid.z;
  machine.counts.blocks += blocks;
  machine.counts.threads += blocks * threads;
  const Known arguments(kernel.function.get(), kernel.bytes),
      lanes(machine.slots.data(), machine.slots.size() * sizeof machine.slots[0]);
  if (watcher) watcher->launch_begins(name, unsigned(threads), memory, shared_bytes, __builtin_frame_address(0), own_memory);
  for (int64_t i = 0; i < blocks; ++i) {
    const int64_t b = machine.order == Order::reversed ? blocks - 1 - i : i;
    if (watcher) watcher->block_begins(b);
    run_block(dim3(b % grid.x, b / grid.x % grid.y, b / (int64_t(grid.x) * grid.y)), grid, threads);
  }
  if (watcher) watcher->launch_ends();
}

namespace {
thread_local std::vector<std::function<void()>> recording;
}
void begin_capture() {
  recording.clear();
  machine.recorded = &recording;
}
std::function<void()> end_capture() {
  machine.recorded = nullptr;
  return [launches = std::move(recording)] {
    for (const auto& one : launches) one();
  };
}

void record(std::function<void()> work) {
  if (machine.recorded) machine.recorded->push_back(std::move(work));
  else work();
}

void* shared_memory(size_t bytes) {
  if (bytes > here->shared_bytes)
    fail(ErrorCode::internal, std::string(here->name) + " uses " + std::to_string(bytes) + " bytes of shared memory, but asked for " +
                                  std::to_string(here->shared_bytes));
  return here->shared.get();
}

uint32_t shared_address(const void* p) {
  const ptrdiff_t address = static_cast<const unsigned char*>(p) - static_cast<const unsigned char*>(here->shared.get());
  if (address < 0 || size_t(address) >= here->shared_bytes)
    fail(ErrorCode::internal, std::string(here->name) + " takes the shared address of what is not in shared memory");
  return uint32_t(address);
}

namespace {
void park(Barrier barrier, const char* what) {
  Thread& thread = current();
  thread.state = barrier == Barrier::block ? Thread::State::at_block : Thread::State::at_warp;
  thread.waits_at = what;
  thread.fiber.leave();
}
}  // namespace

void wait(Barrier barrier, const char* what) {
  park(barrier, what);
  if (watcher) watcher->passed(barrier);
}

Exchanged exchange(const void* value, size_t bytes, const char* what) {
  Thread& thread = current();
  const size_t parity = ++thread.exchanges % 2, first = size_t(here->current / 32 * 32) * 2;
  std::memcpy(here->slots[size_t(here->current) * 2 + parity].bytes, value, bytes);
  park(Barrier::warp, what);
  return Exchanged(here->slots[first + parity].bytes);
}

// Lane 4 r + c holds the columns 2 c, 2 c + 1 and 8 more of row r of a, and of column r of b.
void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  const uint32_t own[6] = {a[0], a[1], a[2], a[3], b0, b1};
  const Exchanged lanes = exchange(own, sizeof own, "mma_m16n8k16");
  // The numbers k = 0 .. 15 of a row or column: of the first eight in register `low`, of the others in `high`.
  const auto line = [&](int row, int low, int high, float (&out)[16]) {
    for (int p = 0; p < 4; ++p) {
      uint32_t registers[6];
      std::memcpy(registers, lanes.of(row * 4 + p), sizeof registers);
      for (int i = 0; i < 2; ++i) {
        out[2 * p + i] = from_bf16(uint16_t(registers[low] >> (16 * i)));
        out[8 + 2 * p + i] = from_bf16(uint16_t(registers[high] >> (16 * i)));
      }
    }
  };
  const int l = lane();
  float x[2][16], y[2][16];
  line(l / 4, 0, 2, x[0]);
  line(l / 4, 1, 3, x[1]);
  line(2 * (l % 4), 4, 5, y[0]);
  line(2 * (l % 4) + 1, 4, 5, y[1]);
  for (int k = 0; k < 16; ++k)
    for (int j = 0; j < 4; ++j) d[j] += x[j / 2][k] * y[j % 2][k];
}

void copy_later(void* to, const void* from, int bytes) {
  const void* const site = __builtin_return_address(0);
  if (watcher) watcher->copy_begins(to, from, bytes, site);
  current().copies.push_back({to, from, bytes, site});
}
void commit_copies() {
  Thread& thread = current();
  thread.groups.push_back(std::move(thread.copies));
  thread.copies.clear();
}
void wait_copies(int groups_left) {
  Thread& thread = current();
  while (int(thread.groups.size()) > groups_left) {
    for (const Copy& copy : thread.groups.front()) do_copy(copy);
    thread.groups.pop_front();
  }
}

void multiply_later(float (*d)[4], int n, const uint32_t (&a)[4], uint64_t b, bool b_by_row, bool add) {
  const void* const site = __builtin_return_address(0);
  const Exchanged lanes = exchange(a, sizeof a, "a product of a warpgroup");
  Product product{d, n, true, false, b_by_row, add, {}, 0, b, site};
  for (int e = 0; e < 2; ++e)
    for (int p = 0; p < 4; ++p) {
      uint32_t registers[4];
      std::memcpy(registers, lanes.of(lane() / 4 * 4 + p), sizeof registers);
      for (int k = 0; k < 4; ++k)
        product.a_rows[e][k / 2 * 8 + 2 * p + k % 2] = from_bf16(uint16_t(registers[e + k / 2 * 2] >> (k % 2 * 16)));
    }
  current().products.give(product, shared_view(), here->current);
}
void multiply_later(float (*d)[4], int n, uint64_t a, bool a_by_column, uint64_t b, bool b_by_row, bool add) {
  const void* const site = __builtin_return_address(0);
  exchange(&a, sizeof a, "a product of a warpgroup");
  current().products.give({d, n, false, a_by_column, b_by_row, add, {}, a, b, site}, shared_view(), here->current);
}
void commit_products() { current().products.commit(); }
void wait_products(int groups_left) { current().products.wait(groups_left, shared_view(), here->current); }

}  // namespace exitrl::cuda::emulate
