// Attention forward in bf16: a block for every item, kv head and 64 rows (attention_forward_mma.h); decoding steps have a kernel of
// their own (attention_decode_bf16.cu).
#include "ops/attention/attention_forward_mma.h"

namespace exitrl::cuda::attention {
namespace {

template <int D, bool padded>
__global__ void __launch_bounds__(kThreads, kBlocks<D, padded>) forward_kernel(const AttentionForward a) {
  forward<D, padded, Cores::warp>(a, GridPlace{});
}
template <int D>
__global__ void __launch_bounds__(kThreads, kBlocks<D, false>) forward_warpgroup_kernel(const AttentionForward a) {
  if constexpr (kWarpgroups) forward<D, false, Cores::warpgroup>(a, GridPlace{});
}

}  // namespace

void forward_bf16(Context& context, const AttentionForward& a) {
  if (decode_bf16(context, a)) return;
  by_head_width(a.D, [&](auto width, auto padded) {
    const dim3 grid(a.item_count, a.K, ceil_div(a.H / a.K, kRows));
    if constexpr (kForWarpgroup<width(), padded()>)
      if (!a.few_queries && (a.order == Order::fixed ? context.warpgroups_fixed : context.warpgroups))
        return launch(context, "attention_forward_warpgroup", forward_warpgroup_kernel<width()>, grid, kThreads,
                      sizeof(Shared<width(), Cores::warpgroup>), a);
    using Memory = Shared<width(), Cores::warp>;
    static_assert(sizeof(Memory) <= 99 << 10, "the shared memory of a block on compute capability 8.9");
    launch(context, "attention_forward", forward_kernel<width(), padded()>, grid, kThreads, sizeof(Memory), a);
  });
}

}  // namespace exitrl::cuda::attention
