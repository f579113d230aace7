namespace exitrl::EXITRL_ISA {
namespace {

// sums[i] = sum of x over the i-th block of kSumBlock elements.
void block_sums_kernel(const float* x, int64_t n, double* sums) {
  for (int64_t begin = 0; begin < n; begin += kSumBlock) {
    const int64_t end = begin + kSumBlock < n ? begin + kSumBlock : n;
    F16 sum = zero();
    int64_t i = begin;
    for (; i + 16 <= end; i += 16) sum = add(sum, load(x + i));
    if (i < end) sum = add(sum, load_partial(x + i, int(end - i)));
    *sums++ = double(reduce_add(sum));
  }
}

}  // namespace
}  // namespace exitrl::EXITRL_ISA
