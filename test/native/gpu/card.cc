// The tests of device ops on a card: gpu_tests are the sources of test/native/device, linked with this file instead of the
// emulation. Every op goes through the plugin and is waited for. Tests hand over host arrays: operator new gives memory that
// the card can read and write in place, from one pinned block.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>

#include "../check.h"
#include "cuda/emulate/emulate.h"
#include "cuda/ops.h"
#include "device/backend.h"
#include "device/plugin.h"

using exitrl::device::Backend;
using exitrl::device::Instance;
using exitrl::device::Status;

namespace {

constexpr size_t kPinned = size_t{3} << 30;
unsigned char* pinned = nullptr;

// First fit over size classes: what is freed serves the next of its class.
struct Pool {
  static constexpr int kClasses = 40;
  struct Free {
    Free* next;
  };
  std::mutex mutex;
  Free* free[kClasses] = {};
  size_t used = 0;

  static int class_of(size_t bytes) {
    int c = 8;  // 256 bytes
    while ((size_t{1} << c) < bytes) ++c;
    return c;
  }
  void* take(size_t bytes) {
    const int c = class_of(bytes + 256);
    const std::lock_guard lock(mutex);
    unsigned char* p = nullptr;
    if (free[c]) {
      p = reinterpret_cast<unsigned char*>(free[c]);
      free[c] = free[c]->next;
    } else {
      if (used + (size_t{1} << c) > kPinned) return nullptr;
      p = pinned + used;
      used += size_t{1} << c;
    }
    std::memcpy(p, &c, sizeof c);
    return p + 256;
  }
  void give(void* q) {
    unsigned char* const p = static_cast<unsigned char*>(q) - 256;
    int c;
    std::memcpy(&c, p, sizeof c);
    const std::lock_guard lock(mutex);
    auto* const f = reinterpret_cast<Free*>(p);
    f->next = free[c];
    free[c] = f;
  }
};

Pool& pool() {
  static Pool p;
  return p;
}

bool is_pinned(void* p) { return pinned && p >= pinned && p < pinned + kPinned; }

void* take(size_t bytes, size_t alignment) {
  void* p = nullptr;
  if (pinned) p = pool().take(bytes);
  else if (posix_memalign(&p, alignment < 16 ? 16 : alignment, bytes + !bytes) != 0) p = nullptr;
  if (!p) throw std::bad_alloc();
  return p;
}
void give(void* p) {
  if (is_pinned(p)) pool().give(p);
  else std::free(p);
}

void must(const Status& s, const char* what) {
  if (s.code == 0) return;
  std::printf("%s: %s\n", what, s.message);
  throw exitrl::Error(exitrl::ErrorCode::internal, std::string(what) + ": " + s.message);
}

struct Card {
  const Backend* backend;
  Instance* instance;
};

const Card& card() {
  static const Card found = [] {
    const auto& plugin = exitrl::device::plugin();
    if (!plugin.backend) {
      std::printf("no plugin: %s\n", plugin.reason.c_str());
      std::exit(2);
    }
    Status s;
    Instance* const instance = plugin.backend->open(0, &s);
    if (s.code != 0) {
      std::printf("no device: %s\n", s.message);
      std::exit(2);
    }
    void* const memory = plugin.backend->allocate_pinned(instance, int64_t(kPinned), &s);
    must(s, "pinned memory");
    pinned = static_cast<unsigned char*>(memory);
    return Card{plugin.backend, instance};
  }();
  return found;
}

// Before any test allocates.
[[maybe_unused]] const bool registered = [] {
  check::machine() = {[] { card(); },
                      [] {
                        Status s;
                        card().backend->synchronise(card().instance, &s);
                        return s.code != 3;
                      }};
  return true;
}();

}  // namespace

void* operator new(size_t bytes) { return take(bytes, 16); }
void* operator new[](size_t bytes) { return take(bytes, 16); }
void* operator new(size_t bytes, std::align_val_t alignment) { return take(bytes, size_t(alignment)); }
void* operator new[](size_t bytes, std::align_val_t alignment) { return take(bytes, size_t(alignment)); }
void operator delete(void* p) noexcept { give(p); }
void operator delete[](void* p) noexcept { give(p); }
void operator delete(void* p, size_t) noexcept { give(p); }
void operator delete[](void* p, size_t) noexcept { give(p); }
void operator delete(void* p, std::align_val_t) noexcept { give(p); }
void operator delete[](void* p, std::align_val_t) noexcept { give(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { give(p); }
void operator delete[](void* p, size_t, std::align_val_t) noexcept { give(p); }

extern "C" const Backend* exitrl_backend() { return card().backend; }

namespace exitrl::cuda {

#define EXITRL_OP(name, Arguments)                           \
  void name(Context&, const device::Arguments& a) {          \
    Status s;                                                \
    card().backend->name(card().instance, &a, &s);           \
    must(s, #name);                                          \
    card().backend->synchronise(card().instance, &s);        \
    must(s, #name);                                          \
  }
EXITRL_DEVICE_OPS(EXITRL_OP)
#undef EXITRL_OP

namespace emulate {
constinit Watcher* watcher = nullptr;
void order(Order) {}
}  // namespace emulate

}  // namespace exitrl::cuda
