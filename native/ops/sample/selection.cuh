// Finding thresholds in a row without sorting it: a block's running sums, and a radix selection over 32-bit keys with integer
// weights. Integer sums do not depend on the order in which threads add; sums of doubles go over threads in a fixed order.
#pragma once
#include <climits>

#include "ops/head/row_statistics.cuh"

namespace exitrl::cuda {

constexpr int kBins = 2048;  // of a radix digit

struct SelectionScratch {
  uint32_t low[kBins], high[kBins];  // 64-bit sums: shared memory adds 32 bits at a time
  double warps[kMaxRowThreads / kWarp];
  double before, here;
  int first, last, bin;
};

struct Found {
  int thread;     // -1: no thread has a weight
  double before;  // running sum before it
  double total;   // over all threads
};
// Threads in order, each with a weight >= 0: the first with a weight whose running sum (from `start`, itself included) passes,
// else the last with a weight. passes(running sum, total).
template <class Passes>
__device__ __forceinline__ Found find_thread(double weight, double start, SelectionScratch& s, Passes&& passes) {
  const int lane = int(threadIdx.x) % kWarp, warp = int(threadIdx.x) / kWarp, warps = int(blockDim.x) / kWarp;
  double sum = weight;
  for (int offset = 1; offset < kWarp; offset *= 2) {
    const double below = __shfl_up_sync(0xffffffffu, sum, unsigned(offset));
    if (lane >= offset) sum += below;
  }
  double before = __shfl_up_sync(0xffffffffu, sum, 1u);
  if (lane == 0) before = 0;
  if (lane == kWarp - 1) s.warps[warp] = sum;
  if (threadIdx.x == 0) s.first = INT_MAX, s.last = -1;
  __syncthreads();
  double base = start, total = 0;
  for (int w = 0; w < warps; ++w) {
    if (w < warp) base += s.warps[w];
    total += s.warps[w];
  }
  if (weight > 0) {
    if (passes(base + sum, total)) atomicMin(&s.first, int(threadIdx.x));
    atomicMax(&s.last, int(threadIdx.x));
  }
  __syncthreads();
  const int thread = s.first != INT_MAX ? s.first : s.last;
  if (int(threadIdx.x) == thread) s.before = base + before;
  __syncthreads();
  const Found found{thread, s.before, total};
  __syncthreads();
  return found;
}

// Order of floats as order of integers.
__device__ __forceinline__ uint32_t ordered(float x) {
  const uint32_t bits = __float_as_uint(x);
  return bits >> 31 ? ~bits : bits | 0x80000000u;
}
__device__ __forceinline__ float from_ordered(uint32_t key) { return __uint_as_float(key >> 31 ? key & 0x7fffffffu : ~key); }

struct Weighted {
  uint32_t key, weight;  // weight 0: not taken part
};
struct Cut {
  uint32_t key;
  double above, here;  // weight of larger keys, and of this one, in units
};
// Keys in falling order: the first at which the running sum of weights reaches `wanted`; if none does, the last with a weight.
// key_of(logit) -> Weighted; unit_of(key): what weights of keys with these leading bits (at least 11) are multiplied by. Reads
// the row three times: digits of 11, 11 and 10 bits. Some key must have a weight.
template <int N, class Row, class Key, class Unit>
__device__ __forceinline__ Cut select(int V, const Row& row, double wanted, SelectionScratch& s, Key&& key_of, Unit&& unit_of) {
  Cut cut{0, 0, 0};
  for (int level = 0; level < 3; ++level) {
    const int shift = level == 0 ? 21 : level == 1 ? 10 : 0;
    const uint32_t bins = level == 2 ? kBins / 2 : kBins;
    for (int i = int(threadIdx.x); i < kBins; i += int(blockDim.x)) s.low[i] = s.high[i] = 0;
    __syncthreads();
    walk_row<N>(V, row, [&](int, auto& x) {
#pragma unroll
      for (int j = 0; j < kInFlight<N>; ++j)
#pragma unroll
        for (int i = 0; i < N; ++i) {
          const Weighted k = key_of(x[j].at[i]);
          const uint32_t digits = k.key >> shift, bin = digits & (bins - 1);
          if (k.weight == 0 || (level > 0 && (digits ^ bin) != cut.key >> shift)) continue;
          if (atomicAdd(&s.low[bin], k.weight) > ~k.weight) atomicAdd(&s.high[bin], 1u);
        }
    });
    __syncthreads();
    const int own = kBins / int(blockDim.x), best = kBins - 1 - int(threadIdx.x) * own;
    const auto weight = [&](int bin) {
      const double sum = double(s.high[bin]) * 0x1p32 + double(s.low[bin]);
      return sum > 0 ? sum * unit_of(cut.key | uint32_t(bin) << shift) : 0.0;
    };
    double sum = 0;
    for (int b = best; b > best - own; --b) sum += weight(b);
    const Found found = find_thread(sum, cut.above, s, [&](double running, double) { return running >= wanted; });
    if (int(threadIdx.x) == found.thread) {
      double above = found.before;
      for (int b = best; b > best - own; --b) {
        const double w = weight(b);
        if (w <= 0) continue;
        s.bin = b, s.before = above, s.here = w;
        above += w;
        if (above >= wanted) break;
      }
    }
    __syncthreads();
    cut = {cut.key | uint32_t(s.bin) << shift, s.before, s.here};
    __syncthreads();
  }
  return cut;
}

}  // namespace exitrl::cuda
