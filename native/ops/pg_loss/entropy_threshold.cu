// The entropy from which on tokens are trained (top_entropy), as the host finds it (pg_loss.cc): a quantile with linear interpolation.
// One block, no sort: the lower of its two neighbours by selection over the bits (ops/sample/selection.cuh), the upper one by a
// pass more. Reads 16 n bytes; a step has one such call, and nothing waits for it on the host.
#include "cuda/ops.h"
#include "ops/sample/selection.cuh"

namespace exitrl::cuda {
namespace {

struct Shared {
  SelectionScratch selection;
  uint32_t next;
};

// NaN is the largest, whatever its sign.
__device__ __forceinline__ uint32_t key_of(float entropy) { return entropy != entropy ? 0xffffffffu : ordered(entropy); }

template <int N>
__global__ void __launch_bounds__(kMaxRowThreads, 1) threshold_kernel(device::EntropyThreshold a) {
  auto& s = shared<Shared>();
  const int n = int(a.n);
  const PlainRow row{a.entropy};
  // Rounded as the host rounds: with a fused multiply-add the threshold could lie above entropies that the host trains.
  const double share = fmin(fmax(1.0 - a.top_entropy, 0.0), 1.0), position = __dmul_rn(share, double(n - 1));
  const int64_t lower = int64_t(position);  // from the smallest, 0
  const double from_above = double(n - lower);
  // Past the end the row reads as -inf, which no entropy is.
  const Cut cut = select<N>(n, row, from_above, s.selection, [](float x) { return Weighted{key_of(x), x == -INFINITY ? 0u : 1u}; },
                            [](uint32_t) { return 1.0; });
  if (threadIdx.x == 0) s.next = 0xffffffffu;
  __syncthreads();
  uint32_t next = 0xffffffffu;
  walk_row<N>(n, row, [&](int, auto& x) {
#pragma unroll
    for (int j = 0; j < kInFlight<N>; ++j)
#pragma unroll
      for (int i = 0; i < N; ++i) {
        const uint32_t key = key_of(x[j].at[i]);
        if (key > cut.key) next = min(next, key);
      }
  });
  atomicMin(&s.next, next);
  __syncthreads();
  if (threadIdx.x != 0) return;
  const double low = from_ordered(cut.key);
  // All of the larger ones lie above the upper neighbour, or one of them is it.
  const double high = lower + 1 == n || from_above - 1 > cut.above ? low : from_ordered(s.next);
  *a.threshold = low + __dmul_rn(position - double(lower), high - low);
}

}  // namespace

void entropy_threshold(Context& context, const device::EntropyThreshold& a) {
  require(a.n > 0 && a.n < (int64_t{1} << 30), "entropy_threshold: " + std::to_string(a.n) + " entropies; there must be 1 to 2^30");
  const bool vectors = a.n % 4 == 0 && reinterpret_cast<uintptr_t>(a.entropy) % 16 == 0;
  const auto kernel = vectors ? threshold_kernel<4> : threshold_kernel<1>;
  launch(context, "entropy_threshold", kernel, dim3(1), row_threads(a.n), sizeof(Shared), a);
}

}  // namespace exitrl::cuda
