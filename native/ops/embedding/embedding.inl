namespace exitrl::EXITRL_ISA {
namespace {

void embedding_forward_rows(const EmbeddingForward& a, int64_t begin, int64_t end) {
  const F16 scale = set1(a.scale);
  for (int64_t t = begin; t < end; ++t) {
    const float* w = a.w + int64_t{a.tokens[t]} * a.C;
    float* y = a.y + t * a.C;
    int64_t c = 0;
    for (; c + 16 <= a.C; c += 16) store(y + c, mul(load(w + c), scale));
    if (const int n = int(a.C - c)) store_partial(y + c, mul(load_partial(w + c, n), scale), n);
  }
}

void embedding_backward_channels(const EmbeddingBackward& a, int64_t begin, int64_t end) {
  const F16 scale = set1(a.scale);
  for (int64_t t = 0; t < a.T; ++t) {
    const float* dy = a.dy + t * a.C;
    float* dw = a.dw + int64_t{a.tokens[t]} * a.C;
    int64_t c = begin;
    for (; c + 16 <= end; c += 16) store(dw + c, fma(load(dy + c), scale, load(dw + c)));
    if (const int n = int(end - c))
      store_partial(dw + c, fma(load_partial(dy + c, n), scale, load_partial(dw + c, n)), n);
  }
}

}  // namespace
}  // namespace exitrl::EXITRL_ISA
