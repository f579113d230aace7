// A warp per head of a row, its numbers in registers: lane l has pairs (i, i + D / 2) for i = l, l + 32, ... up to D = 512. q and
// k heads are normalised and rotated; k and v heads go into their pages on the way. Loads are 2 bytes a lane in bf16 for
// widths below 128; neighbouring lanes make whole sectors of them, and 8 heads a block keep enough on their way.
#include "cuda/ops.h"
#include "cuda/rows.h"

namespace exitrl::cuda {
namespace {

constexpr int kWarps = 8, kThreads = kWarps * kWarp;
constexpr int kMostPairs = 4;  // of a lane, for D up to 256

// Head h of row t: q heads, then k heads, then v heads.
template <class T, int P>
__global__ void __launch_bounds__(kThreads) forward_kernel(device::QkRopeForward a) {
  const int lane = int(threadIdx.x) % kWarp, half = int(a.D / 2);
  const int64_t heads = a.H + 2 * a.K, number = int64_t(blockIdx.x) * kWarps + threadIdx.x / kWarp;
  if (number >= a.T * heads) return;
  const int64_t t = number / heads, h = number % heads;
  const bool is_value = h >= a.H + a.K, is_key = h >= a.H && !is_value;
  T* const x = static_cast<T*>(a.qkv) + (t * heads + h) * a.D;
  float low[P], high[P];
#pragma unroll
  for (int j = 0; j < P; ++j) {
    const int i = lane + j * kWarp;
    low[j] = i < half ? to_float(x[i]) : 0.0f;
    high[j] = i < half ? to_float(x[i + half]) : 0.0f;
  }
  if (!is_value) {
    if (a.q_norm) {
      float squares = 0;
#pragma unroll
      for (int j = 0; j < P; ++j) squares += low[j] * low[j] + high[j] * high[j];
      const float rstd = 1.0f / sqrtf(warp_sum(squares) / float(a.D) + a.eps);
      const T* const w = static_cast<const T*>(is_key ? a.k_norm : a.q_norm);
      T* const raw = a.raw ? static_cast<T*>(a.raw) + (t * (a.H + a.K) + h) * a.D : nullptr;
      if (a.rstd && lane == 0) a.rstd[t * (a.H + a.K) + h] = rstd;
#pragma unroll
      for (int j = 0; j < P; ++j) {
        const int i = lane + j * kWarp;
        if (i >= half) continue;
        if (raw) {
          raw[i] = from_float<T>(low[j]);
          raw[i + half] = from_float<T>(high[j]);
        }
        // Rounded as a norm of its own would round.
        low[j] = to_float(from_float<T>(low[j] * rstd * (to_float(w[i]) + a.w_offset)));
        high[j] = to_float(from_float<T>(high[j] * rstd * (to_float(w[i + half]) + a.w_offset)));
      }
    }
    const int64_t angle = a.positions[t] * int64_t(half);
#pragma unroll
    for (int j = 0; j < P; ++j) {
      const int i = lane + j * kWarp;
      if (i >= half) continue;
      const float c = a.cos[angle + i], s = a.sin[angle + i], u = low[j], v = high[j];
      low[j] = u * c - v * s;
      high[j] = v * c + u * s;
      x[i] = from_float<T>(low[j]);
      x[i + half] = from_float<T>(high[j]);
    }
  }
  const int32_t slot = h >= a.H && a.slots ? a.slots[t] : -1;
  if (slot < 0) return;
  const int64_t page = slot / device::kPagePositions, place = slot % device::kPagePositions, head = is_value ? h - a.H - a.K : h - a.H;
  T* const to = static_cast<T*>(is_value ? a.values : a.keys) + page * a.page_stride + (head * device::kPagePositions + place) * a.D;
#pragma unroll
  for (int j = 0; j < P; ++j) {
    const int i = lane + j * kWarp;
    if (i >= half) continue;
    to[i] = from_float<T>(low[j]);
    to[i + half] = from_float<T>(high[j]);
  }
}

// A block has kQkRopeRows rows; a warp takes one row after the other, and within a row one head after the other, so that a
// lane's share of the weights' gradients is a sum in a fixed order. Warps' shares are added in order.
struct BackwardShared {
  float at[kWarps][2][2 * kMostPairs * kWarp];  // of q and k
};

template <class T, int P>
__global__ void __launch_bounds__(kThreads) backward_kernel(device::QkRopeBackward a) {
  const int lane = int(threadIdx.x) % kWarp, warp = int(threadIdx.x) / kWarp, half = int(a.D / 2);
  const int64_t heads = a.H + a.K, first = int64_t(blockIdx.x) * device::kQkRopeRows, end = min(a.T, first + device::kQkRopeRows);
  float dq_low[P] = {}, dq_high[P] = {}, dk_low[P] = {}, dk_high[P] = {};
  for (int64_t t = first + warp; t < end; t += kWarps) {
    const int64_t angle = a.positions[t] * int64_t(half);
    for (int64_t h = 0; h < heads; ++h) {
      const bool is_key = h >= a.H;
      T* const d = static_cast<T*>(a.dqkv) + (t * (a.H + 2 * a.K) + h) * a.D;
      float low[P], high[P];
#pragma unroll
      for (int j = 0; j < P; ++j) {
        const int i = lane + j * kWarp;
        low[j] = high[j] = 0;
        if (i >= half) continue;
        // The transpose of the rotation.
        const float c = a.cos[angle + i], s = a.sin[angle + i], u = to_float(d[i]), v = to_float(d[i + half]);
        low[j] = u * c + v * s;
        high[j] = v * c - u * s;
      }
      if (a.q_norm) {
        const T* const w = static_cast<const T*>(is_key ? a.k_norm : a.q_norm);
        const T* const raw = static_cast<const T*>(a.raw) + (t * heads + h) * a.D;
        const float rstd = a.rstd[t * heads + h];
        float x_low[P], x_high[P], dot = 0;
#pragma unroll
        for (int j = 0; j < P; ++j) {
          const int i = lane + j * kWarp;
          x_low[j] = x_high[j] = 0;
          if (i >= half) continue;
          x_low[j] = to_float(raw[i]) * rstd;
          x_high[j] = to_float(raw[i + half]) * rstd;
          if (is_key) {
            dk_low[j] = fmaf(low[j], x_low[j], dk_low[j]);
            dk_high[j] = fmaf(high[j], x_high[j], dk_high[j]);
          } else {
            dq_low[j] = fmaf(low[j], x_low[j], dq_low[j]);
            dq_high[j] = fmaf(high[j], x_high[j], dq_high[j]);
          }
          low[j] *= to_float(w[i]) + a.w_offset;
          high[j] *= to_float(w[i + half]) + a.w_offset;
          dot += low[j] * x_low[j] + high[j] * x_high[j];
        }
        const float mean = warp_sum(dot) / float(a.D);
#pragma unroll
        for (int j = 0; j < P; ++j) {
          low[j] = rstd * (low[j] - x_low[j] * mean);
          high[j] = rstd * (high[j] - x_high[j] * mean);
        }
      }
#pragma unroll
      for (int j = 0; j < P; ++j) {
        const int i = lane + j * kWarp;
        if (i >= half) continue;
        d[i] = from_float<T>(low[j]);
        d[i + half] = from_float<T>(high[j]);
      }
    }
  }
  if (!a.dq_norm) return;
  auto& s = shared<BackwardShared>();
#pragma unroll
  for (int j = 0; j < P; ++j) {
    const int i = lane + j * kWarp;
    if (i >= half) continue;
    s.at[warp][0][i] = dq_low[j];
    s.at[warp][0][i + half] = dq_high[j];
    s.at[warp][1][i] = dk_low[j];
    s.at[warp][1][i + half] = dk_high[j];
  }
  __syncthreads();
  for (int64_t c = threadIdx.x; c < 2 * a.D; c += kThreads) {
    float sum = 0;
    for (int w = 0; w < kWarps; ++w) sum += s.at[w][c / a.D][c % a.D];
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

// Calls body with the pairs a lane holds.
template <class Body>
void by_pairs(int64_t D, Body&& body) {
  if (D % 2 != 0 || D > 2 * kMostPairs * kWarp) fail(ErrorCode::invalid_argument, "rotary heads of width " + std::to_string(D) + ": even widths up to 256 are supported");
  if (D <= 2 * kWarp) body(std::integral_constant<int, 1>{});
  else if (D <= 4 * kWarp) body(std::integral_constant<int, 2>{});
  else body(std::integral_constant<int, kMostPairs>{});
}

}  // namespace

void qk_rope_forward(Context& context, const device::QkRopeForward& a) {
  by_precision(a.precision, [&](auto tag) {
    by_pairs(a.D, [&](auto pairs) {
      launch(context, "qk_rope_forward", forward_kernel<decltype(tag), pairs()>, dim3(unsigned(ceil_div(a.T * (a.H + 2 * a.K), kWarps))), kThreads, 0, a);
    });
  });
}

void qk_rope_backward(Context& context, const device::QkRopeBackward& a) {
  const int64_t shares = ceil_div(a.T, device::kQkRopeRows);
  by_precision(a.precision, [&](auto tag) {
    by_pairs(a.D, [&](auto pairs) {
      launch(context, "qk_rope_backward", backward_kernel<decltype(tag), pairs()>, dim3(unsigned(shares)), kThreads, sizeof(BackwardShared), a);
    });
  });
  if (a.dq_norm) add_parts(context, "qk_rope_backward_norms", {a.partials, a.dq_norm, a.dk_norm, 2 * a.D, a.D}, shares);
}

void kv_append(Context& context, const device::KvAppend& a) {
  by_precision(a.precision, [&](auto tag) {
    using T = decltype(tag);
    by_width<T>(a.D % kVector<T> == 0 && aligned(a.qkv, a.keys, a.values), [&](auto width) {
      launch(context, "kv_append", append_kernel<T, width()>, dim3(unsigned(ceil_div(a.R * 2 * a.K * a.D / width(), kThreads))), kThreads, 0, a);
    });
  });
}

void page_copy(Context& context, const device::PageCopy& a) {
  by_precision(a.precision, [&](auto tag) {
    using T = decltype(tag);
    by_width<T>(a.page_stride % kVector<T> == 0 && a.layer_stride % kVector<T> == 0 && aligned(a.keys, a.values), [&](auto width) {
      launch(context, "page_copy", page_kernel<T, width()>, dim3(unsigned(ceil_div(2 * a.R * a.page_stride / width(), kThreads)), unsigned(a.L)), kThreads, 0, a);
    });
  });
}

}  // namespace exitrl::cuda
