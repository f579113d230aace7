// The kernels that use wgmma beside those that do not, on one small problem each: 150 rows of one sequence in attention (three tiles of
// keys), and products of several tiles.
#include "cuda/kernel.h"
#include "cuda/ops.h"
#include "cuda/warpgroup_check.h"
#include "ops/matmul/gemm_device.h"

namespace exitrl::cuda {
namespace {

using namespace device;

constexpr int kThreads = 256, kSequence = 150, kHeads = 2, kWidest = 128, kRowHeads = kHeads + 2;  // and one kv head
constexpr int kItems = (kSequence + 31) / 32, kTiles = (kSequence + kKeyTile - 1) / kKeyTile;
constexpr int kM = 136, kN = 264, kK = 200;

}  // namespace

struct WarpgroupKernelsCheck {
  WarpgroupCheck found;
  AttentionItem items[kItems];
  AttentionBackwardItem query_items[kTiles], key_items[kTiles];
  AttentionSegment segments[2 * kTiles];
  int32_t rows[kSequence], pages[(kSequence + 15) / 16];
  float lse[2][kSequence * kHeads], delta[kSequence * kHeads];
  alignas(16) bf16 qkv[kSequence * kRowHeads * kWidest], keys[160 * kWidest], values[160 * kWidest], d_o[kSequence * kHeads * kWidest];
  alignas(16) bf16 o[2][kSequence * kHeads * kWidest], dqkv[2][kSequence * kRowHeads * kWidest];
  alignas(16) bf16 a[kM * kK], b[kN * kK], d[2][kM * kN];
};

namespace {

// Numbers between -2 and 2 with all the bits that bf16 has.
__device__ __forceinline__ bf16 scattered(uint32_t place) {
  uint32_t x = place * 0x9e3779b1u;
  x = (x ^ x >> 15) * 0x85ebca77u;
  return from_float<bf16>(float(int32_t((x ^ x >> 13) & 0xffffu) - 0x8000) * 0x1p-14f);
}

__global__ void __launch_bounds__(kThreads) prepare_kernel(WarpgroupKernelsCheck* c, int D) {
  const int thread = int(threadIdx.x), row_numbers = kRowHeads * D;
  for (int i = thread; i < kSequence * row_numbers; i += kThreads) {
    const bf16 x = scattered(uint32_t(i));
    const int row = i / row_numbers, at = i % row_numbers - kHeads * D;
    c->qkv[i] = x;
    if (at >= D) c->values[row * D + at - D] = x;
    else if (at >= 0) c->keys[row * D + at] = x;
  }
  for (int i = thread; i < kSequence * kHeads * D; i += kThreads) c->d_o[i] = scattered(uint32_t(i) + 1000000u);
  for (int i = thread; i < kM * kK; i += kThreads) c->a[i] = scattered(uint32_t(i) + 2000000u);
  for (int i = thread; i < kN * kK; i += kThreads) c->b[i] = scattered(uint32_t(i) + 3000000u);
  for (int i = thread; i < kSequence; i += kThreads) c->rows[i] = i;
  if (thread < (kSequence + 15) / 16) c->pages[thread] = thread;
  if (thread < kItems) {
    const int first = 32 * thread, queries = min(32, kSequence - first);
    c->items[thread] = {first, queries, 0, 0, first + queries, -1};
  }
  if (thread < kTiles) {
    const int first = kKeyTile * thread, end = min(first + kKeyTile, kSequence);
    const AttentionSegment tile{first, end - first, first};
    c->segments[2 * thread] = {0, end, 0};                              // keys that the tile's queries see
    c->segments[2 * thread + 1] = {first, kSequence - first, first};  // queries that see the tile's keys
    c->query_items[thread] = {tile, 2 * thread, 2 * thread + 1};
    c->key_items[thread] = {tile, 2 * thread + 1, 2 * thread + 2};
  }
}

// Counts the numbers that are further apart than tensor cores' rounding explains, and those whose bits differ.
__global__ void __launch_bounds__(kThreads) compare_kernel(const bf16* x, const bf16* y, int count, float tolerance, WarpgroupCheck* found,
                                                           bool bits) {
  int wrong = 0, different = 0;
  for (int i = int(blockIdx.x) * kThreads + int(threadIdx.x); i < count; i += int(gridDim.x) * kThreads) {
    const float u = to_float(x[i]), v = to_float(y[i]);
    wrong += !(fabsf(u - v) <= tolerance * (1.0f + fabsf(v)));
    different += __float_as_uint(u) != __float_as_uint(v);
  }
  if (wrong > 0) atomicAdd(&found->wrong, wrong);
  if (bits && different > 0) atomicAdd(&found->different, different);
}

void compare(Context& context, const bf16* x, const bf16* y, int count, float tolerance, WarpgroupKernelsCheck* c, bool bits) {
  launch(context, "check_warpgroup_compare", compare_kernel, dim3(16), kThreads, 0, x, y, count, tolerance, &c->found, bits);
}

void check_attention(Context& with, Context& without, WarpgroupKernelsCheck* c, int D) {
  launch(with, "check_warpgroup_prepare", prepare_kernel, dim3(1), kThreads, 0, c, D);
  const float scale = 1.0f / sqrtf(float(D));
  AttentionForward f{};
  f.q = c->qkv, f.keys = c->keys, f.values = c->values, f.pages = c->pages, f.items = c->items, f.rows = f.positions = c->rows;
  f.q_stride = kRowHeads * D, f.page_stride = 16 * D, f.item_count = kItems;
  f.H = kHeads, f.K = 1, f.D = D, f.scale = scale, f.precision = Precision::bf16, f.order = Order::any;
  AttentionBackward b{};
  b.qkv = c->qkv, b.o = c->o[1], b.d_o = c->d_o, b.lse = c->lse[1], b.delta = c->delta;
  b.query_items = c->query_items, b.key_items = c->key_items, b.segments = c->segments, b.query_item_count = b.key_item_count = kTiles;
  b.T = kSequence, b.H = kHeads, b.K = 1, b.D = D, b.scale = scale, b.precision = Precision::bf16;
  for (const int i : {1, 0}) {
    f.o = c->o[i], f.lse = c->lse[i], b.dqkv = c->dqkv[i];
    attention_forward(i == 0 ? with : without, f);
    attention_backward(i == 0 ? with : without, b);
  }
  compare(with, c->o[0], c->o[1], kSequence * kHeads * D, 0.05f, c, true);
  compare(with, c->dqkv[0], c->dqkv[1], kSequence * kRowHeads * D, 0.2f, c, false);
}

void check_products(Context& with, Context& without, WarpgroupKernelsCheck* c) {
  for (const GemmKind kind : {GemmKind::nt, GemmKind::nn, GemmKind::tn}) {
    for (Context* const context : {&with, &without}) {
      Gemm a{};
      a.kind = kind, a.a = c->a, a.b = c->b, a.d = c->d[context == &without], a.M = kM, a.N = kN, a.K = kK;
      a.lda = kind == GemmKind::tn ? kM : kK, a.ldb = kind == GemmKind::nt ? kK : kN, a.ldd = kN;
      a.alpha = 1, a.input = a.output = Precision::bf16, a.order = Order::fixed;
      gemm(*context, a);
    }
    compare(with, c->d[0], c->d[1], kM * kN, 0.05f, c, true);
  }
}

}  // namespace

size_t warpgroup_kernels_check_bytes() { return sizeof(WarpgroupKernelsCheck); }

void check_warpgroup_kernels(Context& context, void* memory) {
  auto* const c = static_cast<WarpgroupKernelsCheck*>(memory);
  Context with = context, without = context;
  with.multiprocessors = without.multiprocessors = 1;  // large tiles, though the products are small
  with.warpgroups = with.warpgroups_fixed = true;
  without.warpgroups = without.warpgroups_fixed = false;
  for (const int D : {64, kWidest}) check_attention(with, without, c, D);
  check_products(with, without, c);
}

}  // namespace exitrl::cuda
