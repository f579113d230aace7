// What kernels over rows share: where a flat run of vectors lies, copies of chosen rows, and sums of partial rows.
#pragma once
#include "cuda/kernel.h"

namespace exitrl::cuda {

// Rows of `n` vectors, numbered through: the place of number first + offset. One wide division a thread, narrow ones after it.
struct RowPlace {
  int64_t row;
  int64_t column;  // of vectors
};
class RowSplit {
 public:
  __device__ __forceinline__ RowSplit(int64_t first, int64_t n) : n_(uint32_t(n)), row_(first / n), column_(uint32_t(first - row_ * n)) {}
  __device__ __forceinline__ RowPlace at(int offset) const {
    const uint32_t column = column_ + uint32_t(offset), rows = column / n_;
    return {row_ + rows, int64_t(column - rows * n_)};
  }

 private:
  uint32_t n_;
  int64_t row_;
  uint32_t column_;
};

// Tensors that 16-byte loads may read. Widths and strides must be multiples of kVector, too.
template <class... P>
bool aligned(const P*... p) {
  return ((reinterpret_cast<uintptr_t>(p) % 16 == 0) && ...);
}
// Calls body with the width of loads: 16 bytes, or one number.
template <class T, class Body>
void by_width(bool vectors, Body&& body) {
  if (vectors) body(std::integral_constant<int, kVector<T>>{});
  else body(std::integral_constant<int, 1>{});
}

// The compiler must not derive anything from `v` across this line: numbers that are used before and after it are widened twice
// instead of being held as floats, which would take twice the registers.
template <class T, int N>
__device__ __forceinline__ void hold_narrow(Vec<T, N>& v) {
#ifdef __CUDACC__
  if constexpr (sizeof(v) == 16) {
    uint4 words = reinterpret_cast<uint4&>(v);
    asm volatile("" : "+r"(words.x), "+r"(words.y), "+r"(words.z), "+r"(words.w));
    reinterpret_cast<uint4&>(v) = words;
  }
#else
  static_cast<void>(v);
#endif
}

// to[i] = scale * from[index[i]], rows of C = n N numbers. Four vectors a thread, all loaded before the first is stored: at full
// occupancy 128 KB are on their way to a multiprocessor.
constexpr int kGatherThreads = 256, kGatherVectors = 4;
template <class T, int N>
__global__ void __launch_bounds__(kGatherThreads)
    gather_kernel(const T* from, const int32_t* index, T* to, int64_t rows, int64_t n, float scale) {
  const int64_t first = int64_t(blockIdx.x) * kGatherThreads * kGatherVectors;
  const RowSplit split(first, n);
  const int64_t left = rows * n - first;
  Vec<T, N> v[kGatherVectors];
#pragma unroll
  for (int j = 0; j < kGatherVectors; ++j) {
    const int offset = j * kGatherThreads + int(threadIdx.x);
    if (offset >= left) continue;
    const RowPlace p = split.at(offset);
    v[j] = load<N>(from + (index[p.row] * n + p.column) * N);
  }
#pragma unroll
  for (int j = 0; j < kGatherVectors; ++j) {
    const int offset = j * kGatherThreads + int(threadIdx.x);
    if (offset >= left) continue;
#pragma unroll
    for (int i = 0; i < N; ++i) v[j].at[i] = from_float<T>(scale * to_float(v[j].at[i]));
    store<N>(to + (first + offset) * N, v[j]);
  }
}
template <class T>
void gather(Context& context, const char* name, const void* from, const int32_t* index, void* to, int64_t rows, int64_t C, float scale) {
  by_width<T>(C % kVector<T> == 0 && aligned(from, to), [&](auto width) {
    const int64_t n = C / width();
    launch(context, name, gather_kernel<T, width()>, dim3(ceil_div(rows * n, kGatherThreads * kGatherVectors)), kGatherThreads, 0,
           static_cast<const T*>(from), index, static_cast<T*>(to), rows, n, scale);
  });
}

// Partial sums of columns: part p of column c at parts[p * columns + c]. The sum over the parts is added to out[c], or from
// column `split` on to second[c - split].
struct Parts {
  const float* parts;
  float* out;
  float* second;
  int64_t columns, split;
};
constexpr int kPartWarps = 32;
struct PartSums {
  float at[kPartWarps][kWarp];
};
// Over parts [begin, end) in a fixed order: warp w of the block takes every warps-th from w on, then the warps' sums in order.
// `scale` multiplies the sum.
__device__ __forceinline__ void add_parts(const Parts& a, int64_t first_column, int64_t begin, int64_t end, float scale, PartSums& s) {
  const int lane = int(threadIdx.x) % kWarp, warp = int(threadIdx.x) / kWarp, warps = int(blockDim.x) / kWarp;
  const int64_t c = first_column + lane;
  float sum = 0;
  if (c < a.columns) {
#pragma unroll 8
    for (int64_t p = begin + warp; p < end; p += warps) sum += a.parts[p * a.columns + c];
  }
  s.at[warp][lane] = sum;
  __syncthreads();
  if (warp > 0 || c >= a.columns) return;
  float total = 0;
  for (int w = 0; w < warps; ++w) total += s.at[w][lane];
  float* const to = c < a.split ? a.out + c : a.second + (c - a.split);
  *to += scale * total;
}
template <int warps>
__global__ void __launch_bounds__(warps * kWarp) add_parts_kernel(Parts a, int64_t count) {
  add_parts(a, int64_t(blockIdx.x) * kWarp, 0, count, 1.0f, shared<PartSums>());
}
inline void add_parts(Context& context, const char* name, const Parts& a, int64_t count) {
  if (count == 0) return;
  const int warps = int(count < kPartWarps ? count : kPartWarps);
  launch(context, name, add_parts_kernel<kPartWarps>, dim3(ceil_div(a.columns, kWarp)), warps * kWarp, sizeof(PartSums), a, count);
}

}  // namespace exitrl::cuda
