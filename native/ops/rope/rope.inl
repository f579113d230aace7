namespace exitrl::EXITRL_ISA {
namespace {

void rope_rows(const Rope& a, int64_t begin, int64_t end) {
  const int64_t half = a.D / 2, full = half & ~int64_t{15};
  const int tail = int(half - full);
  const F16 sign = set1(a.direction == RopeDirection::forward ? 1.0f : -1.0f);
  for (int64_t t = begin; t < end; ++t) {
    const float* cosine = a.table->cos.data() + a.positions[t] * half;
    const float* sine = a.table->sin.data() + a.positions[t] * half;
    for (int64_t h = 0; h < a.heads; ++h) {
      float* x = a.x + t * a.x_stride + h * a.D;
      float* y = x + half;
      for (int64_t i = 0; i < full; i += 16) {
        const F16 p = load(x + i), q = load(y + i), c = load(cosine + i), s = mul(load(sine + i), sign);
        store(x + i, fnma(q, s, mul(p, c)));
        store(y + i, fma(p, s, mul(q, c)));
      }
      if (tail) {
        const F16 p = load_partial(x + full, tail), q = load_partial(y + full, tail);
        const F16 c = load_partial(cosine + full, tail), s = mul(load_partial(sine + full, tail), sign);
        store_partial(x + full, fnma(q, s, mul(p, c)), tail);
        store_partial(y + full, fma(p, s, mul(q, c)), tail);
      }
    }
  }
}

}  // namespace
}  // namespace exitrl::EXITRL_ISA
