// AdamW, norms and passes over slabs on the device against the CPU's.
#include "device_check.h"
#include "ops/adamw/adamw.h"
#include "ops/norm/norm.h"

using namespace exitrl;
using namespace check;

namespace {

struct Norm {
  double norm, clip;
};
Norm gradient_norm(const Floats& x, double max_norm) {
  const auto n = int64_t(x.size());
  std::vector<double> partials(size_t(device::norm_partials(n)) + 1), out(2);
  Numbers values(Precision::f32, x);
  cuda::gradient_norm(device_context(), {static_cast<const float*>(values.data()), partials.data(), out.data(), n, max_norm});
  return {out[0], out[1]};
}

}  // namespace

TEST(device_adamw_agrees_with_the_cpu) {
  Pool pool(1);
  // Sizes and gaps of every kind: ranges within a vector, across it and across blocks; more of them than a warp probes at once.
  std::vector<device::AdamWRange> ranges{{3, 4, 1}, {16, 1000, 0}, {1024, 3000, 1}};
  for (int64_t at = 4030; at < 4700; at += 13 + int64_t(ranges.size()) % 3) ranges.push_back({at, 11, int32_t(ranges.size() % 2)});
  for (const int64_t n : {4799, 4097, 16}) {
    std::vector<device::AdamWRange> used;
    for (const auto& r : ranges)
      if (r.offset + r.size <= n) used.push_back(r);
    const Floats start = random_floats(n, 1), m0 = random_floats(n, 3, 0.1f), g = random_floats(n, 2), v0 = [&] {
      Floats v = random_floats(n, 4, 0.1f);
      for (float& x : v) x = x * x;
      return v;
    }();
    // In memory of the heap, which a card reads in place.
    const std::vector<device::AdamWStep> steps{{1e-2, 0.9, 0.95, 1e-8, 0.1, 1.0 - std::pow(0.9, 3), 1.0 - std::pow(0.95, 3)}};
    const device::AdamWStep& step = steps[0];
    for (const Precision p : {Precision::f32, Precision::bf16})
      for (const double clip : {0.7, double(kNan), double(std::numeric_limits<float>::infinity())}) {
        const bool finite = std::isfinite(clip);
        const std::vector<double> clips{clip};
        Floats want = start, want_m = m0, want_v = v0;
        for (const auto& r : used)
          if (finite)
            adamw(pool, {want.data() + r.offset, g.data() + r.offset, want_m.data() + r.offset, want_v.data() + r.offset, r.size, 3,
                         step.lr, step.beta1, step.beta2, step.eps, r.decayed ? step.weight_decay : 0.0, clip});
        const Floats old = rounded(p, start);
        in_both_orders([&] {
          Numbers master(Precision::f32, start), weights(p, start), grad(Precision::f32, g), m(Precision::f32, m0), v(Precision::f32, v0);
          auto* const rounded_weights = p == Precision::bf16 ? weights.data() : master.data();
          cuda::adamw(device_context(),
                      {static_cast<float*>(master.data()), rounded_weights, static_cast<float*>(grad.data()), static_cast<float*>(m.data()),
                       static_cast<float*>(v.data()), used.data(), steps.data(), clips.data(), int64_t(used.size()), n, p});
          for (int64_t i = 0; i < n; ++i) CHECK(grad[i] == 0);
          if (!finite || simd::isa() != simd::Isa::portable) {  // the portable copy rounds where the others fuse
            CHECK(same_bits(master.floats(), want));
            CHECK(same_bits(m.floats(), want_m));
            CHECK(same_bits(v.floats(), want_v));
          } else {
            agree(master.floats(), {want.begin(), want.end()}, 1e-6, 1e-7, "adamw weights");
            agree(m.floats(), {want_m.begin(), want_m.end()}, 1e-6, 1e-8, "adamw m");
            agree(v.floats(), {want_v.begin(), want_v.end()}, 1e-6, 1e-8, "adamw v");
          }
          Floats updated = old;
          for (const auto& r : used)
            for (int64_t i = r.offset; finite && i < r.offset + r.size; ++i) updated[size_t(i)] = from_bf16(to_bf16(master[i]));
          if (p == Precision::bf16) CHECK(same_bits(weights.floats(), updated));
          return master.floats();
        });
      }
  }
}

TEST(device_norms_and_their_clip_factors) {
  Pool pool(1);
  for (const int64_t n : {1, 5, 4096, 65536 * 2 + 3}) {
    const Floats x = random_floats(n, uint32_t(n));
    const double want = std::sqrt(sum_of_squares(pool, x.data(), n));
    const Norm got = gradient_norm(x, 0.5 * want);
    CHECK_NEAR(got.norm, want, 1e-12 * want);
    CHECK_NEAR(got.clip, 0.5 * want / (want + 1e-6), 1e-12);
    CHECK(gradient_norm(x, 2 * want + 1).clip == 1.0 && gradient_norm(x, 0).clip == 1.0);
  }
  Floats broken = random_floats(100, 1);
  broken[50] = kNan;
  CHECK(std::isnan(gradient_norm(broken, 1).norm) && std::isnan(gradient_norm(broken, 1).clip));
  broken[50] = std::numeric_limits<float>::infinity();
  CHECK(std::isinf(gradient_norm(broken, 1).norm) && std::isnan(gradient_norm(broken, 1).clip));
}

TEST(device_averages_and_conversions) {
  for (const int64_t n : {1, 6, 1030}) {
    const Floats source = random_floats(n, 1), target = random_floats(n, 2);
    for (const float a : {1.0f, 0.3f}) {
      Numbers from(Precision::f32, source), to(Precision::f32, target), half(Precision::bf16, n);
      if (a == 1.0f) to.set(0, kNan);  // a copy does not look at what was there
      cuda::moving_average(device_context(),
                           {static_cast<float*>(to.data()), static_cast<const float*>(from.data()), half.data(), n, a, Precision::bf16});
      for (int64_t i = 0; i < n; ++i) {
        if (a == 1.0f) CHECK(to[i] == source[size_t(i)]);
        CHECK_NEAR(to[i], a == 1.0f ? source[size_t(i)] : a * source[size_t(i)] + (1 - a) * target[size_t(i)], 1e-7);
        CHECK(half[i] == from_bf16(to_bf16(to[i])));
      }
    }
    Numbers wide(Precision::f32, source), narrow(Precision::bf16, n), back(Precision::f32, n);
    cuda::convert(device_context(), {wide.data(), narrow.data(), n, Precision::f32, Precision::bf16});
    cuda::convert(device_context(), {narrow.data(), back.data(), n, Precision::bf16, Precision::f32});
    for (int64_t i = 0; i < n; ++i) CHECK(back[i] == from_bf16(to_bf16(source[size_t(i)])));
  }
}
