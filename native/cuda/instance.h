// A context on one device, its memory and its marks: what the table of a backend (backend.cu) works on. runtime.cu implements it
// with the CUDA runtime, emulate/runtime.cc on the host.
#pragma once
#include <cstdlib>
#include <string_view>

#include "cuda/context.h"
#include "device/backend.h"

namespace exitrl::device {
struct Instance {
  cuda::Context context;
  bool dead = false;         // the device failed: every further call says so
  char reason[400] = {};     // what it said
};
}  // namespace exitrl::device

namespace exitrl::cuda {

using device::DeviceInfo;
using device::Graph;
using device::Instance;

constexpr int kMarks = 32;

// False where EXIT_RL_WGMMA=off.
inline bool wgmma_wanted() {
  const char* const text = std::getenv("EXIT_RL_WGMMA");
  return !text || std::string_view(text) != "off";
}

const char* backend_kind();
uint32_t backend_abi();
int32_t device_count();
void describe(int32_t device, DeviceInfo& info);
Instance* open_instance(int32_t device);
void close_instance(Instance* instance);
void make_current(Instance&);  // for the calling thread; before every call that works on an instance
void* allocate(Instance&, int64_t bytes);
void release(Instance&, void*);
void* allocate_pinned(Instance&, int64_t bytes);
void release_pinned(Instance&, void*);
void upload(Instance&, void* to, const void* from, int64_t bytes);
void download_later(Instance&, void* to, const void* from, int64_t bytes);
void copy(Instance&, void* to, const void* from, int64_t bytes);
void fill(Instance&, void* to, int32_t byte, int64_t bytes);
void synchronise(Instance&);
void set_mark(Instance&, int32_t mark);
void wait_mark(Instance&, int32_t mark);
void begin_graph(Instance&);
Graph* end_graph(Instance&);
void run_graph(Instance&, Graph*);
void release_graph(Instance&, Graph*);
// cuBLASLt alone, for benchmarks: a loop over its one call, with descriptors and the algorithm that was fastest on these very factors, both
// kept from the first time on. Throws Error(internal) where there is no cuBLASLt.
void bare_gemm(Context&, const device::Gemm&, int64_t times);

// Errors after which a context cannot be used any more.
class DeviceLost : public Error {
 public:
  explicit DeviceLost(const std::string& message) : Error(ErrorCode::internal, message) {}
};

}  // namespace exitrl::cuda
