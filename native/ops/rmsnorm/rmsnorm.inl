namespace exitrl::EXITRL_ISA {
namespace {

void rmsnorm_forward_rows(const RmsNormForward& a, int64_t begin, int64_t end) {
  const F16 offset = set1(a.w_offset);
  const int64_t full = a.C & ~int64_t{15};
  const int tail = int(a.C - full);
  for (int64_t row = begin; row < end; ++row) {
    const int64_t t = row / a.heads, h = row % a.heads;
    const float* x = a.x + t * a.x_stride + h * a.C;
    float* y = a.y + t * a.y_stride + h * a.C;
    F16 squares = zero();
    for (int64_t c = 0; c < full; c += 16) {
      const F16 v = load(x + c);
      squares = fma(v, v, squares);
    }
    if (tail) {
      const F16 v = load_partial(x + full, tail);
      squares = fma(v, v, squares);
    }
    const float rstd = 1.0f / std::sqrt(reduce_add(squares) / float(a.C) + a.eps);
    if (a.rstd) a.rstd[row] = rstd;
    const F16 scale = set1(rstd);
    for (int64_t c = 0; c < full; c += 16) store(y + c, mul(mul(load(x + c), scale), add(load(a.w + c), offset)));
    if (tail) {
      const F16 v = mul(load_partial(x + full, tail), scale);
      store_partial(y + full, mul(v, add(load_partial(a.w + full, tail), offset)), tail);
    }
  }
}

// dx of the rows [begin, end).
void rmsnorm_backward_rows(const RmsNormBackward& a, int64_t begin, int64_t end) {
  const F16 offset = set1(a.w_offset);
  const int64_t full = a.C & ~int64_t{15};
  const int tail = int(a.C - full);
  for (int64_t row = begin; row < end; ++row) {
    const int64_t t = row / a.heads, h = row % a.heads;
    const float* dy = a.dy + t * a.dy_stride + h * a.C;
    const float* x = a.x + t * a.x_stride + h * a.C;
    float* dx = a.dx + t * a.dx_stride + h * a.C;
    const float* addend = a.addend ? a.addend + t * a.dx_stride + h * a.C : nullptr;
    const float rstd = a.rstd[row];
    F16 dot = zero();
    for (int64_t c = 0; c < full; c += 16)
      dot = fma(mul(load(dy + c), add(load(a.w + c), offset)), load(x + c), dot);
    if (tail) {
      const F16 g = mul(load_partial(dy + full, tail), add(load_partial(a.w + full, tail), offset));
      dot = fma(g, load_partial(x + full, tail), dot);
    }
    // dx = rstd (g - xhat mean(g xhat)) with xhat = x rstd
    const F16 scale = set1(rstd), along = set1(rstd * rstd * rstd * (reduce_add(dot) / float(a.C)));
    for (int64_t c = 0; c < full; c += 16) {
      const F16 g = mul(load(dy + c), add(load(a.w + c), offset));
      F16 d = fnma(load(x + c), along, mul(g, scale));
      if (addend) d = add(d, load(addend + c));
      store(dx + c, d);
    }
    if (tail) {
      const F16 g = mul(load_partial(dy + full, tail), add(load_partial(a.w + full, tail), offset));
      F16 d = fnma(load_partial(x + full, tail), along, mul(g, scale));
      if (addend) d = add(d, load_partial(addend + full, tail));
      store_partial(dx + full, d, tail);
    }
  }
}

// dw of the channels [begin, end), rows [row0, row1) in order. begin is a multiple of 16.
void rmsnorm_backward_channels(const RmsNormBackward& a, int64_t row0, int64_t row1, int64_t begin, int64_t end) {
  for (int64_t row = row0; row < row1; ++row) {
    const int64_t t = row / a.heads, h = row % a.heads;
    const float* dy = a.dy + t * a.dy_stride + h * a.C;
    const float* x = a.x + t * a.x_stride + h * a.C;
    const F16 scale = set1(a.rstd[row]);
    int64_t c = begin;
    for (; c + 16 <= end; c += 16)
      store(a.dw + c, fma(load(dy + c), mul(load(x + c), scale), load(a.dw + c)));
    if (const int n = int(end - c)) {
      const F16 xhat = mul(load_partial(x + c, n), scale);
      store_partial(a.dw + c, fma(load_partial(dy + c, n), xhat, load_partial(a.dw + c, n)), n);
    }
  }
}

}  // namespace
}  // namespace exitrl::EXITRL_ISA
