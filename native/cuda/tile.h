// Tensor cores, ldmatrix and asynchronous copies, as few wrappers around PTX; on the host each is emulated per warp.
// Fragments of mma.sync m16n8k16 (PTX ISA, "Matrix Fragments for mma.m16n8k16"), lane l, g = l / 4, i = l % 4:
//   A (16, 16) row-major: a[0] (g, 2i..), a[1] (g + 8, 2i..), a[2] (g, 2i + 8..), a[3] (g + 8, 2i + 8..)   two numbers each
//   B (16, 8): b[0] (2i.., g), b[1] (2i + 8.., g)
//   C, D (16, 8) fp32: (g, 2i), (g, 2i + 1), (g + 8, 2i), (g + 8, 2i + 1)
#pragma once
#include "cuda/kernel.h"

namespace exitrl::cuda {

#ifdef __CUDACC__

__device__ __forceinline__ uint32_t shared_address(const void* p) { return uint32_t(__cvta_generic_to_shared(p)); }

// d += a b: bf16 factors, sums in fp32.
__device__ __forceinline__ void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Four 8 x 8 matrices of 16-bit numbers: lanes 8m .. 8m + 7 give the rows (16 bytes each, in shared memory) of matrix m. Lane
// l gets of each the two numbers (l / 4, 2 (l % 4)) and the next.
__device__ __forceinline__ void ldmatrix_x4(uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(row)) : "memory");
}
// The same of the transposed matrices.
__device__ __forceinline__ void ldmatrix_x4_transposed(uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(row)) : "memory");
}

// 16 bytes from global to shared memory, both aligned to 16. Where `valid` is 0 zeros are written and nothing is read.
__device__ __forceinline__ void copy_async16(void* to, const void* from, bool valid = true) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(shared_address(to)), "l"(from), "r"(valid ? 16 : 0) : "memory");
}
// 4 bytes, likewise.
__device__ __forceinline__ void copy_async4(void* to, const void* from, bool valid = true) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;\n" ::"r"(shared_address(to)), "l"(from), "r"(valid ? 4 : 0) : "memory");
}
// The first `bytes` of 16 bytes, 0 to 16; zeros for the rest. Nothing else is read.
__device__ __forceinline__ void copy_async16_part(void* to, const void* from, int bytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(shared_address(to)), "l"(from), "r"(bytes) : "memory");
}
__device__ __forceinline__ void copy_commit() { asm volatile("cp.async.commit_group;\n" ::: "memory"); }
template <int groups_left>
__device__ __forceinline__ void copy_wait() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(groups_left) : "memory");
}

// Two floats rounded to bf16: `low` in the low half.
__device__ __forceinline__ uint32_t pack_bf16(float low, float high) {
  uint32_t out;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(out) : "f"(high), "f"(low));
  return out;
}
// 2^x, relative error about 2^-22; 0 for -inf.
__device__ __forceinline__ float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(y) : "f"(x));
  return y;
}

#else

inline uint32_t shared_address(const void* p) { return emulate::shared_address(p); }

inline void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) { emulate::mma_m16n8k16(d, a, b0, b1); }

namespace detail {
inline const unsigned char* matrix_row(const emulate::Exchanged& rows, int row) {
  const unsigned char* p;
  std::memcpy(&p, rows.of(row), sizeof p);
  return p;
}
inline uint32_t pair_at(const unsigned char* first, const unsigned char* second) {
  uint16_t low, high;
  std::memcpy(&low, first, 2);
  std::memcpy(&high, second, 2);
  return uint32_t(high) << 16 | low;
}
}  // namespace detail

inline void ldmatrix_x4(uint32_t (&r)[4], const void* row) {
  const auto rows = emulate::exchange(&row, sizeof row, "ldmatrix_x4");
  const int l = emulate::lane();
  for (int m = 0; m < 4; ++m) {
    const unsigned char* const p = detail::matrix_row(rows, 8 * m + l / 4) + 4 * (l % 4);
    r[m] = detail::pair_at(p, p + 2);
  }
}
inline void ldmatrix_x4_transposed(uint32_t (&r)[4], const void* row) {
  const auto rows = emulate::exchange(&row, sizeof row, "ldmatrix_x4_transposed");
  const int l = emulate::lane();
  for (int m = 0; m < 4; ++m)
    r[m] = detail::pair_at(detail::matrix_row(rows, 8 * m + 2 * (l % 4)) + 2 * (l / 4),
                           detail::matrix_row(rows, 8 * m + 2 * (l % 4) + 1) + 2 * (l / 4));
}

inline void copy_async16(void* to, const void* from, bool valid = true) {
  alignas(16) static const unsigned char zeros[16] = {};
  if (reinterpret_cast<uintptr_t>(to) % 16 != 0 || (valid && reinterpret_cast<uintptr_t>(from) % 16 != 0))
    fail(ErrorCode::internal, "an asynchronous copy of 16 bytes between addresses that are not multiples of 16");
  emulate::copy_later(to, valid ? from : zeros, 16);
}
inline void copy_async4(void* to, const void* from, bool valid = true) {
  alignas(4) static const unsigned char zeros[4] = {};
  emulate::copy_later(to, valid ? from : zeros, 4);
}
inline void copy_async16_part(void* to, const void* from, int bytes) {
  if (bytes < 16) copy_async16(to, nullptr, false);
  if (bytes <= 0) return;
  if (reinterpret_cast<uintptr_t>(from) % 16 != 0)
    fail(ErrorCode::internal, "an asynchronous copy of 16 bytes from an address that is not a multiple of 16");
  emulate::copy_later(to, from, bytes);
}
inline void copy_commit() { emulate::commit_copies(); }
template <int groups_left>
void copy_wait() {
  emulate::wait_copies(groups_left);
}

inline uint32_t pack_bf16(float low, float high) { return uint32_t(to_bf16(high)) << 16 | to_bf16(low); }
inline float exp2_fast(float x) { return exp2_approximate(x); }

#endif

}  // namespace exitrl::cuda
