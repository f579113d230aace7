// Which implementation computes a product: cuBLASLt where the order is free and the library is there, else our kernels.
#include <limits>

#include "cuda/ops.h"
#include "ops/matmul/gemm_tile.h"

namespace exitrl::cuda {

void gemm(Context& context, const device::Gemm& a) {
  constexpr int64_t kMost = std::numeric_limits<int>::max() - 1024;  // tiles count in int
  require(a.M >= 0 && a.N >= 0 && a.K >= 0 && a.M <= kMost && a.N <= kMost && a.K <= kMost,
          "gemm: M = " + std::to_string(a.M) + ", N = " + std::to_string(a.N) + ", K = " + std::to_string(a.K) +
              " is outside 0 .. " + std::to_string(kMost));
  if (a.M == 0 || a.N == 0) return;
#ifdef __CUDACC__
  // Of one row (a single sequence decodes) ours took 7.0 us where the library took 8.8 (1 x 6144 x 1024 in bf16, H200).
  const bool one_row = a.M == 1 && a.kind == device::GemmKind::nt && a.input == Precision::bf16;
  if (a.order == device::Order::any && context.libraries && a.K > 0 && !one_row && gemm_cublaslt(context, a)) return;
#endif
  if (a.input == Precision::f32) gemm_f32(context, a);
  else if (!gemm_warpgroup(context, a)) gemm_bf16(context, a);
}

}  // namespace exitrl::cuda
