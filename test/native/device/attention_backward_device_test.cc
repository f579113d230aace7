// attention_backward on the emulated device against the CPU's.
#include "attention_check.h"

using namespace exitrl;
using namespace check;

namespace {

// dqkv of the device, from what the CPU's forward pass gives.
void compare(AttentionBatch& b, Precision p, double tolerance, bool warpgroups = false) {
  Pool pool(1);
  b.qkv = rounded(p, b.qkv);
  const Floats d_o = rounded(p, random_floats(b.rows * b.H * b.D, 40));
  const AttentionOutput forward = cpu_attention(b, b.qkv);
  const Floats o = rounded(p, forward.o);
  const int64_t families = int64_t(b.families.size()) - 1;
  Floats want(b.qkv.size());
  attention_backward(pool, {b.qkv.data(), forward.o.data(), d_o.data(), forward.lse.data(), b.spans.data(), b.families.data(), families,
                            want.data(), b.H, b.K, b.D, b.window, b.scale()});
  device::AttentionBackwardPlan plan;
  plan_attention_backward(plan, b.spans.data(), b.families.data(), families, b.window);
  device_context().warpgroups = warpgroups;
  const Floats got = in_both_orders([&] {
    Numbers qkv(p, b.qkv), out(p, o), gradient(p, d_o), lse(Precision::f32, forward.lse), delta(Precision::f32, b.rows * b.H);
    Numbers dqkv(p, int64_t(b.qkv.size()));
    const float* const sums = static_cast<const float*>(lse.data());
    cuda::attention_backward(
        device_context(), {qkv.data(), out.data(), gradient.data(), sums, static_cast<float*>(delta.data()), plan.query_items.data(),
                           plan.key_items.data(), plan.segments.data(), dqkv.data(), int64_t(plan.query_items.size()),
                           int64_t(plan.key_items.size()), b.rows, b.H, b.K, b.D, b.window, b.scale(), p});
    return dqkv.floats();
  });
  device_context().warpgroups = true;
  agree_with_cpu(p, got, want, p == Precision::bf16 ? plain_bf16(b, b.qkv, d_o, o).dqkv : Floats{}, tolerance, "dqkv " + b.text());
}

}  // namespace

TEST(device_attention_backward_agrees_with_the_cpu) {
  for (const Precision p : {Precision::f32, Precision::bf16})
    for (AttentionBatch& b : std::vector<AttentionBatch>{
             AttentionBatch(1, 1, 16, 0).add(1, {}).fill(1),
             AttentionBatch(2, 2, 8, 0).add(17, {}).add(2, {}).fill(2),
             AttentionBatch(4, 2, 24, 0).add(70, {}).add(15, {}).fill(3),
             AttentionBatch(4, 1, 32, 5).add(40, {}).add(3, {}).fill(4),
             AttentionBatch(2, 1, 80, 0).add(35, {}).fill(5),
             AttentionBatch(1, 1, 64, 17).add(70, {}).fill(6),
             AttentionBatch(2, 1, 16, 70).add(140, {}).fill(7),
             AttentionBatch(2, 1, 128, 0).add(35, {}).fill(8),
             AttentionBatch(1, 1, 96, 0).add(20, {}).fill(9),
             AttentionBatch(1, 1, 256, 0).add(20, {}).fill(10),
             AttentionBatch(1, 1, 200, 0).add(18, {}).fill(11),
             AttentionBatch(7, 1, 16, 0).add(9, {}).fill(12),
             // shared beginnings
             AttentionBatch(2, 1, 16, 0).add(37, {20, 2}).add(8, {}).fill(13),
             AttentionBatch(2, 1, 32, 0).add(66, {1, 7}).fill(14),
             AttentionBatch(1, 1, 16, 9).add(70, {30, 70}).fill(15),
             AttentionBatch(2, 1, 16, 100).add(90, {70, 30}).fill(16),
         })
      compare(b, p, 2e-5);
}

// Heads that wgmma multiplies.
TEST(device_attention_backward_of_warpgroups_agrees_with_the_cpu) {
  for (AttentionBatch& b : std::vector<AttentionBatch>{
           AttentionBatch(1, 1, 64, 0).add(3, {}).fill(60),
           AttentionBatch(2, 1, 64, 0).add(100, {}).add(17, {}).fill(61),
           AttentionBatch(2, 2, 128, 0).add(70, {}).add(15, {}).fill(62),
           AttentionBatch(2, 1, 128, 20).add(90, {}).fill(63),
           AttentionBatch(1, 1, 64, 9).add(70, {30, 70}).fill(64),
           AttentionBatch(2, 1, 128, 0).add(66, {1, 7}).fill(65),
       })
    compare(b, Precision::bf16, 0, true);
}

// Scores so low that exp(-lse) is infinite: rows that are not there must not turn it into NaN.
TEST(device_attention_backward_survives_low_scores) {
  for (const Precision p : {Precision::f32, Precision::bf16}) {
    AttentionBatch b = AttentionBatch(1, 1, 16, 0).add(20, {17}).fill(50);
    for (int64_t row = 0; row < b.rows; ++row)
      for (int64_t d = 0; d < b.D; ++d) {
        b.qkv[size_t(row * b.stride() + d)] = 10 + b.qkv[size_t(row * b.stride() + d)] / 8;
        b.qkv[size_t(row * b.stride() + b.D + d)] -= 10;
      }
    CHECK(cpu_attention(b, b.qkv).lse[30] < -200);
    compare(b, p, 1e-2);
  }
}
