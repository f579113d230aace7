// A head is shared by G neighbouring lanes, each with the same vector of both halves in registers: of 16 bytes where the width
// allows it (bf16: 8 lanes for D = 128, 4 for 64), else kLonePairs single pairs of a whole warp. q and k heads are normalised and
// rotated, k and v heads go into their pages on the way. Forward: a thread loads two heads of a row before it works on the first,
// and its cosines serve both. Backward: a block has kQkRopeRows rows, its groups take two heads of a row after the other, and each
// keeps its share of the norms' gradients in registers; shares are added in a fixed order, then those of the blocks (cuda/rows.h).
#include <limits>
#include <string>

#include "cuda/ops.h"
#include "cuda/rows.h"

namespace exitrl::cuda {
namespace {

constexpr int kWarps = 8, kThreads = kWarps * kWarp;
constexpr int kWidest = 256;  // D
constexpr int kLonePairs = kWidest / 2 / kWarp;

// Over the lanes of a group.
__device__ __forceinline__ float group_sum(float x, int lanes) {
  for (int offset = lanes / 2; offset > 0; offset /= 2) x += __shfl_xor_sync(0xffffffffu, x, offset);
  return x;
}

// The numbers of one head that a lane has: P vectors of either half.
template <class T, int N, int P>
struct Head {
  Vec<T, N> low[P], high[P];
};
// Where they lie in a head: vectors lane, lane + lanes, ... of n in half a head.
struct Lanes {
  int lane, lanes, n;
  __device__ __forceinline__ bool has(int j) const { return lane + j * lanes < n; }
  template <int N>
  __device__ __forceinline__ int at(int j) const { return (lane + j * lanes) * N; }
};
template <class T, int N, int P>
__device__ __forceinline__ void load_head(Head<T, N, P>& x, const T* from, const Lanes& l) {
#pragma unroll
  for (int j = 0; j < P; ++j) {
    if (!l.has(j)) continue;
    x.low[j] = load<N>(from + l.at<N>(j));
    x.high[j] = load<N>(from + l.n * N + l.at<N>(j));
  }
}
template <class T, int N, int P>
__device__ __forceinline__ void store_head(T* to, const Head<T, N, P>& x, const Lanes& l) {
#pragma unroll
  for (int j = 0; j < P; ++j) {
    if (!l.has(j)) continue;
    store<N>(to + l.at<N>(j), x.low[j]);
    store<N>(to + l.n * N + l.at<N>(j), x.high[j]);
  }
}
template <int N>
__device__ __forceinline__ Vec<float, N> load_floats(const float* from) {
  constexpr int M = N > 4 ? 4 : N;
  Vec<float, N> out;
#pragma unroll
  for (int i = 0; i < N; i += M) {
    const auto v = load<M>(from + i);
#pragma unroll
    for (int k = 0; k < M; ++k) out.at[i + k] = v.at[k];
  }
  return out;
}

// Group number g of all has the heads p and p + pairs of row t; heads of a row: q, then k, then v where there are pages.
template <class T, int N, int P>
__global__ void __launch_bounds__(kThreads, 3) forward_kernel(device::QkRopeForward a, int lanes) {
  const Lanes l{int(threadIdx.x) % lanes, lanes, int(a.D / 2 / N)};
  const int groups = kThreads / lanes, heads = int(a.H + (a.slots ? 2 : 1) * a.K), pairs = (heads + 1) / 2, qk = int(a.H + a.K);
  const int64_t first = int64_t(blockIdx.x) * groups;
  const RowPlace place = RowSplit(first, pairs).at(int(threadIdx.x) / lanes);
  const int64_t t = place.row;
  const bool exists = t < a.T;
  T* const row = static_cast<T*>(a.qkv) + t * (a.H + 2 * a.K) * a.D;
  Head<T, N, P> x[2];
#pragma unroll
  for (int u = 0; u < 2; ++u) {
    const int h = int(place.column) + u * pairs;
    if (exists && h < heads) load_head(x[u], row + h * a.D, l);
  }
  Vec<float, N> cosine[P], sine[P];
  if (exists) {
    const int64_t angle = a.positions[t] * (a.D / 2);
#pragma unroll
    for (int j = 0; j < P; ++j) {
      if (!l.has(j)) continue;
      cosine[j] = load_floats<N>(a.cos + angle + l.at<N>(j));
      sine[j] = load_floats<N>(a.sin + angle + l.at<N>(j));
    }
  }
  const int32_t slot = exists && a.slots ? a.slots[t] : -1;
#pragma unroll
  for (int u = 0; u < 2; ++u) {
    const int h = int(place.column) + u * pairs;
    const bool used = exists && h < heads, turns = used && h < qk;
    float rstd = 0;
    if (a.q_norm) {
      float squares = 0;
#pragma unroll
      for (int j = 0; j < P; ++j) {
        if (!turns || !l.has(j)) continue;
#pragma unroll
        for (int i = 0; i < N; ++i) {
          const float low = to_float(x[u].low[j].at[i]), high = to_float(x[u].high[j].at[i]);
          squares = fmaf(low, low, fmaf(high, high, squares));
        }
      }
      rstd = 1.0f / sqrtf(group_sum(squares, lanes) / float(a.D) + a.eps);
    }
    if (turns) {
      if (a.q_norm && a.rstd && l.lane == 0) a.rstd[t * qk + h] = rstd;
      if (a.q_norm && a.raw) store_head(static_cast<T*>(a.raw) + (t * qk + h) * a.D, x[u], l);
      const T* const w = static_cast<const T*>(h < a.H ? a.q_norm : a.k_norm);
#pragma unroll
      for (int j = 0; j < P; ++j) {
        if (!l.has(j)) continue;
        hold_narrow(x[u].low[j]);
        hold_narrow(x[u].high[j]);
        if (a.q_norm) {
          const auto w_low = load<N>(w + l.at<N>(j)), w_high = load<N>(w + l.n * N + l.at<N>(j));
          // Rounded as a norm of its own would round.
#pragma unroll
          for (int i = 0; i < N; ++i) {
            x[u].low[j].at[i] = from_float<T>(to_float(x[u].low[j].at[i]) * rstd * (to_float(w_low.at[i]) + a.w_offset));
            x[u].high[j].at[i] = from_float<T>(to_float(x[u].high[j].at[i]) * rstd * (to_float(w_high.at[i]) + a.w_offset));
          }
        }
#pragma unroll
        for (int i = 0; i < N; ++i) {
          const float low = to_float(x[u].low[j].at[i]), high = to_float(x[u].high[j].at[i]);
          x[u].low[j].at[i] = from_float<T>(fmaf(-high, sine[j].at[i], low * cosine[j].at[i]));
          x[u].high[j].at[i] = from_float<T>(fmaf(low, sine[j].at[i], high * cosine[j].at[i]));
        }
      }
      store_head(row + h * a.D, x[u], l);
    }
    if (!used || h < a.H || slot < 0) continue;
    const int64_t head = h < qk ? h - a.H : h - qk;
    T* const page = static_cast<T*>(h < qk ? a.keys : a.values) + slot / device::kPagePositions * a.page_stride;
    store_head(page + (head * device::kPagePositions + slot % device::kPagePositions) * a.D, x[u], l);
  }
}

// Shares of the warps in the gradients of q's norm, then of k's.
struct BackwardShared {
  float at[kWarps][2][kWidest];
};

template <class T, int N, int P>
__global__ void __launch_bounds__(kThreads, 2) backward_kernel(device::QkRopeBackward a, int lanes) {
  const Lanes l{int(threadIdx.x) % lanes, lanes, int(a.D / 2 / N)};
  const int64_t first = int64_t(blockIdx.x) * device::kQkRopeRows;
  auto& s = shared<BackwardShared>();
  // Queries' heads, then keys': a norm's share is a sum of its own.
#pragma unroll 1
  for (int of = 0; of < 2; ++of) {
    const int begin = of == 0 ? 0 : int(a.H), heads = of == 0 ? int(a.H) : int(a.K), pairs = (heads + 1) / 2;
    const int count = int(min(a.T - first, device::kQkRopeRows)) * pairs;
    const T* const w = static_cast<const T*>(of == 0 ? a.q_norm : a.k_norm);
    float low_sum[P][N] = {}, high_sum[P][N] = {};
#pragma unroll 1
    for (int base = 0; base < count; base += kThreads / lanes) {
      const int number = base + int(threadIdx.x) / lanes;
      const int64_t t = first + number / pairs;
      T* const at = static_cast<T*>(a.dqkv) + (t * (a.H + 2 * a.K) + begin + number % pairs) * a.D;
      const int raw_head = int(t) * int(a.H + a.K) + begin + number % pairs;
      // The second head lies `pairs` heads behind the first.
      const bool exists[2] = {number < count, number < count && number % pairs + pairs < heads};
      Head<T, N, P> d[2], x[2];
#pragma unroll
      for (int u = 0; u < 2; ++u) {
        if (exists[u]) load_head(d[u], at + u * pairs * a.D, l);
        if (exists[u] && a.q_norm) load_head(x[u], static_cast<const T*>(a.raw) + int64_t(raw_head + u * pairs) * a.D, l);
      }
      Vec<float, N> cosine[P], sine[P];
      const int64_t angle = exists[0] ? a.positions[t] * (a.D / 2) : 0;
#pragma unroll
      for (int j = 0; j < P; ++j) {
        if (!exists[0] || !l.has(j)) continue;
        cosine[j] = load_floats<N>(a.cos + angle + l.at<N>(j));
        sine[j] = load_floats<N>(a.sin + angle + l.at<N>(j));
      }
#pragma unroll
      for (int u = 0; u < 2; ++u) {
        // Else the compiler begins the second head early, and registers spill.
#pragma unroll
        for (int j = 0; j < P; ++j) {
          for (auto* v : {&d[u].low[j], &d[u].high[j], &x[u].low[j], &x[u].high[j]}) hold_narrow(*v);
        }
        const float rstd = exists[u] && a.q_norm ? a.rstd[raw_head + u * pairs] : 0.0f;
        float low[P][N], high[P][N], dot = 0;
#pragma unroll
        for (int j = 0; j < P; ++j) {
          if (!exists[u] || !l.has(j)) continue;
          // The transpose of the rotation.
#pragma unroll
          for (int i = 0; i < N; ++i) {
            const float y = to_float(d[u].low[j].at[i]), z = to_float(d[u].high[j].at[i]);
            low[j][i] = fmaf(z, sine[j].at[i], y * cosine[j].at[i]);
            high[j][i] = fmaf(-y, sine[j].at[i], z * cosine[j].at[i]);
          }
          if (!a.q_norm) continue;
          const auto w_low = load<N>(w + l.at<N>(j)), w_high = load<N>(w + l.n * N + l.at<N>(j));
#pragma unroll
          for (int i = 0; i < N; ++i) {
            const float x_low = to_float(x[u].low[j].at[i]) * rstd, x_high = to_float(x[u].high[j].at[i]) * rstd;
            low_sum[j][i] = fmaf(low[j][i], x_low, low_sum[j][i]);
            high_sum[j][i] = fmaf(high[j][i], x_high, high_sum[j][i]);
            low[j][i] *= to_float(w_low.at[i]) + a.w_offset;
            high[j][i] *= to_float(w_high.at[i]) + a.w_offset;
            dot = fmaf(low[j][i], x_low, fmaf(high[j][i], x_high, dot));
          }
        }
        // dx = rstd (g - xhat mean(g xhat)) with g = dy (w + w_offset), xhat = x rstd
        const float along = a.q_norm ? rstd * rstd * (group_sum(dot, lanes) / float(a.D)) : 0.0f;
        if (!exists[u]) continue;
#pragma unroll
        for (int j = 0; j < P; ++j) {
          if (!l.has(j)) continue;
          if (a.q_norm) {
            hold_narrow(x[u].low[j]);
            hold_narrow(x[u].high[j]);
          }
#pragma unroll
          for (int i = 0; i < N; ++i) {
            d[u].low[j].at[i] = from_float<T>(a.q_norm ? fmaf(-to_float(x[u].low[j].at[i]), along, low[j][i] * rstd) : low[j][i]);
            d[u].high[j].at[i] = from_float<T>(a.q_norm ? fmaf(-to_float(x[u].high[j].at[i]), along, high[j][i] * rstd) : high[j][i]);
          }
        }
        store_head(at + u * pairs * a.D, d[u], l);
      }
    }
    if (!a.dq_norm) continue;
    const int warp = thread_again() / kWarp, lane = thread_again() % kWarp;
#pragma unroll
    for (int j = 0; j < P; ++j)
#pragma unroll
      for (int i = 0; i < N; ++i) {
        float low = low_sum[j][i], high = high_sum[j][i];
        for (int offset = kWarp / 2; offset >= lanes; offset /= 2) {
          low += __shfl_xor_sync(0xffffffffu, low, offset);
          high += __shfl_xor_sync(0xffffffffu, high, offset);
        }
        if (lane >= lanes || !l.has(j)) continue;
        s.at[warp][of][l.at<N>(j) + i] = low;
        s.at[warp][of][l.n * N + l.at<N>(j) + i] = high;
      }
  }
  if (!a.dq_norm) return;
  __syncthreads();
  const int D = int(a.D);
  for (int c = int(threadIdx.x); c < 2 * D; c += kThreads) {
    const int of = c < D ? 0 : 1;
    float sum = 0;
    for (int w = 0; w < kWarps; ++w) sum += s.at[w][of][c - of * D];
    a.partials[blockIdx.x * 2 * a.D + c] = sum;
  }
}

// Numbers of a row's key, then of its value.
template <class T, int N>
__global__ void __launch_bounds__(kThreads) append_kernel(device::KvAppend a) {
  const int64_t row_vectors = 2 * a.K * a.D / N, i = int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= a.R * row_vectors) return;
  const int64_t r = i / row_vectors, c = i % row_vectors * N, slot = a.slots[r];
  if (slot < 0) return;
  const bool is_value = c >= a.K * a.D;
  const int64_t at = is_value ? c - a.K * a.D : c, head = at / a.D;
  const T* const from = static_cast<const T*>(a.qkv) + (a.rows[r] * (a.H + 2 * a.K) + a.H) * a.D + c;
  T* const to = static_cast<T*>(is_value ? a.values : a.keys) + slot / device::kPagePositions * a.page_stride +
                (head * device::kPagePositions + slot % device::kPagePositions) * a.D + at % a.D;
  store<N>(to, load<N>(from));
}

// Block (x, y): vectors kThreads x .. of layer y's pages; keys first.
template <class T, int N>
__global__ void __launch_bounds__(kThreads) page_kernel(device::PageCopy a) {
  const int64_t page_vectors = a.page_stride / N, i = int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= 2 * a.R * page_vectors) return;
  T* const base = static_cast<T*>(i < a.R * page_vectors ? a.keys : a.values) + blockIdx.y * a.layer_stride;
  const int64_t j = i % (a.R * page_vectors), r = j / page_vectors, c = j % page_vectors * N;
  store<N>(base + a.to[r] * a.page_stride + c, load<N>(base + a.from[r] * a.page_stride + c));
}

// Calls body(N, P, lanes): vectors of half a head in as many lanes as there are, rounded up to a power of two; else kLonePairs
// pairs a lane.
template <class T, class Body>
void by_lanes(int64_t D, bool is_aligned, Body&& body) {
  constexpr int N = kVector<T>;
  if (D % 2 != 0 || D > kWidest)
    fail(ErrorCode::invalid_argument, "rotary heads of width " + std::to_string(D) + ": even widths up to 256 are supported");
  if (is_aligned && D % (2 * N) == 0) {
    int lanes = 1;
    while (lanes < D / 2 / N) lanes *= 2;
    return body(std::integral_constant<int, N>{}, std::integral_constant<int, 1>{}, lanes);
  }
  body(std::integral_constant<int, 1>{}, std::integral_constant<int, kLonePairs>{}, kWarp);
}

}  // namespace

void qk_rope_forward(Context& context, const device::QkRopeForward& a) {
  by_precision(a.precision, [&](auto tag) {
    using T = decltype(tag);
    const bool is_aligned = aligned(a.qkv, a.raw, a.q_norm, a.k_norm, a.cos, a.sin, a.keys, a.values) && a.page_stride % kVector<T> == 0;
    by_lanes<T>(a.D, is_aligned, [&](auto width, auto pairs, int lanes) {
      const int64_t heads = a.H + (a.slots ? 2 : 1) * a.K;
      launch(context, "qk_rope_forward", forward_kernel<T, width(), pairs()>,
             dim3(unsigned(ceil_div(a.T * ((heads + 1) / 2), kThreads / lanes))), kThreads, 0, a, lanes);
    });
  });
}

void qk_rope_backward(Context& context, const device::QkRopeBackward& a) {
  require(a.T * (a.H + a.K) <= std::numeric_limits<int>::max(), "qk_rope_backward: rows times heads are more than 2^31 - 1");
  const int64_t shares = ceil_div(a.T, device::kQkRopeRows);
  by_precision(a.precision, [&](auto tag) {
    using T = decltype(tag);
    by_lanes<T>(a.D, aligned(a.dqkv, a.raw, a.q_norm, a.k_norm, a.cos, a.sin), [&](auto width, auto pairs, int lanes) {
      launch(context, "qk_rope_backward", backward_kernel<T, width(), pairs()>, dim3(unsigned(shares)), kThreads, sizeof(BackwardShared), a,
             lanes);
    });
  });
  if (a.dq_norm) add_parts(context, "qk_rope_backward_norms", {a.partials, a.dq_norm, a.dk_norm, 2 * a.D, a.D}, shares);
}

void kv_append(Context& context, const device::KvAppend& a) {
  by_precision(a.precision, [&](auto tag) {
    using T = decltype(tag);
    by_width<T>(a.D % kVector<T> == 0 && aligned(a.qkv, a.keys, a.values), [&](auto width) {
      launch(context, "kv_append", append_kernel<T, width()>, dim3(unsigned(ceil_div(a.R * 2 * a.K * a.D / width(), kThreads))), kThreads,
             0, a);
    });
  });
}

void page_copy(Context& context, const device::PageCopy& a) {
  by_precision(a.precision, [&](auto tag) {
    using T = decltype(tag);
    by_width<T>(a.page_stride % kVector<T> == 0 && a.layer_stride % kVector<T> == 0 && aligned(a.keys, a.values), [&](auto width) {
      launch(context, "page_copy", page_kernel<T, width()>,
             dim3(unsigned(ceil_div(2 * a.R * a.page_stride / width(), kThreads)), unsigned(a.L)), kThreads, 0, a);
    });
  });
}

}  // namespace exitrl::cuda
