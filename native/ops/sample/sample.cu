// Sampling: a block of 512 threads per row (128 for a short one), no sort, nothing written but the result. A row of 152k logits is
// 608 KB: it comes from HBM once and from L2 afterwards. Times that it is read:
//   1  row_numbers (2 when the raw log-probability has another temperature or the repetition penalty is on)
//   3  top-k: selection over the bits of the logits. Every thread's largest logit is known; the k-th largest of these is a bound
//      below which nothing can be among the k best, so few logits reach the counters
//   4  top-p: the sum, and selection over the bits of the exponentials. Weights are their 24-bit mantissas: a bin holds one
//      exponent, so its mass is exact, and masses of bins are added in double. Tokens so small that all of them together are less
//      than 1 - top_p stay out. One read more if the cut falls between equal tokens
//   1  pick: sums of up to blockDim.x segments, then a search in one of them
// The repetition penalty is a set of ids in shared memory, V bits, and is applied when a logit is read.
// The number of a token's row alone decides its sums and its random number.
#include "core/rng.h"
#include "core/status.h"
#include "cuda/ops.h"
#include "ops/sample/selection.cuh"

namespace exitrl::cuda {
namespace {

// Followed by the set of penalised ids.
struct Shared {
  RowScratch row;
  SelectionScratch selection;
  double segments[kMaxRowThreads];
  float own_max[kMaxRowThreads];
  float bound;
  int token;
};

// A row under the repetition penalty. `seen`: a bit per id and for kPastEnd ids more, which may be anything; null without.
struct PenalisedRow {
  const float* logits;
  const uint32_t* seen;
  float penalty;

  template <int N>
  __device__ __forceinline__ void adjust(int v, Vec<float, N>& x) const {
    if (!seen) return;
    const uint32_t bits = seen[v / 32] >> (v % 32);
#pragma unroll
    for (int i = 0; i < N; ++i)
      if (bits >> i & 1u) x.at[i] = x.at[i] > 0.0f ? x.at[i] / penalty : x.at[i] * penalty;
  }
  __device__ __forceinline__ float at(int v) const {
    Vec<float, 1> x{{logits[v]}};
    adjust(v, x);
    return x.at[0];
  }
};

// The exponential of a token after the filters, each a threshold.
struct Filter {
  float inverse_temperature, max;
  float least_logit = -INFINITY;  // top-k
  uint32_t cut = 0;               // top-p: bits of the worst exponential
  int last_id = INT_MAX;          // of those with exactly these bits
  float least = 0;                // min-p

  __device__ __forceinline__ float exponential(float logit) const {
    return logit < least_logit ? 0.0f : cuda::exponential(logit, inverse_temperature, max);
  }
  __device__ __forceinline__ float operator()(int v, float logit) const {
    const float e = exponential(logit);
    const uint32_t bits = __float_as_uint(e);
    return bits < cut || (bits == cut && v > last_id) || e < least ? 0.0f : e;
  }
};

struct Picked {
  int token;
  double total;
};
// First id in ascending order whose running sum of weights exceeds share * total (rises above `target` if share is 0); if
// rounding leaves none, the last id with a weight. weight(v, logit) >= 0.
template <int N, class Row, class Weight>
__device__ __forceinline__ Picked pick(int V, const Row& row, double share, double target, Shared& s, Weight&& weight) {
  const int threads = int(blockDim.x), lane = int(threadIdx.x) % kWarp;
  const int length = ((V + threads - 1) / threads + 127) & ~127, segments = (V + length - 1) / length;
  constexpr int kStep = kWarp * N, kLoads = 4;
  for (int segment = int(threadIdx.x) / kWarp; segment < segments; segment += threads / kWarp) {
    const int end = min(V, (segment + 1) * length);
    float sum = 0;
    for (int v = segment * length + lane * N; v < end; v += kLoads * kStep) {
      Vec<float, N> x[kLoads];
#pragma unroll
      for (int j = 0; j < kLoads; ++j)
        if (v + j * kStep < end) x[j] = load<N>(row.logits + v + j * kStep);
#pragma unroll
      for (int j = 0; j < kLoads; ++j) {
        if (v + j * kStep >= end) break;
        row.adjust(v + j * kStep, x[j]);
#pragma unroll
        for (int i = 0; i < N; ++i) sum += weight(v + j * kStep + i, x[j].at[i]);
      }
    }
    const double all = warp_sum(double(sum));
    if (lane == 0) s.segments[segment] = all;
  }
  __syncthreads();
  const double own_segment = int(threadIdx.x) < segments ? s.segments[threadIdx.x] : 0.0;
  const Found segment = find_thread(own_segment, 0.0, s.selection, [&](double sum, double total) { return sum > target + share * total; });
  target += share * segment.total;

  const int own = (length + threads - 1) / threads;
  const int begin = segment.thread * length + int(threadIdx.x) * own, end = min(min(V, (segment.thread + 1) * length), begin + own);
  double sum = 0;
  for (int v = begin; v < end; ++v) sum += weight(v, row.at(v));
  const Found part = find_thread(sum, segment.before, s.selection, [&](double running, double) { return running > target; });
  if (int(threadIdx.x) == part.thread) {
    double running = part.before;
    for (int v = begin; v < end; ++v) {
      const float w = weight(v, row.at(v));
      if (w <= 0.0f) continue;
      s.token = v;
      running += w;
      if (running > target) break;
    }
  }
  __syncthreads();
  const Picked picked{s.token, segment.total};
  __syncthreads();
  return picked;
}

template <int N, class Row>
__device__ __forceinline__ float top_k_bar(int V, const Row& row, int k, float inverse_temperature, float own_max, Shared& s) {
  float bound = -INFINITY;
  if (k <= int(blockDim.x)) {
    s.own_max[threadIdx.x] = own_max;
    __syncthreads();
    int better = 0;
    for (int t = 0; t < int(blockDim.x); ++t) {
      const float other = s.own_max[t];
      better += other > own_max || (other == own_max && t < int(threadIdx.x));
    }
    if (better == k - 1) s.bound = own_max;
    __syncthreads();
    bound = s.bound;
  }
  const Cut cut = select<N>(V, row, double(k), s.selection,
                            [&](float logit) { return Weighted{ordered(logit), __fmul_rn(logit, inverse_temperature) >= bound ? 1u : 0u}; },
                            [](uint32_t) { return 1.0; });
  return from_ordered(cut.key);
}

// Sets the filter's cut and last_id.
template <int N, class Row>
__device__ __forceinline__ void top_p_cut(int V, const Row& row, float top_p, Filter& filter, Shared& s) {
  float own = 0;
  walk_row<N>(V, row, [&](int, auto& x) {
#pragma unroll
    for (int j = 0; j < kInFlight<N>; ++j)
#pragma unroll
      for (int i = 0; i < N; ++i) own += filter.exponential(x[j].at[i]);
  });
  const double total = block_sum(double(own), s.row.sums), wanted = double(fmaxf(top_p, 0.0f)) * total;
  // All tokens below it together have less than 1 - top_p, with room for the rounding of the sums.
  const float negligible = float((total - wanted) * 0.999 / double(V));
  const Cut cut = select<N>(V, row, wanted, s.selection, [&](float logit) {
    const float e = filter.exponential(logit);
    const uint32_t bits = __float_as_uint(e);
    return Weighted{bits, e >= negligible ? (bits & 0x7fffffu) | 0x800000u : 0u};
  }, [](uint32_t key) { return double(__uint_as_float(key & 0x7f800000u)) * 0x1p-23; });
  // Of `ties` equal tokens the first `kept` stay: those before which less than `wanted` lies.
  const double each = double(__uint_as_float(cut.key));
  const int ties = int(cut.here / each + 0.5);
  int kept = int(fmin(fmax((wanted - cut.above) / each, 1.0), double(ties)));
  while (kept > 1 && cut.above + double(kept - 1) * each >= wanted) --kept;
  while (kept < ties && cut.above + double(kept) * each < wanted) ++kept;
  filter.cut = cut.key;
  if (kept == ties) return;
  const uint32_t bits = cut.key;
  filter.last_id = pick<N>(V, row, 0.0, double(kept) - 1.0, s, [&](int, float logit) {
                     return __float_as_uint(filter.exponential(logit)) == bits ? 1.0f : 0.0f;
                   }).token;
}

template <int N, class Row>
__device__ __forceinline__ int argmax(int V, const Row& row, float largest, Shared& s) {
  if (threadIdx.x == 0) s.token = INT_MAX;
  __syncthreads();
  int lowest = INT_MAX;
  walk_row<N>(V, row, [&](int v, auto& x) {
#pragma unroll
    for (int j = 0; j < kInFlight<N>; ++j)
#pragma unroll
      for (int i = 0; i < N; ++i)
        if (x[j].at[i] == largest) lowest = min(lowest, v + j * int(blockDim.x) * N + i);
  });
  if (lowest != INT_MAX) atomicMin(&s.token, lowest);
  __syncthreads();
  return s.token;
}

// The set of the ids in history[0, count).
__device__ __forceinline__ void mark(uint32_t* seen, int V, const int32_t* history, int count) {
  for (int i = int(threadIdx.x); i < (V + 31) / 32; i += int(blockDim.x)) seen[i] = 0;
  __syncthreads();
  for (int i = int(threadIdx.x); i < count; i += int(blockDim.x)) {
    const int32_t id = history[i];
    if (id >= 0 && id < V) atomicOr(&seen[id / 32], 1u << (id % 32));
  }
  __syncthreads();
}

template <int N, bool filtered>
__global__ void __launch_bounds__(kMaxRowThreads, N == 1 && filtered ? 1 : 2) sample_kernel(device::Sample a, float inverse_temperature) {
  auto& s = shared<Shared>();
  const int64_t r = blockIdx.x;
  const int V = int(a.V);
  const SamplingSettings& settings = a.settings;
  const bool greedy = settings.temperature == 0.0f, penalised = settings.repetition_penalty != 1.0f;
  const PlainRow plain{a.logits + r * a.V};
  PenalisedRow row{plain.logits, nullptr, settings.repetition_penalty};
  if (penalised) {
    auto* const seen = reinterpret_cast<uint32_t*>(&s + 1);
    mark(seen, V, a.history + a.slot[r] * a.history_stride, a.length[r]);
    row.seen = seen;
  }
  const RowNumbers used = row_numbers<N>(V, inverse_temperature, row, s.row);
  const bool bad = used.log_sum != used.log_sum, raw_is_used = !penalised && inverse_temperature == 1.0f;

  int token = 0;
  float log_sum = used.log_sum;
  if (!bad && greedy) {
    token = argmax<N>(V, row, used.max, s);
  } else if (!bad) {
    Filter filter{inverse_temperature, used.max};
    if constexpr (filtered) {
      if (settings.top_k > 0 && settings.top_k < V)
        filter.least_logit = top_k_bar<N>(V, row, settings.top_k, inverse_temperature, used.own_max, s);
      if (settings.top_p < 1.0f) top_p_cut<N>(V, row, settings.top_p, filter, s);
      filter.least = fminf(settings.min_p, 1.0f);  // the best token's exponential is 1
    }
    const PhiloxBlock random = philox(*a.seed, uint64_t(a.sequence[r]), uint64_t(a.length[r]));
    const Picked picked = pick<N>(V, row, uniform53(random[0], random[1]), 0.0, s, filter);
    token = picked.token;
    if (filtered) log_sum = float(log(picked.total));
  }
  const float logprob = bad ? NAN : row_logprob(used.max, log_sum, row.at(token), inverse_temperature);
  const RowNumbers raw = raw_is_used ? used : row_numbers<N>(V, 1.0f, plain, s.row);
  if (threadIdx.x != 0) return;
  a.token[r] = token;
  a.logprob[r] = logprob;
  a.raw_logprob[r] = bad ? NAN : row_logprob(raw.max, raw.log_sum, plain.logits[token], 1.0f);
}

}  // namespace

void sample(Context& context, const device::Sample& a) {
  const float inverse_temperature = a.settings.temperature == 0.0f ? 1.0f : 1.0f / a.settings.temperature;
  const size_t set = a.settings.repetition_penalty != 1.0f ? size_t(a.V + kPastEnd + 31) / 32 * sizeof(uint32_t) : 0;
  const size_t bytes = sizeof(Shared) + set;
  if (int64_t(bytes) > context.shared_per_block)
    fail(ErrorCode::invalid_argument, "sample: the repetition penalty over " + std::to_string(a.V) + " tokens needs " +
                                          std::to_string(bytes) + " bytes of shared memory, the device has " +
                                          std::to_string(context.shared_per_block) + ": set repetitionPenalty to 1");
  const SamplingSettings& s = a.settings;
  const bool filtered = s.temperature != 0.0f && (s.top_k > 0 || s.top_p < 1.0f || s.min_p > 0.0f);
  by_row_width(a.V, [&](auto width) {
    const auto kernel = filtered ? sample_kernel<width(), true> : sample_kernel<width(), false>;
    launch(context, "sample", kernel, dim3(a.R), row_threads(a.V), bytes, a, inverse_temperature);
  });
}

}  // namespace exitrl::cuda
