namespace exitrl::EXITRL_ISA {
namespace {

// The square of a float is exact in double, so fused or not makes no difference: every set gives the same bits.
double squares_of_block(const float* x, int64_t n) {
  double lanes[16] = {};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int j = 0; j < 16; ++j) lanes[j] += double(x[i + j]) * double(x[i + j]);
  for (int j = 0; i + j < n; ++j) lanes[j] += double(x[i + j]) * double(x[i + j]);
  for (int h = 8; h > 0; h /= 2)
    for (int j = 0; j < h; ++j) lanes[j] += lanes[j + h];
  return lanes[0];
}

void moving_average_range(float* target, const float* source, int64_t n, float a) {
  const F16 take = set1(a), keep = set1(1.0f - a);
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) store(target + i, fma(take, load(source + i), mul(keep, load(target + i))));
  if (const int m = int(n - i))
    store_partial(target + i, fma(take, load_partial(source + i, m), mul(keep, load_partial(target + i, m))), m);
}

}  // namespace
}  // namespace exitrl::EXITRL_ISA
