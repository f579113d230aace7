// The device side of a backend instance, and how kernels are launched on its stream.
#pragma once
#include <cstdint>
#include <memory>
#include <utility>

#include "core/status.h"
#ifdef __CUDACC__
#include <cuda_runtime.h>
#else
#include "cuda/emulate/emulate.h"
#endif

namespace exitrl::cuda {

struct Libraries;  // cuda/libraries.h: cuBLASLt where it was found

struct Context {
  int device = 0;
  int multiprocessors = 1;
  int shared_per_block = 48 << 10;  // bytes a block may ask for
  int compute = 0;                  // compute capability, 90 for 9.0; 0: emulated
  bool warpgroups = false;          // wgmma may be used: compute capability 9.0, and its check passed
  bool warpgroups_fixed = false;    // and gives the bits of mma.sync: Order::fixed may use it, too
  cudaStream_t stream = nullptr;
  Libraries* libraries = nullptr;   // null: own kernels do everything
  void* workspace = nullptr;        // scratch of cuBLASLt, 256-byte aligned; used in the stream's order
  size_t workspace_bytes = 0;
  bool own_memory = false;          // emulated: kernels are given memory of the device only
};

#ifdef __CUDACC__
// Throws Error(internal), or Error(out_of_memory), with the expression and CUDA's words.
void check(cudaError_t error, const char* what);
// Lets blocks of a kernel ask for that many bytes of dynamic shared memory, from now on. Asked of the driver when the number grows only:
// the driver may wait for copies under way before it answers.
void allow_shared(int device, const void* kernel, size_t bytes, const char* name);

template <class... P, class... A>
void launch(Context& context, const char* name, void (*kernel)(P...), dim3 grid, int threads, size_t shared_bytes, A&&... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  if (shared_bytes > (48u << 10)) allow_shared(context.device, reinterpret_cast<const void*>(kernel), shared_bytes, name);
  kernel<<<grid, threads, shared_bytes, context.stream>>>(P(std::forward<A>(arguments))...);
  check(cudaGetLastError(), name);
}
#else
void fail_when_told(const char* kernel);  // emulate/runtime.cc

template <class... P, class... A>
void launch(Context& context, const char* name, void (*kernel)(P...), dim3 grid, int threads, size_t shared_bytes, A&&... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  fail_when_told(name);
  emulate::launch(name, [=, ... values = P(std::forward<A>(arguments))] { kernel(values...); }, grid, threads, shared_bytes,
                  context.own_memory);
}
#endif

}  // namespace exitrl::cuda
