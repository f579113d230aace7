// Finds races in emulated kernels. The kernels are compiled with -fsanitize=thread, which puts a call before every access to
// memory, but are not linked with its library: that sees one thread of the system, where all the emulation's threads run. The
// calls come here instead, and the rules are those of a card (shadow.h).
//
// Looked at is everything but the stack of the thread itself: shared memory, device memory, the host's. The stack of the host's
// thread is no kernel's to use, and neither is memory that the device does not have, where a launch says that it is given no other.
#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "core/status.h"
#include "cuda/emulate/emulate.h"
#include "cuda/emulate/shadow.h"

namespace exitrl::cuda::emulate {
namespace {

constexpr uintptr_t kPage = 4096;

struct Page {
  std::array<Cell, kPage / 2> cells;
  std::unique_ptr<std::array<AtomicCell, kPage / 2>> atomics;
};

// Sites are kept as distances from here, in half the bytes.
int32_t site_of(const void* code);

// Of this program, by the linker.
extern "C" const char __executable_start, end;

// Where the stack of this thread ends.
uintptr_t stack_end() {
  pthread_attr_t attributes;
  void* low = nullptr;
  size_t bytes = 0;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return 0;
  pthread_attr_getstack(&attributes, &low, &bytes);
  pthread_attr_destroy(&attributes);
  return reinterpret_cast<uintptr_t>(low) + bytes;
}

class Races final : public Watcher {
 public:
  void memory_begins(const void* p, size_t bytes) override { memory_[reinterpret_cast<uintptr_t>(p)] = bytes; }
  void memory_ends(const void* p) override {
    memory_.erase(reinterpret_cast<uintptr_t>(p));
    last_ = {};
  }
  void launch_begins(const char* kernel, unsigned block_threads, const void* shared, size_t shared_bytes, const void* callers,
                     bool own_memory) override {
    static thread_local const uintptr_t end = stack_end();
    callers_ = reinterpret_cast<uintptr_t>(callers);
    callers_bytes_ = end > callers_ ? end - callers_ : 0;
    own_memory_ = own_memory;
    kernel_ = kernel;
    block_threads_ = block_threads;
    shared_ = reinterpret_cast<uintptr_t>(shared);
    shared_bytes_ = shared_bytes;
    found_.clear();
    launch_ = ++epochs_;
  }
  void launch_ends() override {
    if (!found_.empty()) fail(ErrorCode::internal, found_);
  }
  void block_begins(int64_t block) override {
    for (unsigned t = 0; t < block_threads_; ++t) threads_[t] = {.block = uint32_t(block), .thread = uint16_t(t)};
    block_ = ++epochs_;
  }
  void thread_runs(int thread, const void* stack, size_t stack_bytes) override {
    now_ = &threads_[size_t(thread)];
    stack_ = reinterpret_cast<uintptr_t>(stack);
    stack_bytes_ = stack_bytes;
  }
  void thread_rests() override { now_ = nullptr; }
  void passed(Barrier barrier) override {
    ++now_->warp_barriers;
    if (barrier == Barrier::block) ++now_->block_barriers;
  }
  void copy_begins(void* to, const void* from, int bytes, const void* site) override {
    see(reinterpret_cast<uintptr_t>(from), size_t(bytes), Kind::read, site);
    see(reinterpret_cast<uintptr_t>(to), size_t(bytes), Kind::copy, site);
  }
  void copy_ends(void* to, const void* from, int bytes, const void* site) override {
    const auto first = reinterpret_cast<uintptr_t>(to);
    const Access copy = access(Kind::copy, site);
    for (uintptr_t a = first / 2; a <= (first + uintptr_t(bytes) - 1) / 2; ++a) {
      Cell& cell = page(a * 2).cells[a % (kPage / 2)];
      if (cell.epoch == epoch(a * 2) && cell.writer.kind == Kind::copy && cell.writer.by(copy)) cell.writer = access(Kind::copied, site);
    }
    see(reinterpret_cast<uintptr_t>(from), size_t(bytes), Kind::read, site);
  }
  void product_reads(const void* p, const void* site) override { see(reinterpret_cast<uintptr_t>(p), 2, Kind::read, site); }
  void atomic_begins(const void* p, size_t bytes) override {
    see(reinterpret_cast<uintptr_t>(p), bytes, Kind::atomic, __builtin_return_address(0));
    in_atomic_ = true;
  }
  void atomic_ends() override { in_atomic_ = false; }

  void see(uintptr_t address, size_t bytes, Kind kind, const void* site) {
    if (!now_ || in_atomic_ || bytes == 0 || address - stack_ < stack_bytes_) return;
    if (address - reinterpret_cast<uintptr_t>(&place) < sizeof place || address - reinterpret_cast<uintptr_t>(this) < sizeof *this) return;
    const Access now = access(kind, site);
    if (address - callers_ < callers_bytes_) report(now, "the stack of the host's thread, which a card cannot reach");
    else if (own_memory_ && !is_shared(address) && !is_of_device(address, bytes)) report(now, "memory that is not the device's");
    for (uintptr_t a = address / 2, last = (address + bytes - 1) / 2; a <= last; ++a) look(a * 2, now);
  }

 private:
  Access access(Kind kind, const void* site) const {
    Access out = *now_;
    out.kind = kind;
    out.site = site_of(site);
    return out;
  }
  bool is_shared(uintptr_t address) const { return address - shared_ < shared_bytes_; }
  // Blocks have shared memory of their own, which lies at the same place here.
  uint32_t epoch(uintptr_t address) const { return is_shared(address) ? block_ : launch_; }

  Page& page(uintptr_t address) {
    const uintptr_t number = address / kPage;
    Recent& recent = recent_[number % recent_.size()];
    if (recent.number == number) return *recent.page;
    std::unique_ptr<Page>& page = pages_[number];
    if (!page) page = std::make_unique<Page>();
    recent = {number, page.get()};
    return *page;
  }

  void look(uintptr_t address, const Access& now) {
    Page& page = this->page(address);
    const size_t at = address % kPage / 2;
    const uint32_t epoch = this->epoch(address);
    Cell& cell = page.cells[at];
    if (cell.epoch != epoch) {
      cell.epoch = epoch;
      cell.writer = {};
      cell.readers = {};
    }
    const Access* const before = cell.race(now, page.atomics || now.kind == Kind::atomic ? atomics(page, at, epoch) : nullptr);
    if (before && found_.empty()) report(address, *before, now);
  }

  static Two* atomics(Page& page, size_t at, uint32_t epoch) {
    if (!page.atomics) page.atomics = std::make_unique<std::array<AtomicCell, kPage / 2>>();
    AtomicCell& cell = (*page.atomics)[at];
    if (cell.epoch != epoch) cell = {epoch, {}};
    return &cell.accesses;
  }

  void report(uintptr_t address, const Access& before, const Access& now);
  void report(const Access& now, const char* place);

  bool is_of_device(uintptr_t address, size_t bytes) {
    // Constants that this program keeps in memory and a kernel does not; no kernel can name other variables of the host.
    if (address - reinterpret_cast<uintptr_t>(&__executable_start) < size_t(&end - &__executable_start)) return true;
    if (address - last_.first < last_.second) return address + bytes <= last_.first + last_.second;
    auto at = memory_.upper_bound(address);
    if (at == memory_.begin()) return false;
    last_ = *--at;
    return address + bytes <= last_.first + last_.second;
  }

  struct Recent {
    uintptr_t number = 0;
    Page* page = nullptr;
  };
  const char* kernel_ = "";
  unsigned block_threads_ = 0;
  uintptr_t shared_ = 0, stack_ = 0, callers_ = 0;
  size_t shared_bytes_ = 0, stack_bytes_ = 0, callers_bytes_ = 0;
  bool own_memory_ = false;
  std::map<uintptr_t, size_t> memory_;  // of the device
  std::pair<uintptr_t, size_t> last_;   // the one that was used last
  uint32_t epochs_ = 0, launch_ = 0, block_ = 0;
  bool in_atomic_ = false;
  Access* now_ = nullptr;  // of the thread that runs: who it is and what it has passed
  std::array<Access, 1024> threads_;
  std::array<Recent, 1024> recent_;
  std::unordered_map<uintptr_t, std::unique_ptr<Page>> pages_;
  std::string found_;  // the first race of the launch
};

// Launches come from one thread. Never destroyed, and null at first: instrumented code runs before main() and after it, too.
constinit Races* races = nullptr;
const bool watching = [] {
  watcher = races = new Races;
  return true;
}();

int32_t site_of(const void* code) { return int32_t(static_cast<const char*>(code) - reinterpret_cast<const char*>(&site_of)); }

// "file.cu:12", or where in the program the code lies if nothing here can say the line.
std::string line_of(int32_t site) {
  const char* const code = reinterpret_cast<const char*>(&site_of) + site - 1;  // the call itself
  Dl_info program{};
  if (dladdr(code, &program) == 0) return "?";
  char address[32];
  std::snprintf(address, sizeof address, "%#zx", size_t(code - static_cast<const char*>(program.dli_fbase)));
  // -i: the access, then the places into which its function was inlined, up to the first that is no helper of native/cuda.
  const std::string command = "addr2line -i -e /proc/" + std::to_string(::getpid()) + "/exe " + address + " 2>/dev/null";
  std::string lines;
  if (std::FILE* const pipe = ::popen(command.c_str(), "r")) {
    char line[512];
    for (bool inside = true; inside && std::fgets(line, sizeof line, pipe);) {
      const std::string path = std::string(line, std::strcspn(line, " \n"));
      if (path.empty() || path[0] == '?') continue;
      inside = path.find("native/cuda/") != std::string::npos;
      std::string name = path.substr(path.find_last_of('/') + 1);
      // The file for the host only includes the .cu file.
      if (path.find("/emulated/native/") != std::string::npos) name.replace(name.find(".cc"), 3, ".cu");
      lines += (lines.empty() ? "" : " in ") + name;
    }
    while (std::fgets(line, sizeof line, pipe)) {}
    ::pclose(pipe);
  }
  return lines.empty() ? std::string(program.dli_fname) + "+" + address : lines;
}

std::string who(const Access& a) { return "thread " + std::to_string(a.thread) + " of block " + std::to_string(a.block); }

const char* what_is_missing(Access before, const Access& now) {
  if (before.kind == Kind::copy) {
    before.kind = Kind::copied;
    if (ordered(before, now)) return "the asynchronous copy was not waited for";
  }
  if (before.block != now.block) return "blocks are not ordered";
  return before.same_warp(now) ? "there is no __syncwarp or __syncthreads between" : "there is no __syncthreads between";
}

void Races::report(uintptr_t address, const Access& before, const Access& now) {
  static constexpr const char* kDoes[] = {"", "reads", "writes", "changes atomically", "copies asynchronously into", ""};
  static constexpr const char* kDid[] = {
      "", "read", "wrote", "changed atomically", "copies asynchronously into", "copied asynchronously into"};
  const std::string where = is_shared(address) ? "shared memory + " + std::to_string(address - shared_) : "global memory";
  found_ = std::string(kernel_) + ": race: " + who(now) + " " + kDoes[size_t(now.kind)] + " " + where + " (" + line_of(now.site) +
           ") that " + who(before) + " " + kDid[size_t(before.kind)] + " (" + line_of(before.site) + "): " + what_is_missing(before, now);
}

void Races::report(const Access& now, const char* place) {
  if (!found_.empty()) return;
  Access* const running = std::exchange(now_, nullptr);  // what the library's strings do here is looked at, too
  found_ = std::string(kernel_) + ": " + who(now) + (now.kind == Kind::write || now.kind == Kind::copy ? " writes " : " reads ") + place +
           " (" + line_of(now.site) + ")";
  now_ = running;
}

}  // namespace
}  // namespace exitrl::cuda::emulate

// What instrumented code calls, with the address of the access (gcc/sanitizer.def; LLVM's tsan_interface.h).
using exitrl::cuda::emulate::Kind;
using exitrl::cuda::emulate::races;

#define EXITRL_ACCESS(name, kind, bytes)                                                                              \
  extern "C" void __tsan_##name(void* p) {                                                                            \
    if (races) races->see(reinterpret_cast<uintptr_t>(p), bytes, Kind::kind, __builtin_return_address(0));            \
  }
#define EXITRL_ACCESSES(kind)               \
  EXITRL_ACCESS(kind##1, kind, 1)           \
  EXITRL_ACCESS(kind##2, kind, 2)           \
  EXITRL_ACCESS(kind##4, kind, 4)           \
  EXITRL_ACCESS(kind##8, kind, 8)           \
  EXITRL_ACCESS(kind##16, kind, 16)         \
  EXITRL_ACCESS(unaligned_##kind##2, kind, 2)   \
  EXITRL_ACCESS(unaligned_##kind##4, kind, 4)   \
  EXITRL_ACCESS(unaligned_##kind##8, kind, 8)   \
  EXITRL_ACCESS(unaligned_##kind##16, kind, 16) \
  EXITRL_ACCESS(volatile_##kind##1, kind, 1)    \
  EXITRL_ACCESS(volatile_##kind##2, kind, 2)    \
  EXITRL_ACCESS(volatile_##kind##4, kind, 4)    \
  EXITRL_ACCESS(volatile_##kind##8, kind, 8)    \
  EXITRL_ACCESS(volatile_##kind##16, kind, 16)  \
  extern "C" void __tsan_##kind##_range(void* p, size_t bytes) {                                                      \
    if (races) races->see(reinterpret_cast<uintptr_t>(p), bytes, Kind::kind, __builtin_return_address(0));            \
  }
EXITRL_ACCESSES(read)
EXITRL_ACCESSES(write)

extern "C" {
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
// Clang's, for memcpy and the like; GCC makes plain accesses of those whose size it knows, and no kernel has others.
void* __tsan_memcpy(void* to, const void* from, size_t bytes) {
  if (races) {
    races->see(reinterpret_cast<uintptr_t>(from), bytes, Kind::read, __builtin_return_address(0));
    races->see(reinterpret_cast<uintptr_t>(to), bytes, Kind::write, __builtin_return_address(0));
  }
  return std::memmove(to, from, bytes);
}
void* __tsan_memmove(void* to, const void* from, size_t bytes) { return __tsan_memcpy(to, from, bytes); }
void* __tsan_memset(void* to, int byte, size_t bytes) {
  if (races) races->see(reinterpret_cast<uintptr_t>(to), bytes, Kind::write, __builtin_return_address(0));
  return std::memset(to, byte, bytes);
}
// Of static variables and shared pointers in host code.
int __tsan_atomic32_fetch_add(volatile int* p, int value, int) { return __atomic_fetch_add(p, value, __ATOMIC_ACQ_REL); }
unsigned char __tsan_atomic8_load(const volatile unsigned char* p, int) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
}
