// Kernels on the host: blocks one after the other, the threads of a block as fibers that switch at barriers and warp
// collectives. What it checks beside the results: threads that wait at different places (an Error names the kernel and the
// places), shared memory that is read before it is written (it is filled with NaN) or beyond its end (the sanitizer sees a
// heap block), copies that are read before they were waited for, and any dependence on the order of blocks, warps and lanes
// (order() reverses it).
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include "cuda/emulate/watch.h"

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(int64_t x = 1, int64_t y = 1, int64_t z = 1) : x(unsigned(x)), y(unsigned(y)), z(unsigned(z)) {}
};
using cudaStream_t = void*;

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

namespace exitrl::cuda::emulate {

enum class Order { forward, reversed };
// Of blocks, warps and lanes in launches from now on.
void order(Order order);

// What every thread of a launch calls: anything without arguments, kept on the heap, so that nothing of it lies on a stack.
struct Kernel {
  template <class F>
  Kernel(F f)
      : function(std::make_shared<const F>(std::move(f))), bytes(sizeof(F)),
        call([](const void* p) { (*static_cast<const F*>(p))(); }) {}
  std::shared_ptr<const void> function;
  size_t bytes;
  void (*call)(const void*);
};

// Runs `kernel` for every thread of the grid. Throws Error(internal) on a deadlock.
// `own_memory`: kernels are given memory of the device only. Looked at by race_tests.
void launch(const char* name, Kernel kernel, dim3 grid, int threads, size_t shared_bytes, bool own_memory = false);
// Launches and work given to record() are kept instead of run between these two; calling the result runs them.
void begin_capture();
std::function<void()> end_capture();
void record(std::function<void()> work);

// Launches, and blocks in them, since the process began.
struct Counts {
  int64_t launches = 0, blocks = 0, threads = 0;
};
Counts counts();

// Of the thread that runs.
struct Place {
  dim3 thread, block, threads, grid;
};
extern constinit thread_local Place place;

void* shared_memory(size_t bytes);
// As the hardware numbers them: from 0 at the block's first byte, which lies at a multiple of 1024.
uint32_t shared_address(const void* p);
void wait(Barrier barrier, const char* what);
// What the lanes of the warp gave to an exchange.
class Exchanged {
 public:
  static constexpr size_t kMost = 64;         // bytes a lane can give
  static constexpr size_t kStride = 2 * kMost;  // two slots a lane: one may be an exchange ahead of another, never two
  explicit Exchanged(const unsigned char* first) : first_(first) {}
  const unsigned char* of(int lane) const { return first_ + size_t(lane & 31) * kStride; }

 private:
  const unsigned char* first_;
};
// Gives `value` to the warp and waits for it. The result is valid until the next exchange but one.
Exchanged exchange(const void* value, size_t bytes, const char* what);

// Copies 16, 8 or 4 bytes when they are waited for.
void copy_later(void* to, const void* from, int bytes);
void commit_copies();
void wait_copies(int groups_left);

template <class T>
T shuffle(T value, int lane, const char* what) {
  const Exchanged lanes = exchange(&value, sizeof value, what);
  T out;
  std::memcpy(&out, lanes.of(lane), sizeof out);
  return out;
}
// d += a b on the tensor cores' fragments.
void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1);
// d (64, n) = a b or += a b for the warpgroup of this thread, when it is waited for: a in registers, or by a matrix descriptor
// (cuda/warpgroup.h).
void multiply_later(float (*d)[4], int n, const uint32_t (&a)[4], uint64_t b, bool b_by_row, bool add);
void multiply_later(float (*d)[4], int n, uint64_t a, bool a_by_column, uint64_t b, bool b_by_row, bool add);
void commit_products();
void wait_products(int groups_left);
inline int lane() { return int(place.thread.x % 32); }

}  // namespace exitrl::cuda::emulate

#define threadIdx (::exitrl::cuda::emulate::place.thread)
#define blockIdx (::exitrl::cuda::emulate::place.block)
#define blockDim (::exitrl::cuda::emulate::place.threads)
#define gridDim (::exitrl::cuda::emulate::place.grid)

inline void __syncthreads() { exitrl::cuda::emulate::wait(exitrl::cuda::emulate::Barrier::block, "__syncthreads"); }
inline void __syncwarp(unsigned = 0xffffffffu) { exitrl::cuda::emulate::wait(exitrl::cuda::emulate::Barrier::warp, "__syncwarp"); }
template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
  return exitrl::cuda::emulate::shuffle(value, exitrl::cuda::emulate::lane() ^ mask, "__shfl_xor_sync");
}
template <class T>
T __shfl_sync(unsigned, T value, int from) {
  return exitrl::cuda::emulate::shuffle(value, from & 31, "__shfl_sync");
}
template <class T>
T __shfl_up_sync(unsigned, T value, unsigned delta) {
  const int from = exitrl::cuda::emulate::lane() - int(delta);
  return exitrl::cuda::emulate::shuffle(value, from < 0 ? exitrl::cuda::emulate::lane() : from, "__shfl_up_sync");
}
template <class T>
T __shfl_down_sync(unsigned, T value, unsigned delta) {
  const int from = exitrl::cuda::emulate::lane() + int(delta);
  return exitrl::cuda::emulate::shuffle(value, from > 31 ? exitrl::cuda::emulate::lane() : from, "__shfl_down_sync");
}
inline unsigned __ballot_sync(unsigned, int predicate) {
  const auto lanes = exitrl::cuda::emulate::exchange(&predicate, sizeof predicate, "__ballot_sync");
  unsigned bits = 0;
  for (int i = 0; i < 32; ++i) {
    int p;
    std::memcpy(&p, lanes.of(i), sizeof p);
    bits |= unsigned(p != 0) << i;
  }
  return bits;
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) == 0xffffffffu; }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(unsigned(x)); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline float __uint_as_float(unsigned x) { float f; std::memcpy(&f, &x, 4); return f; }
inline unsigned __float_as_uint(float f) { unsigned x; std::memcpy(&x, &f, 4); return x; }
inline float __int_as_float(int x) { return __uint_as_float(unsigned(x)); }
inline int __float_as_int(float f) { return int(__float_as_uint(f)); }
// A result of an approximation on a card may be off by `ulps`: here it is, by a number of them that depends on x alone. Results too
// small for a normal number are 0.
inline float off_by_ulps(float exact, float x, int ulps) {
  if (x == 0 || !(exact >= 0x1p-126f) || std::isinf(exact)) return exact >= 0x1p-126f || exact != exact ? exact : 0.0f;
  const unsigned hash = (__float_as_uint(x) * 2654435761u) >> 16;
  return __uint_as_float(__float_as_uint(exact) + unsigned(int(hash % unsigned(2 * ulps + 1)) - ulps));
}
// The errors that NVIDIA documents for ex2.approx (2^-22) and __expf.
inline float exp2_approximate(float x) { return off_by_ulps(std::exp2(x), x, 2); }
inline float __expf(float x) { return off_by_ulps(std::exp(x), x, 2 + int(std::fmin(1.16f * std::fabs(x), 200.0f))); }
inline float __fdividef(float a, float b) { return a / b; }
// Multiplied and rounded: nvcc makes no fused multiply-add of it.
inline float __fmul_rn(float a, float b) { return a * b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned((uint64_t(a) * b) >> 32); }
template <class T>
T __ldg(const T* p) { return *p; }
// One thread runs at a time: plain operations are atomic. Only on integers, whose sums do not depend on the order.
template <class T>
T atomicAdd(T* p, T value) {
  static_assert(!std::is_floating_point_v<T>);
  const exitrl::cuda::emulate::Atomic here(p, sizeof *p);
  const T old = *p;
  *p = T(old + value);
  return old;
}
template <class T>
T atomicMax(T* p, T value) {
  const exitrl::cuda::emulate::Atomic here(p, sizeof *p);
  const T old = *p;
  *p = std::max(old, value);
  return old;
}
template <class T>
T atomicMin(T* p, T value) {
  const exitrl::cuda::emulate::Atomic here(p, sizeof *p);
  const T old = *p;
  *p = std::min(old, value);
  return old;
}
template <class T>
T atomicExch(T* p, T value) {
  const exitrl::cuda::emulate::Atomic here(p, sizeof *p);
  const T old = *p;
  *p = value;
  return old;
}
template <class T>
T atomicOr(T* p, T value) {
  const exitrl::cuda::emulate::Atomic here(p, sizeof *p);
  const T old = *p;
  *p = old | value;
  return old;
}
inline void __threadfence() {}
using std::max;
using std::min;
