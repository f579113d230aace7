// glu on the emulated device against the CPU's, which is tested against double.
#include "device_check.h"
#include "ops/glu/glu.h"

using namespace exitrl;
using namespace check;

TEST(device_glu_agrees_with_the_cpu) {
  Pool pool(1);
  for (const Precision p : {Precision::f32, Precision::bf16})
    for (const auto activation : {Activation::silu, Activation::gelu_tanh, Activation::gelu_erf})
      for (const auto& [T, F] : {std::pair<int64_t, int64_t>{1, 1}, {3, 7}, {5, 8}, {2, 72}, {9, 104}}) {
        const Floats gate_up = rounded(p, random_floats(T * 2 * F, 1, 6)), dy = rounded(p, random_floats(T * F, 2));
        Floats y(size_t(T * F)), dgate_up(size_t(T * 2 * F));
        glu_forward(pool, {gate_up.data(), y.data(), T, F, activation});
        glu_backward(pool, {dy.data(), gate_up.data(), dgate_up.data(), nullptr, T, F, activation});
        const Floats got = in_both_orders([&] {
          Numbers in(p, gate_up), d(p, dy), out(p, T * F), again(p, T * F);
          cuda::glu_forward(device_context(), {in.data(), out.data(), T, F, activation, p});
          cuda::glu_backward(device_context(), {d.data(), in.data(), in.data(), again.data(), T, F, activation, p});
          CHECK(same_bits(out.floats(), again.floats()));
          Floats all = out.floats(), grad = in.floats();
          all.insert(all.end(), grad.begin(), grad.end());
          return all;
        });
        std::vector<double> want(y.begin(), y.end());
        want.insert(want.end(), dgate_up.begin(), dgate_up.end());
        agree(got, want, 8 * unit(p), 1e-5, std::string("glu ") + name(p) + " T=" + std::to_string(T) + " F=" + std::to_string(F));
      }
}
