// Low-rank adaptation of a linear layer (LoRA, Hu et al., arXiv 2106.09685):
//
//   u = scale x A^T,   y += u B^T                        2 T R (K + N) FLOPs and one more pass over y
//   du = scale dy B,   dB += dy^T u,   dA += du^T x,   dx += du A
//
// Layers that read the same rows lie side by side in one matrix (q/k/v, gate/up); each of them can be a target of its
// own. The A of a matrix's targets lie below one another, so that x is read once; a target's B adds to its columns of y.
//
// Products are those of ops/matmul: one chain per output element in ascending index, whatever T and the threads. y is
// added to the finished chain. So a row's result does not depend on the rows beside it, and the gradients continue
// their chains over tokens.
#pragma once
#include <cstdint>
#include <span>

#include "core/pool.h"

namespace exitrl {

struct LoraTarget {
  int64_t column, N;    // its outputs are columns [column, column + N) of y
  const float* b;       // (N, R); backward only
  const float* packed;  // packed (N, R); forward only
  float* db;            // (N, R) += ; backward only
};

struct LoraForward {
  const float* x;                       // (T, K)
  const float* packed;                  // packed (G R, K): A of all targets
  std::span<const LoraTarget> targets;  // G
  float* u;                             // (T, G R) = ; kept for the backward pass
  float* y;                             // (T, y_stride) +=
  int64_t T, K, R, y_stride;
  float scale;
};
void lora_forward(Pool& pool, const LoraForward& a);

struct LoraBackward {
  const float* dy;                      // (T, dy_stride)
  const float* u;                       // (T, G R) of the forward pass
  const float* a;                       // (G R, K)
  std::span<const LoraTarget> targets;  // G
  float* du;                            // (T, G R) =
  float* dx;                            // (T, K) += ; or null
  int64_t T, K, R, dy_stride;
  float scale;
};
void lora_backward(Pool& pool, const LoraBackward& a);

// Apart, because the input of down_proj is made again between the two.
struct LoraBackwardA {
  const float* du;  // (T, GR) of lora_backward
  const float* x;   // (T, K)
  float* da;        // (GR, K) +=
  int64_t T, K, GR;
};
void lora_backward_a(Pool& pool, const LoraBackwardA& a);

// w = w + scale B A, summed in double and rounded once.
struct LoraMerge {
  const float* a;  // (R, K)
  const float* b;  // (N, R)
  float* w;        // (N, K)
  int64_t N, K, R;
  float scale;
};
void lora_merge(Pool& pool, const LoraMerge& a);

}  // namespace exitrl
