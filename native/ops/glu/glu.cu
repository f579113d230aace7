#include "cuda/kernel.h"
#include "cuda/ops.h"

namespace exitrl::cuda {
namespace {

constexpr int kThreads = 256;

// The activation's value and derivative.
template <Activation activation>
__device__ __forceinline__ void activate(float x, float& value, float& slope) {
  if constexpr (activation == Activation::silu) {
    const float s = 1.0f / (1.0f + __expf(-x));
    value = x * s;
    slope = s * (1.0f + x * (1.0f - s));
  } else if constexpr (activation == Activation::gelu_tanh) {
    constexpr float kA = 0.7978845608028654f, kB = 0.044715f;  // sqrt(2 / pi)
    const float t = tanhf(kA * (x + kB * x * x * x));
    value = 0.5f * x * (1.0f + t);
    slope = 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * kA * (1.0f + 3.0f * kB * x * x);
  } else {
    const float normal = 0.5f * erfcf(-0.7071067811865476f * x);
    value = x * normal;
    slope = normal + x * 0.3989422804014327f * __expf(-0.5f * x * x);
  }
}

template <class T, int N, Activation activation>
__global__ void __launch_bounds__(kThreads) forward_kernel(const T* gate_up, T* y, int64_t T_, int64_t F) {
  const int64_t at = (int64_t(blockIdx.x) * kThreads + threadIdx.x) * N;
  if (at >= T_ * F) return;
  const int64_t t = at / F, f = at % F;
  const auto gate = load<N>(gate_up + t * 2 * F + f), up = load<N>(gate_up + t * 2 * F + F + f);
  Vec<T, N> out;
#pragma unroll
  for (int i = 0; i < N; ++i) {
    float value, slope;
    activate<activation>(to_float(gate.at[i]), value, slope);
    out.at[i] = from_float<T>(value * to_float(up.at[i]));
  }
  store<N>(y + at, out);
}

template <class T, int N, Activation activation>
__global__ void __launch_bounds__(kThreads) backward_kernel(const T* dy, const T* gate_up, T* dgate_up, T* y, int64_t T_, int64_t F) {
  const int64_t at = (int64_t(blockIdx.x) * kThreads + threadIdx.x) * N;
  if (at >= T_ * F) return;
  const int64_t t = at / F, f = at % F;
  const auto d = load<N>(dy + at), gate = load<N>(gate_up + t * 2 * F + f), up = load<N>(gate_up + t * 2 * F + F + f);
  Vec<T, N> dgate, dup, out;
#pragma unroll
  for (int i = 0; i < N; ++i) {
    float value, slope;
    activate<activation>(to_float(gate.at[i]), value, slope);
    const float g = to_float(d.at[i]), u = to_float(up.at[i]);
    dgate.at[i] = from_float<T>(g * u * slope);
    dup.at[i] = from_float<T>(g * value);
    out.at[i] = from_float<T>(value * u);
  }
  store<N>(dgate_up + t * 2 * F + f, dgate);
  store<N>(dgate_up + t * 2 * F + F + f, dup);
  if (y) store<N>(y + at, out);
}

// Vectors of 16 bytes where the width allows it.
template <class T, class Body>
void by_width(int64_t F, Body&& body) {
  if (F % kVector<T> == 0) body(std::integral_constant<int, kVector<T>>{});
  else body(std::integral_constant<int, 1>{});
}

template <class Body>
void by_activation(Activation activation, Body&& body) {
  switch (activation) {
    case Activation::silu: return body(std::integral_constant<Activation, Activation::silu>{});
    case Activation::gelu_tanh: return body(std::integral_constant<Activation, Activation::gelu_tanh>{});
    case Activation::gelu_erf: return body(std::integral_constant<Activation, Activation::gelu_erf>{});
  }
}

}  // namespace

void glu_forward(Context& context, const device::GluForward& a) {
  by_precision(a.precision, [&](auto tag) {
    using T = decltype(tag);
    by_width<T>(a.F, [&](auto width) {
      by_activation(a.activation, [&](auto activation) {
        launch(context, "glu_forward", forward_kernel<T, width(), activation()>, dim3(ceil_div(a.T * a.F, int64_t(kThreads) * width())),
               kThreads, 0, static_cast<const T*>(a.gate_up), static_cast<T*>(a.y), a.T, a.F);
      });
    });
  });
}

void glu_backward(Context& context, const device::GluBackward& a) {
  by_precision(a.precision, [&](auto tag) {
    using T = decltype(tag);
    by_width<T>(a.F, [&](auto width) {
      by_activation(a.activation, [&](auto activation) {
        launch(context, "glu_backward", backward_kernel<T, width(), activation()>, dim3(ceil_div(a.T * a.F, int64_t(kThreads) * width())),
               kThreads, 0, static_cast<const T*>(a.dy), static_cast<const T*>(a.gate_up), static_cast<T*>(a.dgate_up),
               static_cast<T*>(a.y), a.T, a.F);
      });
    });
  });
}

}  // namespace exitrl::cuda
