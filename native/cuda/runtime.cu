// The runtime of instance.h on CUDA: one stream per instance, events as marks, captured graphs.
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "cuda/instance.h"
#include "cuda/libraries.h"
#include "cuda/warpgroup_check.h"

namespace exitrl::device {
struct Graph {
  cudaGraphExec_t runnable = nullptr;
};
}  // namespace exitrl::device

namespace exitrl::cuda {
namespace {

// What a model takes beside its planned memory: the workspace of cuBLASLt, recorded graphs, code that is loaded when it is first used.
// Room that is left free, not a measurement.
constexpr int64_t kReserveBytes = int64_t{384} << 20;
constexpr int kLowestCompute = 80;  // bf16 tensor cores and asynchronous copies

struct CudaInstance : Instance {
  cudaEvent_t marks[kMarks] = {};
};

// After these every call of the process's context fails.
bool context_is_lost(cudaError_t error) {
  switch (error) {
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorContextIsDestroyed:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorMpsRpcFailure:
    case cudaErrorMpsClientTerminated:
    case cudaErrorExternalDevice:
    case cudaErrorUnknown:
#if CUDART_VERSION >= 12080
    case cudaErrorContained:
    case cudaErrorTensorMemoryLeak:
#endif
      return true;
    default:
      return false;
  }
}

std::string version_text(int version) { return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10); }

// What stands in the way of any device, in words.
std::string missing_device(cudaError_t error) {
  int driver = 0, runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  if (error == cudaErrorInsufficientDriver && driver == 0) return "there is no NVIDIA driver on this machine (libcuda.so.1 was not found)";
  if (error == cudaErrorInsufficientDriver)
    return "the NVIDIA driver supports CUDA " + version_text(driver) + ", but the kernels were built with CUDA " + version_text(runtime) +
           ": update the driver, or rebuild with an older toolkit";
  if (error == cudaErrorNoDevice)
    return "the NVIDIA driver sees no device (is CUDA_VISIBLE_DEVICES empty, or the card not passed into this container?)";
  return std::string(cudaGetErrorName(error)) + ": " + cudaGetErrorString(error);
}

void use(int device) { check(cudaSetDevice(device), "choosing the device"); }

CudaInstance& own(Instance& instance) { return static_cast<CudaInstance&>(instance); }

cudaEvent_t& mark_at(Instance& instance, int32_t mark) {
  require(mark >= 0 && mark < kMarks,
          "there are " + std::to_string(kMarks) + " marks, numbered from 0; there is no " + std::to_string(mark));
  return own(instance).marks[mark];
}

void require_device(int32_t device) {
  const int32_t count = device_count();
  require(device >= 0 && device < count,
          "there is no CUDA device " + std::to_string(device) + "; there are " + std::to_string(count) + ", numbered from 0");
}

std::string size_text(int64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

// What warpgroups may be used for on this device, and why not for all. A card that gives one wrong result does without.
struct WarpgroupUse {
  bool any = false, fixed = false;  // of Order::any, Order::fixed
  std::string words;
};
WarpgroupUse ask_warpgroups(Context& context) {
  if (context.compute != 90) return {false, false, "not used: it exists on compute capability 9.0 only"};
  if (!wgmma_wanted()) return {false, false, "not used: switched off by EXIT_RL_WGMMA"};
  void* memory = nullptr;
  check(cudaMalloc(&memory, warpgroup_kernels_check_bytes()), "allocating device memory");
  const std::unique_ptr<void, void (*)(void*)> owner(memory, [](void* p) { cudaFree(p); });
  WarpgroupCheck found{};
  constexpr const char* kWhat = "checking wgmma (EXIT_RL_WGMMA=off does without it)";
  check(cudaMemsetAsync(memory, 0, warpgroup_kernels_check_bytes(), context.stream), kWhat);
  const auto read = [&] {
    check(cudaMemcpyAsync(&found, memory, sizeof found, cudaMemcpyDeviceToHost, context.stream), kWhat);
    check(cudaStreamSynchronize(context.stream), kWhat);
  };
  check_warpgroup_products(context, static_cast<WarpgroupCheck*>(memory));
  read();
  if (found.wrong > 0) return {false, false, "not used: " + std::to_string(found.wrong) + " wrong results in its check"};
  check_warpgroup_kernels(context, memory);
  read();
  if (found.wrong > 0)
    return {false, false, "not used: " + std::to_string(found.wrong) + " wrong results of kernels that use it; another nvcc may help"};
  if (found.different > 0) return {true, false, "checked; not used in exact mode, as its bits are not those of mma.sync"};
  return {true, true, "checked; used by attention and own products"};
}
// The same, asked once.
const WarpgroupUse& warpgroup_use(int device, Context& context) {
  static std::mutex mutex;
  static std::map<int, WarpgroupUse> answers;
  const std::lock_guard lock(mutex);
  const auto known = answers.find(device);
  return known != answers.end() ? known->second : answers[device] = ask_warpgroups(context);
}

// Tries cuBLASLt, once, so that a report says whether it can be used before any model has.
void try_libraries() {
  static const bool tried = [] {
    Context context;
    close_libraries(open_libraries(context));
    return true;
  }();
  (void)tried;
}

// Why a card cannot be used, or nothing.
std::string objection(const cudaDeviceProp& properties, int device) {
  const int compute = properties.major * 10 + properties.minor;
  if (compute < kLowestCompute)
    return "compute capability " + std::to_string(properties.major) + "." + std::to_string(properties.minor) +
           " has no bf16 tensor cores: an Ampere card or newer (8.0) is needed; use the CPU";
  int mode = cudaComputeModeDefault;
  cudaDeviceGetAttribute(&mode, cudaDevAttrComputeMode, device);
  if (mode == cudaComputeModeProhibited) return "the card is in compute mode 'prohibited': nvidia-smi -c DEFAULT lets processes use it";
  return "";
}

}  // namespace

void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // so that the next check does not see it again
  const std::string message = std::string(what) + ": " + cudaGetErrorName(error) + ": " + cudaGetErrorString(error);
  if (context_is_lost(error)) throw DeviceLost(message + "; the device cannot be used by this process any more: start it again");
  fail(error == cudaErrorMemoryAllocation ? ErrorCode::out_of_memory : ErrorCode::internal, message);
}

void allow_shared(int device, const void* kernel, size_t bytes, const char* name) {
  static std::mutex mutex;
  static std::map<std::pair<int, const void*>, size_t> allowed;
  const std::lock_guard lock(mutex);
  size_t& most = allowed[{device, kernel}];
  if (bytes <= most) return;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(bytes)), name);
  most = bytes;
}

int driver_major() {
  int driver = 0;
  return cudaDriverGetVersion(&driver) == cudaSuccess ? driver / 1000 : 0;
}

const char* backend_kind() { return "cuda"; }
uint32_t backend_abi() { return device::kBackendAbi; }

int32_t device_count() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess) return count;
  cudaGetLastError();
  fail(ErrorCode::internal, missing_device(error));
}

void describe(int32_t device, DeviceInfo& info) {
  require_device(device);
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, device), "asking for a device's properties");
  std::snprintf(info.name, sizeof info.name, "%s", properties.name);
  std::snprintf(info.note, sizeof info.note, "%s", objection(properties, device).c_str());
  info.compute = properties.major * 10 + properties.minor;
  info.multiprocessors = properties.multiProcessorCount;
  info.memory_bytes = int64_t(properties.totalGlobalMem);
  check(cudaDriverGetVersion(&info.driver), "asking for the driver's version");
  check(cudaRuntimeGetVersion(&info.runtime), "asking for the runtime's version");
  std::snprintf(info.libraries, sizeof info.libraries, "%s", library_report().c_str());
  if (info.note[0]) return;
  use(device);
  try_libraries();
  size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "asking for free memory");
  info.free_bytes = int64_t(free);
  info.reserve_bytes = kReserveBytes;
  Context context;
  context.compute = info.compute;  // on the default stream
  std::snprintf(info.libraries, sizeof info.libraries, "wgmma: %s\n%s", warpgroup_use(device, context).words.c_str(),
                library_report().c_str());
}

Instance* open_instance(int32_t device) {
  require_device(device);
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, device), "asking for a device's properties");
  const std::string note = objection(properties, device);
  if (!note.empty()) fail(ErrorCode::invalid_argument, "device " + std::to_string(device) + " (" + properties.name + "): " + note);
  use(device);
  std::unique_ptr<CudaInstance, decltype(&close_instance)> instance(new CudaInstance, [](Instance* i) { close_instance(i); });
  Context& context = instance->context;
  context.device = device;
  context.multiprocessors = properties.multiProcessorCount;
  context.shared_per_block = int(properties.sharedMemPerBlockOptin);
  context.compute = properties.major * 10 + properties.minor;
  check(cudaStreamCreateWithFlags(&context.stream, cudaStreamNonBlocking), "making a stream");
  for (cudaEvent_t& mark : instance->marks) check(cudaEventCreateWithFlags(&mark, cudaEventDisableTiming), "making an event");
  context.libraries = open_libraries(context);
  const WarpgroupUse& wgmma = warpgroup_use(device, context);
  context.warpgroups = wgmma.any;
  context.warpgroups_fixed = wgmma.fixed;
  return instance.release();
}

void close_instance(Instance* instance) {
  if (!instance) return;
  CudaInstance& i = own(*instance);
  // Failures here have been reported by the call before, or concern nobody any more.
  cudaSetDevice(i.context.device);
  if (i.context.stream) cudaStreamSynchronize(i.context.stream);
  close_libraries(i.context.libraries);
  for (cudaEvent_t mark : i.marks)
    if (mark) cudaEventDestroy(mark);
  if (i.context.stream) cudaStreamDestroy(i.context.stream);
  cudaGetLastError();
  delete &i;
}

void make_current(Instance& instance) { use(instance.context.device); }

void* allocate(Instance& instance, int64_t bytes) {
  if (bytes < 0) fail(ErrorCode::invalid_argument, "an allocation of " + std::to_string(bytes) + " bytes");
  void* p = nullptr;
  const cudaError_t error = cudaMalloc(&p, size_t(bytes > 0 ? bytes : 1));
  if (error != cudaErrorMemoryAllocation) {
    check(error, "allocating device memory");
    return p;
  }
  cudaGetLastError();
  size_t free = 0, total = 0;
  cudaMemGetInfo(&free, &total);
  fail(ErrorCode::out_of_memory, "device " + std::to_string(instance.context.device) + " has no " + size_text(bytes) + " left: " +
                                     size_text(int64_t(free)) + " of " + size_text(int64_t(total)) + " are free");
}

void release(Instance& instance, void* p) {
  if (!p) return;
  cudaSetDevice(instance.context.device);
  cudaFree(p);
  cudaGetLastError();
}

void* allocate_pinned(Instance&, int64_t bytes) {
  void* p = nullptr;
  check(cudaMallocHost(&p, size_t(bytes > 0 ? bytes : 1)), ("allocating " + size_text(bytes) + " of pinned host memory").c_str());
  return p;
}

void release_pinned(Instance& instance, void* p) {
  if (!p) return;
  cudaSetDevice(instance.context.device);
  cudaFreeHost(p);
  cudaGetLastError();
}

void upload(Instance& i, void* to, const void* from, int64_t bytes) {
  if (bytes > 0) check(cudaMemcpyAsync(to, from, size_t(bytes), cudaMemcpyHostToDevice, i.context.stream), "copying to the device");
}
void download_later(Instance& i, void* to, const void* from, int64_t bytes) {
  if (bytes > 0) check(cudaMemcpyAsync(to, from, size_t(bytes), cudaMemcpyDeviceToHost, i.context.stream), "copying from the device");
}
void copy(Instance& i, void* to, const void* from, int64_t bytes) {
  if (bytes > 0) check(cudaMemcpyAsync(to, from, size_t(bytes), cudaMemcpyDeviceToDevice, i.context.stream), "copying on the device");
}
void fill(Instance& i, void* to, int32_t byte, int64_t bytes) {
  if (bytes > 0) check(cudaMemsetAsync(to, byte, size_t(bytes), i.context.stream), "filling memory");
}
void synchronise(Instance& i) { check(cudaStreamSynchronize(i.context.stream), "waiting for the device"); }
void set_mark(Instance& i, int32_t mark) { check(cudaEventRecord(mark_at(i, mark), i.context.stream), "setting a mark"); }
void wait_mark(Instance& i, int32_t mark) { check(cudaEventSynchronize(mark_at(i, mark)), "waiting for a mark"); }

namespace {
// A recording that an error cut short must not swallow what comes after it.
void drop_recording(cudaStream_t stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  if (cudaStreamIsCapturing(stream, &status) != cudaSuccess || status == cudaStreamCaptureStatusNone) return;
  cudaGraph_t graph = nullptr;
  if (cudaStreamEndCapture(stream, &graph) == cudaSuccess && graph) cudaGraphDestroy(graph);
  cudaGetLastError();
}
}  // namespace

void begin_graph(Instance& i) {
  drop_recording(i.context.stream);
  check(cudaStreamBeginCapture(i.context.stream, cudaStreamCaptureModeThreadLocal), "beginning a graph");
}

Graph* end_graph(Instance& i) {
  cudaGraph_t graph = nullptr;
  check(cudaStreamEndCapture(i.context.stream, &graph), "ending a graph");
  auto out = std::make_unique<Graph>();
  const cudaError_t error = cudaGraphInstantiate(&out->runnable, graph, 0);
  cudaGraphDestroy(graph);
  check(error, "making a graph runnable");
  return out.release();
}

void run_graph(Instance& i, Graph* graph) { check(cudaGraphLaunch(graph->runnable, i.context.stream), "running a graph"); }

void release_graph(Instance& i, Graph* graph) {
  if (!graph) return;
  cudaSetDevice(i.context.device);
  cudaGraphExecDestroy(graph->runnable);
  cudaGetLastError();
  delete graph;
}

}  // namespace exitrl::cuda
