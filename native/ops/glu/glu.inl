// An activation is a gate in [0, 1] times x: act(x) = x s(x). Each policy computes s(x) and act'(x).
namespace exitrl::EXITRL_ISA {
namespace {

struct Silu {
  static F16 gate(F16 x) { return sigmoid(x); }
  static F16 slope(F16 x, F16 s) { return fma(mul(x, s), sub(set1(1.0f), s), s); }
};

struct GeluTanh {  // (1 + tanh z) / 2 = sigmoid(2 z)
  static constexpr float kScale = 1.5957691216057308f;  // 2 sqrt(2 / pi)
  static F16 gate(F16 x) {
    const F16 cubic = fma(mul(x, x), mul(x, set1(0.044715f)), x);
    return sigmoid(mul(cubic, set1(kScale)));
  }
  static F16 slope(F16 x, F16 s) {
    const F16 inner = mul(fma(mul(x, x), set1(3.0f * 0.044715f), set1(1.0f)), set1(kScale));
    return fma(mul(mul(x, s), sub(set1(1.0f), s)), inner, s);
  }
};

struct GeluErf {
  static F16 gate(F16 x) {
    float lanes[16];
    store(lanes, x);
    for (float& v : lanes) v = 0.5f * std::erfc(v * -0.70710678118654752f);
    return load(lanes);
  }
  static F16 slope(F16 x, F16 s) {
    const F16 density = mul(exp(mul(mul(x, x), set1(-0.5f))), set1(0.39894228040143268f));
    return fma(x, density, s);
  }
};

template <class Act>
void glu_forward_as(const GluForward& a, int64_t begin, int64_t end) {
  for (int64_t t = begin; t < end; ++t) {
    const float* gate = a.gate_up + 2 * t * a.F;
    const float* up = gate + a.F;
    float* y = a.y + t * a.F;
    int64_t f = 0;
    for (; f + 16 <= a.F; f += 16) {
      const F16 x = load(gate + f);
      store(y + f, mul(mul(x, Act::gate(x)), load(up + f)));
    }
    if (const int n = int(a.F - f)) {
      const F16 x = load_partial(gate + f, n);
      store_partial(y + f, mul(mul(x, Act::gate(x)), load_partial(up + f, n)), n);
    }
  }
}

template <class Act>
void glu_backward_as(const GluBackward& a, int64_t begin, int64_t end) {
  for (int64_t t = begin; t < end; ++t) {
    const float* gate = a.gate_up + 2 * t * a.F;
    const float* up = gate + a.F;
    const float* dy = a.dy + t * a.F;
    float* dgate = a.dgate_up + 2 * t * a.F;
    float* dup = dgate + a.F;
    float* y = a.y ? a.y + t * a.F : nullptr;
    int64_t f = 0;
    for (; f + 16 <= a.F; f += 16) {
      const F16 x = load(gate + f), u = load(up + f), d = load(dy + f), s = Act::gate(x), act = mul(x, s);
      store(dgate + f, mul(mul(d, u), Act::slope(x, s)));
      store(dup + f, mul(d, act));
      if (y) store(y + f, mul(act, u));
    }
    if (const int n = int(a.F - f)) {
      const F16 x = load_partial(gate + f, n), u = load_partial(up + f, n), d = load_partial(dy + f, n);
      const F16 s = Act::gate(x), act = mul(x, s);
      store_partial(dgate + f, mul(mul(d, u), Act::slope(x, s)), n);
      store_partial(dup + f, mul(d, act), n);
      if (y) store_partial(y + f, mul(act, u), n);
    }
  }
}

void glu_forward_rows(const GluForward& a, int64_t begin, int64_t end) {
  switch (a.activation) {
    case Activation::silu: return glu_forward_as<Silu>(a, begin, end);
    case Activation::gelu_tanh: return glu_forward_as<GeluTanh>(a, begin, end);
    case Activation::gelu_erf: return glu_forward_as<GeluErf>(a, begin, end);
  }
}

void glu_backward_rows(const GluBackward& a, int64_t begin, int64_t end) {
  switch (a.activation) {
    case Activation::silu: return glu_backward_as<Silu>(a, begin, end);
    case Activation::gelu_tanh: return glu_backward_as<GeluTanh>(a, begin, end);
    case Activation::gelu_erf: return glu_backward_as<GeluErf>(a, begin, end);
  }
}

}  // namespace
}  // namespace exitrl::EXITRL_ISA
