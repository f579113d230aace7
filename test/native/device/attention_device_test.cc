// attention_forward and attention_merge on the emulated device.
#include "attention_check.h"

using namespace exitrl;
using namespace check;

namespace {

std::vector<AttentionBatch> batches() {
  return {
      AttentionBatch(1, 1, 16, 0).add(1, {}).fill(1),
      AttentionBatch(2, 2, 8, 0).add(17, {}).add(2, {}).fill(2),
      AttentionBatch(4, 2, 24, 0).add(70, {}).add(15, {}).fill(3),
      AttentionBatch(4, 1, 32, 5).add(40, {}).add(3, {}).fill(4),
      AttentionBatch(2, 1, 80, 0).add(67, {}).fill(5),
      AttentionBatch(3, 3, 64, 17).add(100, {}).fill(6),
      AttentionBatch(7, 1, 16, 70).add(150, {}).fill(7),
      AttentionBatch(2, 1, 128, 0).add(66, {}).fill(8),
      AttentionBatch(1, 1, 96, 0).add(20, {}).fill(9),
      AttentionBatch(1, 1, 256, 0).add(70, {}).fill(10),
      AttentionBatch(2, 1, 200, 0).add(18, {}).fill(11),
      AttentionBatch(66, 1, 16, 0).add(3, {}).fill(12),
      AttentionBatch(2, 1, 16, 0).add(37, {20, 2}).fill(13),
  };
}

}  // namespace

TEST(device_attention_agrees_with_the_cpu) {
  for (const Precision p : {Precision::f32, Precision::bf16})
    for (AttentionBatch& b : batches()) {
      b.qkv = rounded(p, b.qkv);
      const AttentionOutput want = cpu_attention(b, b.qkv);
      const size_t o_size = want.o.size();
      const Floats got = in_both_orders([&] {
        DeviceAttention device(b, p);
        device.append_sequences();
        device.step(b.whole());
        return device.all();
      });
      const Floats plain = p == Precision::bf16 ? plain_bf16(b, b.qkv, {}, {}).o : Floats{};
      agree_with_cpu(p, Floats(got.begin(), got.begin() + int64_t(o_size)), want.o, plain, 2e-6, "o " + b.text());
      CHECK_NEAR(largest_error(Floats(got.begin() + int64_t(o_size), got.end()), want.lse), 0, 4e-6);
    }
}

// Heads that wgmma multiplies: all shapes of a tile, windows, several sequences, rows that begin late, partial results.
TEST(device_attention_of_warpgroups_agrees_with_the_cpu) {
  for (AttentionBatch& b : std::vector<AttentionBatch>{
           AttentionBatch(1, 1, 64, 0).add(1, {}).fill(60),
           AttentionBatch(2, 1, 64, 0).add(150, {}).add(17, {}).fill(61),
           AttentionBatch(4, 2, 128, 0).add(70, {}).add(130, {}).fill(62),
           AttentionBatch(1, 1, 128, 40).add(200, {}).fill(63),
           AttentionBatch(7, 1, 64, 9).add(45, {}).fill(64),
           AttentionBatch(66, 1, 64, 0).add(3, {}).fill(65),
           AttentionBatch(2, 1, 128, 0).add(90, {70, 30}).fill(66),
       }) {
    b.qkv = rounded(Precision::bf16, b.qkv);
    const AttentionOutput want = cpu_attention(b, b.qkv);
    const auto o_size = int64_t(want.o.size());
    const Floats plain = plain_bf16(b, b.qkv, {}, {}).o;
    for (const bool partials : {false, true}) {
      const Floats got = in_both_orders([&] {
        DeviceAttention device(b, Precision::bf16);
        device.append_sequences();
        device.step(b.whole(), partials, partials);
        return device.all();
      });
      agree_with_cpu(Precision::bf16, Floats(got.begin(), got.begin() + o_size), want.o, plain, 0, "warpgroup o " + b.text());
      CHECK_NEAR(largest_error(Floats(got.begin() + o_size, got.end()), want.lse), 0, 4e-6);
    }
  }
}

// In exact plans: however many rows a call has, whatever the page numbers, alone or with others.
TEST(device_attention_has_the_same_bits_however_rows_come) {
  for (const Precision p : {Precision::f32, Precision::bf16})
    for (const auto& [H, D, window] : {std::tuple<int64_t, int64_t, int64_t>{1, 16, 0},
                                       {2, 16, 0},
                                       {4, 24, 0},
                                       {7, 16, 0},
                                       {2, 16, 9},
                                       {2, 16, 65},
                                       {2, 64, 0},
                                       {1, 128, 70}}) {
      if (p == Precision::f32 && (H == 1 || H == 4 || window == 65 || D > 24)) continue;  // slow here
      AttentionBatch b = AttentionBatch(H, 1, D, window).add(100, {}).add(19, {}).fill(20);
      DeviceAttention whole(b, p);
      whole.step(b.whole());
      for (const int64_t rows : {1, 7, 33}) {
        b.shuffle_pages(uint32_t(rows));
        DeviceAttention device(b, p);
        device.few_queries = rows < 8;  // heads of 64 and 128: each warp's tensor cores, not those of four together
        for (int64_t position = 0; position < 100; position += rows) {
          std::vector<AttentionSpan> spans{b.span(0, position, std::min(rows, 100 - position))};
          if (position < 19) spans.insert(spans.begin(), b.span(1, position, std::min(rows, 19 - position)));
          device.step(spans);
        }
        CHECK(same_bits(device.all(), whole.all()));
      }
    }
}

TEST(device_attention_row_ignores_what_comes_after_its_key_range) {
  for (const Precision p : {Precision::f32, Precision::bf16}) {
    AttentionBatch b = AttentionBatch(2, 1, 16, 0).add(60, {}).fill(21);
    DeviceAttention clean(b, p);
    clean.step({b.span(0, 0, 41)});
    const Floats want = clean.all();
    for (int64_t d = 0; d < b.stride(); ++d) b.qkv[size_t(41 * b.stride() + d)] = kNan;
    DeviceAttention device(b, p);
    device.append(b.span(0, 0, 60));
    device.step({b.span(0, 0, 41)});
    CHECK(same_bits(device.all(), want));
  }
}

TEST(device_attention_survives_large_scores) {
  for (const auto& [p, D] : {std::pair<Precision, int64_t>{Precision::f32, 16}, {Precision::bf16, 16}, {Precision::bf16, 64}}) {
    AttentionBatch b = AttentionBatch(1, 1, D, 0).add(70, {}).fill(22, 60.0f);
    b.qkv = rounded(p, b.qkv);
    const AttentionOutput want = cpu_attention(b, b.qkv);
    DeviceAttention device(b, p);
    device.step(b.whole());
    agree_with_cpu(p, device.o.floats(), want.o, plain_bf16(b, b.qkv, {}, {}).o, 1e-2, "large scores");
    CHECK_NEAR(largest_error(device.lse.floats(), want.lse), 0, 1e-2);
  }
}

namespace {

// The last row of every sequence, as in decoding: partial results, pages that samples share read once, and items that nobody uses.
// Returns how many items are large, and how many small.
std::vector<int32_t> check_last_rows(AttentionBatch& b, Precision p, bool split, bool group, bool decoding) {
  b.qkv = rounded(p, b.qkv);
  const AttentionOutput want = cpu_attention(b, b.qkv);
  const Floats plain = p == Precision::bf16 ? plain_bf16(b, b.qkv, {}, {}).o : Floats{};
  std::vector<AttentionSpan> spans;
  for (size_t s = 0; s < b.sequences.size(); ++s) spans.push_back(b.span(s, int64_t(b.sequences[s].size()) - 1, 1));
  device::AttentionPlan plan;
  const device::AttentionPlanSettings settings{b.H, b.K, b.window, 8, split, group};
  plan_attention(plan, spans.data(), int64_t(spans.size()), settings);
  CHECK(plan.partials > 0 || b.H > 32 || !group || decoding);
  pad_attention_plan(plan, largest_attention_plan(int64_t(spans.size()), int64_t(spans.size()), settings));
  const Floats got = in_both_orders([&] {
    DeviceAttention device(b, p);
    device.decoding = decoding;
    device.append_sequences();
    device.forward(plan);
    return device.all();
  });
  Floats o, o_want, o_plain, lse, lse_want;
  for (const AttentionSpan& span : spans)
    for (int64_t h = 0; h < b.H; ++h) {
      lse.push_back(got[size_t(b.rows * b.H * b.D + span.row * b.H + h)]);
      lse_want.push_back(want.lse[size_t(span.row * b.H + h)]);
      for (int64_t d = 0; d < b.D; ++d) {
        const size_t at = size_t((span.row * b.H + h) * b.D + d);
        o.push_back(got[at]);
        o_want.push_back(want.o[at]);
        if (!plain.empty()) o_plain.push_back(plain[at]);
      }
    }
  const std::string text = "split=" + std::to_string(split) + " group=" + std::to_string(group) + " decoding=" + std::to_string(decoding);
  agree_with_cpu(p, o, o_want, o_plain, 2e-6, "plan " + text + " " + b.text());
  CHECK_NEAR(largest_error(lse, lse_want), 0, 4e-6);
  // Rows of no span stay as they were.
  int64_t written = 0;
  for (int64_t i = 0; i < b.rows * b.H; ++i) written += !std::isnan(got[size_t(b.rows * b.H * b.D + i)]);
  CHECK(written == int64_t(spans.size()) * b.H);
  return plan.counts;
}

}  // namespace

TEST(device_attention_of_split_and_grouped_plans) {
  for (const Precision p : {Precision::f32, Precision::bf16})
    for (AttentionBatch& b : std::vector<AttentionBatch>{
             AttentionBatch(2, 1, 16, 0).add(700, {1}).add(80, {2, 1, 4}).fill(30),
             AttentionBatch(4, 2, 32, 0).add(150, {3, 40, 1, 2, 9}).add(5, {}).fill(31),
             AttentionBatch(2, 1, 16, 300).add(400, {1, 1}).add(140, {2, 2, 1}).fill(32),
             AttentionBatch(40, 1, 16, 0).add(130, {1, 1, 1}).fill(33),
         })
      for (const auto& [split, group] : {std::pair{true, false}, {false, true}, {true, true}}) check_last_rows(b, p, split, group, false);
}

// Small items are warps' work, large ones blocks': both kinds in one step, several pieces a block, heads that no warp has, windows.
TEST(device_attention_of_decoding_steps) {
  int32_t large = 0, small = 0;
  for (AttentionBatch& b : std::vector<AttentionBatch>{
           AttentionBatch(2, 1, 16, 0).add(700, {1}).add(80, {2, 1, 4}).fill(36),
           AttentionBatch(4, 1, 64, 0).add(150, {3, 40, 1, 2, 9}).add(5, {}).add(1, {}).fill(37),
           AttentionBatch(12, 6, 32, 0).add(70, {1, 20}).add(33, {}).fill(38),
           AttentionBatch(2, 1, 128, 90).add(200, {1, 30}).add(17, {}).fill(39),
           AttentionBatch(7, 1, 24, 0).add(130, {1, 1, 1}).add(16, {}).fill(40),
           AttentionBatch(2, 2, 80, 9).add(45, {}).add(64, {}).fill(41),
           AttentionBatch(40, 1, 16, 0).add(130, {1, 1, 1}).fill(42),
           AttentionBatch(66, 1, 16, 0).add(20, {}).fill(43),
           AttentionBatch(2, 1, 256, 0).add(20, {}).fill(44),
       })
    for (const bool group : {false, true}) {
      const std::vector<int32_t> counts = check_last_rows(b, Precision::bf16, true, group, true);
      large += counts[0];
      small += counts[1];
    }
  CHECK(large > 5 && small > 30);
}

// Several rows a span, cut: a prompt's chunk behind a long beginning.
TEST(device_attention_of_a_split_chunk) {
  AttentionBatch b = AttentionBatch(4, 2, 16, 0).add(600, {}).fill(34);
  b.qkv = rounded(Precision::bf16, b.qkv);
  const AttentionOutput want = cpu_attention(b, b.qkv);
  DeviceAttention device(b, Precision::bf16);
  device.append(b.span(0, 0, 560));
  device.step({b.span(0, 560, 40)}, true);
  const auto tail = [&](const Floats& x, int64_t width) { return Floats(x.begin() + 560 * width, x.end()); };
  const int64_t width = b.H * b.D;
  agree_with_cpu(Precision::bf16, tail(device.o.floats(), width), tail(want.o, width), tail(plain_bf16(b, b.qkv, {}, {}).o, width), 0,
                 "split chunk");
  CHECK_NEAR(largest_error(tail(device.lse.floats(), b.H), tail(want.lse, b.H)), 0, 4e-6);
}

TEST(device_attention_of_a_query_without_keys) {
  for (const Precision p : {Precision::f32, Precision::bf16}) {
    const AttentionBatch b = AttentionBatch(2, 1, 16, 0).add(3, {}).fill(35);
    DeviceAttention device(b, p);
    device::AttentionPlan plan;
    plan.items = {{0, 1, 0, 64, 64, -1}, {1, 1, 0, 64, 80, -1}};  // none, and none that is visible
    plan.rows = {0, 1};
    plan.positions = {0, 1, 2};
    plan.pages = {0, 0, 0, 0, 0};
    for (int32_t i = 0; i < 3; ++i) device.append({i, 1, i, plan.pages.data()});
    for (int32_t i = 3; i < 16; ++i) device.append({0, 1, i, plan.pages.data()});
    device.forward(plan);
    for (int64_t i = 0; i < 2 * b.H * b.D; ++i) CHECK(device.o[i] == 0);
    for (int64_t i = 0; i < 2 * b.H; ++i) CHECK(device.lse[i] == -INFINITY);
  }
}

TEST(device_attention_refuses_head_widths_it_lacks) {
  const auto run = [](int64_t D, Precision p) {
    device::AttentionForward a{};
    a.H = a.K = 1;
    a.D = D;
    a.precision = p;
    cuda::attention_forward(device_context(), a);
  };
  CHECK_THROWS(run(20, Precision::bf16), "heads of 20 numbers");
  CHECK_THROWS(run(264, Precision::f32), "heads of 264 numbers");
}
