// The instructions behind cuda/warpgroup.h, for nvcc. Empty where a card has no wgmma.
#pragma once
#include "cuda/tile.h"

namespace exitrl::cuda {

__device__ __forceinline__ void publish_copies() { asm volatile("fence.proxy.async.shared::cta;\n" ::: "memory"); }

__device__ __forceinline__ void products_begin() {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  asm volatile("wgmma.fence.sync.aligned;\n" ::: "memory");
#endif
}
__device__ __forceinline__ void products_commit() {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  asm volatile("wgmma.commit_group.sync.aligned;\n" ::: "memory");
#endif
}
template <int groups_left>
__device__ __forceinline__ void products_wait() {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  asm volatile("wgmma.wait_group.sync.aligned %0;\n" ::"n"(groups_left) : "memory");
#endif
}

template <int N>
__device__ __forceinline__ void hold(float (&d)[N][4]) {
#pragma unroll
  for (int j = 0; j < N; ++j) asm volatile("" : "+f"(d[j][0]), "+f"(d[j][1]), "+f"(d[j][2]), "+f"(d[j][3])::"memory");
}

#define EXITRL_SUMS(j) "+f"(d[j][0]), "+f"(d[j][1]), "+f"(d[j][2]), "+f"(d[j][3])
#define EXITRL_SUMS4(j) EXITRL_SUMS(j), EXITRL_SUMS(j + 1), EXITRL_SUMS(j + 2), EXITRL_SUMS(j + 3)
#define EXITRL_SUMS8(j) EXITRL_SUMS4(j), EXITRL_SUMS4(j + 4)

template <int N, Right right>
__device__ __forceinline__ void multiply_registers(float (&d)[N / 8][4], const uint32_t (&a)[4], uint64_t b, bool add) {
  static_assert(N == 64 || N == 128);
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  constexpr int kByRow = right == Right::by_row;
  if constexpr (N == 64) {
    asm volatile("{\n.reg .pred add;\n"
                 "setp.ne.b32 add, %37, 0;\n"
                 "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 "
                 "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
                 "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
                 "{%32, %33, %34, %35}, %36, add, 1, 1, %38;\n}\n"
                 : EXITRL_SUMS8(0)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(int(add)), "n"(kByRow));
  } else {
    asm volatile("{\n.reg .pred add;\n"
                 "setp.ne.b32 add, %69, 0;\n"
                 "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 "
                 "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
                 "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
                 "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
                 "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, "
                 "{%64, %65, %66, %67}, %68, add, 1, 1, %70;\n}\n"
                 : EXITRL_SUMS8(0), EXITRL_SUMS8(8)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(int(add)), "n"(kByRow));
  }
#endif
}

template <int N, Left left, Right right>
__device__ __forceinline__ void multiply_shared(float (&d)[N / 8][4], uint64_t a, uint64_t b, bool add) {
  static_assert(N == 64 || N == 128 || N == 256);
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  constexpr int kByRow = right == Right::by_row;
  constexpr int kLeftByColumn = left == Left::by_column;
  if constexpr (N == 64) {
    asm volatile("{\n.reg .pred add;\n"
                 "setp.ne.b32 add, %34, 0;\n"
                 "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 "
                 "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
                 "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
                 "%32, %33, add, 1, 1, %35, %36;\n}\n"
                 : EXITRL_SUMS8(0)
                 : "l"(a), "l"(b), "r"(int(add)), "n"(kLeftByColumn), "n"(kByRow));
  } else if constexpr (N == 128) {
    asm volatile("{\n.reg .pred add;\n"
                 "setp.ne.b32 add, %66, 0;\n"
                 "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 "
                 "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
                 "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
                 "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
                 "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, "
                 "%64, %65, add, 1, 1, %67, %68;\n}\n"
                 : EXITRL_SUMS8(0), EXITRL_SUMS8(8)
                 : "l"(a), "l"(b), "r"(int(add)), "n"(kLeftByColumn), "n"(kByRow));
  } else {
    asm volatile("{\n.reg .pred add;\n"
                 "setp.ne.b32 add, %130, 0;\n"
                 "wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16 "
                 "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
                 "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
                 "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
                 "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, "
                 "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "
                 "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, "
                 "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, "
                 "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127}, "
                 "%128, %129, add, 1, 1, %131, %132;\n}\n"
                 : EXITRL_SUMS8(0), EXITRL_SUMS8(8), EXITRL_SUMS8(16), EXITRL_SUMS8(24)
                 : "l"(a), "l"(b), "r"(int(add)), "n"(kLeftByColumn), "n"(kByRow));
  }
#endif
}

#undef EXITRL_SUMS8
#undef EXITRL_SUMS4
#undef EXITRL_SUMS

}  // namespace exitrl::cuda
