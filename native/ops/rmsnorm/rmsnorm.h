// Root mean square layer normalisation (Zhang & Sennrich, arXiv 1910.07467).
//
//   y = x * rstd * (w + w_offset),   rstd = 1 / sqrt(mean(x^2) + eps)
//
// Rows are addressed by strides so that the same op serves the residual stream (heads = 1) and q/k norm inside the
// fused qkv rows: row (t, h) starts at x + t*x_stride + h*C. The sum of squares runs in sixteen lanes and a fixed tree.
#pragma once
#include <cstdint>

#include "core/pool.h"

namespace exitrl {

struct RmsNormForward {
  const float* x;     // (T, heads, C), token stride x_stride
  const float* w;     // (C)
  float* y;           // (T, heads, C), token stride y_stride; = ; may be x
  float* rstd;        // (T, heads) = ; or null
  int64_t T, heads, C, x_stride, y_stride;
  float eps;
  float w_offset;     // 1 for Gemma, whose checkpoints store w - 1; else 0
};
void rmsnorm_forward(Pool& pool, const RmsNormForward& a);

struct RmsNormBackward {
  const float* dy;      // (T, heads, C), token stride dy_stride
  const float* x;       // (T, heads, C), token stride x_stride: the input of the forward pass
  const float* w;       // (C)
  const float* rstd;    // (T, heads)
  const float* addend;  // same layout as dx, or null; added to dx; may be dx itself
  float* dx;            // (T, heads, C), token stride dx_stride; = ; may be dy
  float* dw;            // (C) += in token order (one chain per channel, so any split of the rows gives the same bits); or null
  int64_t T, heads, C, dy_stride, x_stride, dx_stride;
  float w_offset;
};
void rmsnorm_backward(Pool& pool, const RmsNormBackward& a);

}  // namespace exitrl
