namespace exitrl::EXITRL_ISA {
namespace {

void adamw_range(const AdamW& a, const AdamWFactors& k, int64_t begin, int64_t end) {
  const F16 scale = set1(k.grad_scale), decay = set1(k.decay), eps = set1(k.eps);
  const F16 b1 = set1(k.beta1), c1 = set1(k.one_minus_beta1), b2 = set1(k.beta2), c2 = set1(k.one_minus_beta2);
  const F16 step = set1(k.step_size), unbias = set1(k.unbias);
  const auto update = [&](F16& p, F16 g, F16& m, F16& v) {
    g = mul(g, scale);
    m = fma(b1, m, mul(c1, g));
    v = fma(b2, v, mul(c2, mul(g, g)));
    p = fnma(step, div(m, fma(sqrt(v), unbias, eps)), mul(p, decay));
  };
  int64_t i = begin;
  for (; i + 16 <= end; i += 16) {
    F16 p = load(a.p + i), m = load(a.m + i), v = load(a.v + i);
    update(p, load(a.grad + i), m, v);
    store(a.p + i, p);
    store(a.m + i, m);
    store(a.v + i, v);
  }
  if (const int n = int(end - i)) {
    F16 p = load_partial(a.p + i, n), m = load_partial(a.m + i, n), v = load_partial(a.v + i, n);
    update(p, load_partial(a.grad + i, n), m, v);
    store_partial(a.p + i, p, n);
    store_partial(a.m + i, m, n);
    store_partial(a.v + i, v, n);
  }
}

}  // namespace
}  // namespace exitrl::EXITRL_ISA
