namespace exitrl::EXITRL_ISA {
namespace {

// Scaled logits; lanes past the end are -inf and so add nothing.
inline F16 scaled_tail(const float* logits, int n, F16 scale) {
  float lanes[16];
  for (int i = 0; i < 16; ++i) lanes[i] = i < n ? logits[i] : -INFINITY;
  return mul(load(lanes), scale);
}
// z - max, bounded where exp gives 0 so that 0 * (z - max) is not NaN for a logit of -inf. NaN stays NaN.
inline F16 bounded(F16 shifted) { return max(set1(-128.0f), shifted); }

RowStatistics row_statistics_kernel(const float* logits, int64_t V, float inverse_temperature, float* exponentials) {
  const F16 scale = set1(inverse_temperature);
  const int64_t full = V & ~int64_t{15};
  const int tail = int(V - full);
  F16 top0 = set1(-INFINITY), top1 = top0, top2 = top0, top3 = top0;
  int64_t v = 0;
  for (; v + 64 <= full; v += 64) {
    top0 = max(mul(load(logits + v), scale), top0);
    top1 = max(mul(load(logits + v + 16), scale), top1);
    top2 = max(mul(load(logits + v + 32), scale), top2);
    top3 = max(mul(load(logits + v + 48), scale), top3);
  }
  for (; v < full; v += 16) top0 = max(mul(load(logits + v), scale), top0);
  if (tail) top1 = max(scaled_tail(logits + full, tail, scale), top1);
  const float largest = reduce_max(max(max(top0, top1), max(top2, top3)));

  const F16 shift = set1(largest);
  F16 sum = zero(), weighted = zero();
  const auto take = [&](F16 z) {
    const F16 d = sub(z, shift), e = exp(d);
    sum = add(sum, e);
    weighted = fma(e, bounded(d), weighted);
    return e;
  };
  if (exponentials) {
    for (v = 0; v < full; v += 16) store(exponentials + v, take(mul(load(logits + v), scale)));
    if (tail) store_partial(exponentials + full, take(scaled_tail(logits + full, tail, scale)), tail);
  } else {
    for (v = 0; v < full; v += 16) take(mul(load(logits + v), scale));
    if (tail) take(scaled_tail(logits + full, tail, scale));
  }
  RowStatistics s;
  s.max = largest;
  s.sum = reduce_add(sum);
  const float mean = reduce_add(weighted);
  if (std::isnan(mean)) s.sum = mean;  // exp() hides a NaN, the product with z - max does not
  const double log_sum = std::log(double(s.sum));
  s.log_sum = float(log_sum);
  s.entropy = float(log_sum - double(mean) / double(s.sum));
  return s;
}

// logits -> dz / temperature, but for the + dlogprob / temperature of the target.
//   dz = -p (dlogprob + dentropy (log p + entropy))
void head_gradient_kernel(float* logits, int64_t V, const RowStatistics& s, float inverse_temperature, float dlogprob,
                          float dentropy) {
  const F16 scale = set1(inverse_temperature), shift = set1(s.max);
  const F16 normalise = set1(-inverse_temperature / s.sum);
  const int64_t full = V & ~int64_t{15};
  const int tail = int(V - full);
  if (dentropy == 0.0f) {
    const F16 factor = mul(set1(dlogprob), normalise);
    for (int64_t v = 0; v < full; v += 16)
      store(logits + v, mul(exp(sub(mul(load(logits + v), scale), shift)), factor));
    if (tail) {
      const F16 z = scaled_tail(logits + full, tail, scale);
      store_partial(logits + full, mul(exp(sub(z, shift)), factor), tail);
    }
    return;
  }
  const F16 slope = set1(dentropy), constant = set1(dlogprob + dentropy * (s.entropy - s.log_sum));
  const auto gradient = [&](F16 z) {
    const F16 d = sub(z, shift);
    return mul(mul(exp(d), normalise), fma(slope, bounded(d), constant));
  };
  for (int64_t v = 0; v < full; v += 16) store(logits + v, gradient(mul(load(logits + v), scale)));
  if (tail) store_partial(logits + full, gradient(scaled_tail(logits + full, tail, scale)), tail);
}

}  // namespace
}  // namespace exitrl::EXITRL_ISA
