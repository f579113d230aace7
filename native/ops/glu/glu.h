// Gated linear unit of the feed-forward block: y = act(gate) * up (Shazeer, arXiv 2002.05202).
// silu(x) = x sigmoid(x) (SwiGLU); gelu_tanh = 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) (GeGLU); gelu_erf exact.
#pragma once
#include <cstdint>

#include "core/pool.h"

namespace exitrl {

enum class Activation { silu, gelu_tanh, gelu_erf };

struct GluForward {
  const float* gate_up;  // (T, 2F): gate in [0, F), up in [F, 2F)
  float* y;              // (T, F) =
  int64_t T, F;
  Activation activation;
};
void glu_forward(Pool& pool, const GluForward& a);

struct GluBackward {
  const float* dy;       // (T, F)
  const float* gate_up;  // (T, 2F)
  float* dgate_up;       // (T, 2F) = ; may be gate_up
  float* y;              // (T, F) = the forward output again, or null (saves keeping it for the down projection's dw)
  int64_t T, F;
  Activation activation;
};
void glu_backward(Pool& pool, const GluBackward& a);

}  // namespace exitrl
