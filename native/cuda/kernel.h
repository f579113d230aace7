// What every .cu file includes. nvcc compiles kernels for the card; any C++ compiler compiles the same text for the host,
// where cuda/emulate runs blocks as loops and threads as fibers: tests see every kernel's logic without a card.
//
// Rules that make both work:
//   - launch with launch(), never with <<<>>>
//   - shared memory is one struct per kernel: auto& s = shared<S>(); its size is given to launch(). The emulation fills it
//     with NaN before every block
//   - blocks are multiples of 32 threads; warp collectives are called by whole warps
//   - tensor cores, ldmatrix and asynchronous copies only through cuda/tile.h
//   - no arrays that the compiler cannot keep in registers (indices known after unrolling); CI looks at the report
#pragma once
#include <cstdint>

#include "core/bf16.h"
#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_runtime.h>
#else
#include "cuda/emulate/emulate.h"
#endif
#include "cuda/context.h"

namespace exitrl::cuda {

constexpr int kWarp = 32;

#ifdef __CUDACC__
using bf16 = __nv_bfloat16;
__device__ __forceinline__ float to_float(bf16 x) { return __bfloat162float(x); }
__device__ __forceinline__ float to_float(float x) { return x; }
template <class T>
__device__ __forceinline__ T from_float(float x) {
  if constexpr (sizeof(T) == 2) return __float2bfloat16_rn(x);
  else return x;
}
template <class S>
__device__ __forceinline__ S& shared() {
  extern __shared__ __align__(1024) unsigned char memory[];
  return *reinterpret_cast<S*>(memory);
}
#else
struct bf16 {
  uint16_t bits;
};
inline float to_float(bf16 x) { return from_bf16(x.bits); }
inline float to_float(float x) { return x; }
template <class T>
inline T from_float(float x) {
  if constexpr (sizeof(T) == 2) return bf16{to_bf16(x)};
  else return x;
}
template <class S>
inline S& shared() {
  return *reinterpret_cast<S*>(emulate::shared_memory(sizeof(S)));
}
#endif

// threadIdx.x and blockIdx.x, read anew: what was computed from them before a loop need not stay in registers until after it.
__device__ __forceinline__ int thread_again() {
#ifdef __CUDACC__
  int thread;
  asm volatile("mov.u32 %0, %%tid.x;\n" : "=r"(thread));
  return thread;
#else
  return int(threadIdx.x);
#endif
}
__device__ __forceinline__ int block_again() {
#ifdef __CUDACC__
  int block;
  asm volatile("mov.u32 %0, %%ctaid.x;\n" : "=r"(block));
  return block;
#else
  return int(blockIdx.x);
#endif
}

// N numbers that are loaded and stored at once: 16 bytes where N = kVector<T>. Addresses are multiples of its size.
template <class T, int N>
struct alignas(sizeof(T) * N) Vec {
  T at[N];
};
template <class T>
constexpr int kVector = 16 / int(sizeof(T));
template <int N, class T>
__device__ __forceinline__ Vec<T, N> load(const T* p) { return *reinterpret_cast<const Vec<T, N>*>(p); }
template <int N, class T>
__device__ __forceinline__ void store(T* p, const Vec<T, N>& v) { *reinterpret_cast<Vec<T, N>*>(p) = v; }

// Asks for `bytes` from p on to be brought into the L2 cache, in lines of 128 by as many threads, of which this is number `thread`:
// loads on their way that take no registers.
__device__ __forceinline__ void prefetch(const void* p, int bytes, int thread, int threads) {
#ifdef __CUDACC__
  for (int at = thread * 128; at < bytes; at += threads * 128)
    asm volatile("prefetch.global.L2 [%0];\n" ::"l"(static_cast<const char*>(p) + at));
#else
  static_cast<void>(p), static_cast<void>(bytes), static_cast<void>(thread), static_cast<void>(threads);
#endif
}

__device__ __forceinline__ float warp_sum(float x) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) x += __shfl_xor_sync(0xffffffffu, x, offset);
  return x;
}
__device__ __forceinline__ double warp_sum(double x) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) x += __shfl_xor_sync(0xffffffffu, x, offset);
  return x;
}
__device__ __forceinline__ float warp_max(float x) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, offset));
  return x;
}

// Over all threads of the block, in a fixed order; every thread gets the result. `scratch`: one number per warp, shared; it
// may be used again at once.
template <class T>
__device__ __forceinline__ T block_sum(T x, T* scratch) {
  const int warps = int(blockDim.x) / kWarp, warp = int(threadIdx.x) / kWarp;
  x = warp_sum(x);
  if (threadIdx.x % kWarp == 0) scratch[warp] = x;
  __syncthreads();
  T sum = 0;
  for (int w = 0; w < warps; ++w) sum += scratch[w];
  __syncthreads();
  return sum;
}
__device__ __forceinline__ float block_max(float x, float* scratch) {
  const int warps = int(blockDim.x) / kWarp, warp = int(threadIdx.x) / kWarp;
  x = warp_max(x);
  if (threadIdx.x % kWarp == 0) scratch[warp] = x;
  __syncthreads();
  float best = scratch[0];
  for (int w = 1; w < warps; ++w) best = fmaxf(best, scratch[w]);
  __syncthreads();
  return best;
}

// Calls body with a float or a bf16 tag: one code for both precisions.
template <class Body>
void by_precision(Precision precision, Body&& body) {
  if (precision == Precision::bf16) body(bf16{});
  else body(float{});
}

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace exitrl::cuda
