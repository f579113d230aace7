// The plugin's table: every entry calls its function and turns what it throws into a Status.
#include <cstdio>
#include <cstring>
#include <exception>

#include "cuda/instance.h"
#include "cuda/ops.h"

#ifndef EXITRL_VERSION
#error "EXITRL_VERSION is the version of the package"
#endif

namespace exitrl::cuda {

// An op without a kernel says so when it is called.
#define EXITRL_OP(name, Arguments)                                              \
  __attribute__((weak)) void name(Context&, const device::Arguments&) {         \
    fail(ErrorCode::internal, #name " has no CUDA implementation");             \
  }
EXITRL_DEVICE_OPS(EXITRL_OP)
#undef EXITRL_OP

namespace {

using device::Backend;
using device::Status;

void report(Status* s, int32_t code, const char* message) {
  s->code = code;
  std::snprintf(s->message, sizeof s->message, "%s", message);
}

template <class Body>
void protect(Status* s, Instance* instance, Body&& body) {
  s->code = 0;
  s->message[0] = 0;
  if (instance && instance->dead) return report(s, 3, instance->reason);
  try {
    if (instance) make_current(*instance);
    body();
  } catch (const DeviceLost& error) {
    if (instance) {
      instance->dead = true;
      std::snprintf(instance->reason, sizeof instance->reason, "%s", error.what());
    }
    report(s, 3, error.what());
  } catch (const Error& error) {
    report(s, error.code == ErrorCode::invalid_argument ? 1 : error.code == ErrorCode::out_of_memory ? 2 : 4, error.what());
  } catch (const std::exception& error) {
    report(s, 4, error.what());
  } catch (...) {
    report(s, 4, "unknown exception in the device backend");
  }
}

template <class T, class Body>
T value(Status* s, Instance* instance, Body&& body) {
  T out{};
  protect(s, instance, [&] { out = body(); });
  return out;
}

Backend make_table() {
  Backend b{};
  b.abi = backend_abi();
  std::snprintf(b.version, sizeof b.version, "%s", EXITRL_VERSION);
  std::snprintf(b.kind, sizeof b.kind, "%s", backend_kind());
  b.device_count = [](Status* s) { return value<int32_t>(s, nullptr, [] { return device_count(); }); };
  b.describe = [](int32_t device, DeviceInfo* info, Status* s) {
    std::memset(info, 0, sizeof *info);
    protect(s, nullptr, [&] { describe(device, *info); });
  };
  b.open = [](int32_t device, Status* s) { return value<Instance*>(s, nullptr, [&] { return open_instance(device); }); };
  b.close = [](Instance* i) { close_instance(i); };
  b.allocate = [](Instance* i, int64_t bytes, Status* s) { return value<void*>(s, i, [&] { return allocate(*i, bytes); }); };
  b.release = [](Instance* i, void* p) { release(*i, p); };
  b.allocate_pinned = [](Instance* i, int64_t bytes, Status* s) { return value<void*>(s, i, [&] { return allocate_pinned(*i, bytes); }); };
  b.release_pinned = [](Instance* i, void* p) { release_pinned(*i, p); };
  b.upload = [](Instance* i, void* to, const void* from, int64_t bytes, Status* s) { protect(s, i, [&] { upload(*i, to, from, bytes); }); };
  b.download_later = [](Instance* i, void* to, const void* from, int64_t bytes, Status* s) {
    protect(s, i, [&] { download_later(*i, to, from, bytes); });
  };
  b.copy = [](Instance* i, void* to, const void* from, int64_t bytes, Status* s) { protect(s, i, [&] { copy(*i, to, from, bytes); }); };
  b.fill = [](Instance* i, void* to, int32_t byte, int64_t bytes, Status* s) { protect(s, i, [&] { fill(*i, to, byte, bytes); }); };
  b.synchronise = [](Instance* i, Status* s) { protect(s, i, [&] { synchronise(*i); }); };
  b.set_mark = [](Instance* i, int32_t mark, Status* s) { protect(s, i, [&] { set_mark(*i, mark); }); };
  b.wait_mark = [](Instance* i, int32_t mark, Status* s) { protect(s, i, [&] { wait_mark(*i, mark); }); };
  b.begin_graph = [](Instance* i, Status* s) { protect(s, i, [&] { begin_graph(*i); }); };
  b.end_graph = [](Instance* i, Status* s) { return value<Graph*>(s, i, [&] { return end_graph(*i); }); };
  b.run_graph = [](Instance* i, Graph* g, Status* s) { protect(s, i, [&] { run_graph(*i, g); }); };
  b.release_graph = [](Instance* i, Graph* g) { release_graph(*i, g); };
  b.bare_gemm = [](Instance* i, const device::Gemm* a, int64_t times, Status* s) {
    protect(s, i, [&] { bare_gemm(i->context, *a, times); });
  };
#define EXITRL_OP(name, Arguments) \
  b.name = [](Instance* i, const device::Arguments* a, Status* s) { protect(s, i, [&] { cuda::name(i->context, *a); }); };
  EXITRL_DEVICE_OPS(EXITRL_OP)
#undef EXITRL_OP
  return b;
}

}  // namespace
}  // namespace exitrl::cuda

extern "C" __attribute__((visibility("default"))) const exitrl::device::Backend* exitrl_backend() {
  static const exitrl::device::Backend table = exitrl::cuda::make_table();
  return &table;
}
