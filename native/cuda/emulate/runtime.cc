// The runtime of the emulated device: its memory is the host's, its stream runs everything at once.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>

#include "cuda/emulate/emulate.h"
#include "cuda/instance.h"

namespace exitrl::device {
struct Graph {
  std::function<void()> run;
};
}  // namespace exitrl::device

namespace exitrl::cuda {
namespace {

// EXIT_RL_EMULATED_MEMORY: bytes that the device pretends to have.
int64_t memory_bytes() {
  const char* text = std::getenv("EXIT_RL_EMULATED_MEMORY");
  return text ? std::atoll(text) : int64_t{1} << 30;
}
int64_t used_bytes = 0;

constexpr int64_t kHeader = 256;

}  // namespace

const char* backend_kind() { return "emulated"; }

// EXIT_RL_EMULATED_ABI: what a plugin of another build would say.
uint32_t backend_abi() {
  const char* text = std::getenv("EXIT_RL_EMULATED_ABI");
  return text ? uint32_t(std::atoi(text)) : device::kBackendAbi;
}

// EXIT_RL_EMULATED_FAULT=kernel:n: the n-th launch of this kernel kills the device, as a bad address on a card would.
void fail_when_told(const char* kernel) {
  static const char* const text = std::getenv("EXIT_RL_EMULATED_FAULT");
  static int launches = 0;
  if (!text) return;
  const char* const colon = std::strchr(text, ':');
  if (!colon || std::strlen(kernel) != size_t(colon - text) || std::strncmp(kernel, text, size_t(colon - text)) != 0) return;
  if (++launches == std::atoi(colon + 1))
    throw DeviceLost(std::string(kernel) + ": cudaErrorIllegalAddress: an illegal memory access was encountered");
}
int32_t device_count() { return 1; }

void describe(int32_t, DeviceInfo& info) {
  std::snprintf(info.name, sizeof info.name, "emulated device");
  info.multiprocessors = 4;
  info.memory_bytes = memory_bytes();
  info.free_bytes = memory_bytes() - used_bytes;
}

Instance* open_instance(int32_t device) {
  if (device != 0) fail(ErrorCode::invalid_argument, "there is one emulated device, number 0, not " + std::to_string(device));
  auto* const instance = new Instance;
  instance->context.multiprocessors = 4;
  instance->context.shared_per_block = 227 << 10;
  instance->context.own_memory = true;
  instance->context.warpgroups = instance->context.warpgroups_fixed = wgmma_wanted();
  return instance;
}
void close_instance(Instance* instance) { delete instance; }
void make_current(Instance&) {}

void* allocate(Instance&, int64_t bytes) {
  if (bytes < 0 || used_bytes + bytes > memory_bytes())
    fail(ErrorCode::out_of_memory, "the device has no " + std::to_string(bytes) + " bytes left: " + std::to_string(used_bytes) + " of " +
                                       std::to_string(memory_bytes()) + " are in use");
  auto* const p = static_cast<unsigned char*>(std::aligned_alloc(256, size_t(kHeader + (bytes + 255) / 256 * 256)));
  if (!p) fail(ErrorCode::out_of_memory, "cannot allocate " + std::to_string(bytes) + " bytes");
  std::memcpy(p, &bytes, sizeof bytes);
  std::memset(p + kHeader, 0xff, size_t(bytes));  // NaN
  used_bytes += bytes;
  if (emulate::watcher) emulate::watcher->memory_begins(p + kHeader, size_t(bytes));
  return p + kHeader;
}
void release(Instance&, void* p) {
  if (!p) return;
  auto* const block = static_cast<unsigned char*>(p) - kHeader;
  int64_t bytes;
  std::memcpy(&bytes, block, sizeof bytes);
  used_bytes -= bytes;
  if (emulate::watcher) emulate::watcher->memory_ends(p);
  std::free(block);
}
void* allocate_pinned(Instance&, int64_t bytes) {
  void* const p = std::calloc(size_t(bytes > 0 ? bytes : 1), 1);
  if (!p) fail(ErrorCode::out_of_memory, "cannot allocate " + std::to_string(bytes) + " bytes of pinned memory");
  if (emulate::watcher) emulate::watcher->memory_begins(p, size_t(bytes));
  return p;
}
void release_pinned(Instance&, void* p) {
  if (emulate::watcher) emulate::watcher->memory_ends(p);
  std::free(p);
}
void upload(Instance&, void* to, const void* from, int64_t bytes) {
  emulate::record([=] { std::memcpy(to, from, size_t(bytes)); });
}
void download_later(Instance&, void* to, const void* from, int64_t bytes) {
  emulate::record([=] { std::memcpy(to, from, size_t(bytes)); });
}
void copy(Instance&, void* to, const void* from, int64_t bytes) {
  emulate::record([=] { std::memmove(to, from, size_t(bytes)); });
}
void fill(Instance&, void* to, int32_t byte, int64_t bytes) {
  emulate::record([=] { std::memset(to, byte, size_t(bytes)); });
}
void synchronise(Instance&) {}
void set_mark(Instance&, int32_t) {}
void wait_mark(Instance&, int32_t) {}
void begin_graph(Instance&) { emulate::begin_capture(); }
Graph* end_graph(Instance&) { return new Graph{emulate::end_capture()}; }
void run_graph(Instance&, Graph* graph) { graph->run(); }
void release_graph(Instance&, Graph* graph) { delete graph; }
void bare_gemm(Context&, const device::Gemm&, int64_t) { fail(ErrorCode::internal, "cuBLASLt: the emulated device has none"); }

}  // namespace exitrl::cuda
