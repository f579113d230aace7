#include "device/bench.h"

#include <chrono>
#include <cmath>
#include <map>
#include <numeric>
#include <string_view>

#include "device/attention_plan.h"
#include "device/bench_work.h"

namespace exitrl::device {
namespace {

struct Product {
  GemmKind kind;
  Order order = Order::any;
  bool wide = false;  // fp32 results
};

Work gemm(Bench& b, const Shape& s, const Product& how, bool against_bare) {
  const int64_t M = s[0], N = s[1], K = s[2];
  void *const x = b.numbers(M * K), *const y = b.numbers(N * K);
  const bool add = how.kind == GemmKind::tn;
  const Precision out = add || how.wide ? Precision::f32 : b.precision();
  void* const d = out == Precision::f32 ? b.floats(M * N) : b.numbers(M * N);
  const int64_t lda = add ? M : K, ldb = how.kind == GemmKind::nt ? K : N, each = add ? 8 : out == Precision::f32 ? 4 : 2;
  const Gemm product{how.kind, x, y, add ? d : nullptr, nullptr, d, M, N, K, lda, ldb, N, 1.0f, b.precision(), out, how.order};
  Work work{[=, &b] { b.device().gemm(product); }, 2.0 * double(M) * double(N) * double(K),
            double((M * K + N * K) * b.size() + M * N * each)};
  if (against_bare) work.rival = [=, &b](int64_t times) { b.device().bare_gemm(product, times); };
  return work;
}

Work attention_forward(Bench& b, const Shape& s) {
  const int64_t B = s[0], T = s[1], H = s[2], K = s[3], D = s[4], rows = B * T, table = (T + 15) / 16, page = K * 16 * D;
  std::vector<int32_t> pages(size_t(B * table)), positions;
  std::iota(pages.begin(), pages.end(), 0);
  std::vector<AttentionSpan> spans;
  for (int64_t i = 0; i < B; ++i) {
    spans.push_back({i * T, T, 0, pages.data() + i * table});
    for (int64_t t = 0; t < T; ++t) positions.push_back(int32_t(t));
  }
  AttentionPlan plan;
  plan_attention(plan, spans.data(), B, {H, K});
  AttentionForward a{};
  a.q = b.numbers(rows * H * D), a.keys = b.numbers(B * table * page), a.values = b.numbers(B * table * page);
  a.pages = b.array(plan.pages), a.items = b.array(plan.items), a.rows = b.array(plan.rows), a.positions = b.array(positions);
  a.o = b.numbers(rows * H * D), a.lse = b.floats(rows * H);
  a.q_stride = H * D, a.page_stride = page, a.item_count = int64_t(plan.items.size());
  a.H = H, a.K = K, a.D = D, a.window = 0, a.scale = 1.0f / std::sqrt(float(D)), a.precision = b.precision();
  return {[=, &b] { b.device().attention_forward(a); }, 2.0 * double(B * H * D) * double(T) * double(T),
          double(rows * (2 * H + 2 * K) * D * b.size())};
}

Work attention_backward(Bench& b, const Shape& s) {
  const int64_t B = s[0], T = s[1], H = s[2], K = s[3], D = s[4], rows = B * T;
  std::vector<AttentionSpan> spans;
  std::vector<int32_t> families;
  for (int64_t i = 0; i <= B; ++i) families.push_back(int32_t(i));
  for (int64_t i = 0; i < B; ++i) spans.push_back({i * T, T, 0, nullptr});
  AttentionBackwardPlan plan;
  plan_attention_backward(plan, spans.data(), families.data(), B, 0);
  AttentionBackward a{};
  a.qkv = b.numbers(rows * (H + 2 * K) * D), a.o = b.numbers(rows * H * D), a.d_o = b.numbers(rows * H * D);
  a.lse = b.floats(rows * H), a.delta = b.floats(rows * H), a.dqkv = b.numbers(rows * (H + 2 * K) * D);
  a.query_items = b.array(plan.query_items), a.key_items = b.array(plan.key_items), a.segments = b.array(plan.segments);
  a.query_item_count = int64_t(plan.query_items.size()), a.key_item_count = int64_t(plan.key_items.size());
  a.T = rows, a.H = H, a.K = K, a.D = D, a.window = 0, a.scale = 1.0f / std::sqrt(float(D)), a.precision = b.precision();
  return {[=, &b] { b.device().attention_backward(a); }, 5.0 * double(B * H * D) * double(T) * double(T),
          double(rows * (4 * H + 4 * K) * D * b.size())};
}

// G groups of S sequences: `shared` keys (a multiple of 16) that a group reads together, `own` keys of each.
Work attention_decode(Bench& b, int64_t G, int64_t S, int64_t shared, int64_t own, int64_t H, int64_t K, int64_t D) {
  const int64_t rows = G * S, page = K * 16 * D, prefix = shared / 16, rest = (own + 15) / 16;
  std::vector<std::vector<int32_t>> tables;
  std::vector<AttentionSpan> spans;
  int32_t next = 0;
  for (int64_t g = 0; g < G; ++g) {
    std::vector<int32_t> common;
    for (int64_t i = 0; i < prefix; ++i) common.push_back(next++);
    for (int64_t i = 0; i < S; ++i) {
      tables.push_back(common);
      for (int64_t j = 0; j < rest; ++j) tables.back().push_back(next++);
    }
  }
  for (int64_t r = 0; r < rows; ++r) spans.push_back({r, 1, prefix * 16 + own - 1, tables[size_t(r)].data()});
  AttentionPlan plan;
  plan_attention(plan, spans.data(), rows, {H, K, 0, b.device().info.multiprocessors, true, true});
  AttentionForward a{};
  a.q = b.numbers(rows * H * D), a.keys = b.numbers(next * page), a.values = b.numbers(next * page);
  a.pages = b.array(plan.pages), a.items = b.array(plan.items), a.rows = b.array(plan.rows);
  a.positions = b.array(std::vector<int32_t>(size_t(rows), int32_t(prefix * 16 + own - 1)));
  a.o = b.numbers(rows * H * D);
  a.partial_o = b.floats(std::max<int64_t>(1, plan.partials) * H * D), a.partial_lse = b.floats(std::max<int64_t>(1, plan.partials) * H);
  a.q_stride = H * D, a.page_stride = page, a.item_count = int64_t(plan.items.size());
  a.H = H, a.K = K, a.D = D, a.window = 0, a.scale = 1.0f / std::sqrt(float(D)), a.precision = b.precision(), a.few_queries = true;
  a.order = Order::any, a.counts = b.array(plan.counts);
  AttentionMerge m{};
  const auto R = int64_t(plan.merge_rows.size());
  if (R > 0)
    m = {b.array(plan.merge_rows),
         b.array(plan.merge_starts),
         b.array(plan.merge_parts),
         a.partial_o,
         a.partial_lse,
         a.o,
         nullptr,
         R,
         H,
         D,
         b.precision()};
  return {[=, &b] {
            b.device().attention_forward(a);
            if (R > 0) b.device().attention_merge(m);
          },
          4.0 * double(rows * H * D) * double(shared + own), double((G * shared + rows * own) * 2 * K * D * b.size())};
}

Work head(Bench& b, const Shape& s) {
  const int64_t R = s[0], C = s[1], V = s[2];
  void *const h = b.numbers(R * C), *const w = b.numbers(V * C), *const dh = b.numbers(R * C);
  float *const z = b.floats(R * V), *const dw = b.floats(V * C), *const rows = b.floats(5 * R, 0.1f);
  const int32_t* const targets = b.ints(R, V);
  const Precision p = b.precision();
  const int64_t stride = gradient_stride(V, p);
  return {[=, &b] {
            Device& d = b.device();
            d.gemm({GemmKind::nt, h, w, nullptr, nullptr, z, R, V, C, C, C, V, 1.0f, p, Precision::f32, Order::any});
            d.head_rows({z, targets, rows, rows + R, rows + 2 * R, rows + 3 * R, R, V, 1.0f});
            d.head_gradient({z, targets, rows + 2 * R, rows + 3 * R, rows + R, rows + 4 * R, nullptr, R, V, 1.0f, p});
            d.gemm({GemmKind::nn, z, w, nullptr, nullptr, dh, R, C, V, stride, C, C, 1.0f, p, p, Order::any});
            d.gemm({GemmKind::tn, z, h, dw, nullptr, dw, V, C, R, stride, C, C, 1.0f, p, Precision::f32, Order::any});
          },
          6.0 * double(R) * double(C) * double(V), double(V * C * (2 * b.size() + 8))};
}

Work sample(Bench& b, const Shape& s, float top_p) {
  const int64_t R = s[0], V = s[1];
  std::vector<int64_t> keys(static_cast<size_t>(R));
  std::iota(keys.begin(), keys.end(), 0);
  Sample a{};
  a.logits = b.floats(R * V, 2.0f), a.sequence = b.array(keys), a.length = b.ints(R, 1000), a.slot = b.ints(R, R);
  a.token = b.ints(R, 2), a.logprob = b.floats(R), a.raw_logprob = b.floats(R);
  a.R = R, a.V = V, a.seed = b.array(std::vector<uint64_t>{1});
  a.settings.top_p = top_p;
  return {[=, &b] { b.device().sample(a); }, 0, double(R * V * 4)};
}

Work make(Bench& b, const std::string& op, const Shape& s) {
  const auto dims = [&](size_t n) {
    require(s.size() == n, op + " takes a shape of " + std::to_string(n) + " sizes, got " + std::to_string(s.size()));
    for (int64_t x : s) require(x > 0, op + ": sizes must be above 0");
  };
  const std::map<std::string, Product> products{{"gemm_nt", {GemmKind::nt}},
                                                {"gemm_nn", {GemmKind::nn}},
                                                {"gemm_tn", {GemmKind::tn}},
                                                {"logits", {GemmKind::nt, Order::any, true}},
                                                {"gemm_nt_fixed", {GemmKind::nt, Order::fixed}},
                                                {"gemm_nn_fixed", {GemmKind::nn, Order::fixed}},
                                                {"gemm_tn_fixed", {GemmKind::tn, Order::fixed}}};
  const std::map<std::string, size_t> rows{{"copy", 1},
                                           {"rmsnorm_forward", 2},
                                           {"rmsnorm_backward", 2},
                                           {"glu_forward", 2},
                                           {"glu_backward", 2},
                                           {"qk_rope_forward", 4},
                                           {"qk_rope_backward", 4},
                                           {"embedding_forward", 3},
                                           {"embedding_backward", 3},
                                           {"head_rows", 2},
                                           {"head_gradient", 2},
                                           {"adamw", 1},
                                           {"gradient_norm", 1}};
  constexpr std::string_view kAgainst = "_against_bare";
  const bool against = op.ends_with(kAgainst);
  const auto product = products.find(against ? op.substr(0, op.size() - kAgainst.size()) : op);
  if (product != products.end() && !(against && product->second.order == Order::fixed))
    return dims(3), gemm(b, s, product->second, against);
  if (const auto found = rows.find(op); found != rows.end()) return dims(found->second), rowwise(b, op, s);
  if (op == "attention_forward") return dims(5), attention_forward(b, s);
  if (op == "attention_backward") return dims(5), attention_backward(b, s);
  if (op == "attention_decode") return dims(5), attention_decode(b, s[0], 1, 0, s[1], s[2], s[3], s[4]);
  if (op == "attention_decode_group") return dims(7), attention_decode(b, s[0], s[1], s[2], s[3], s[4], s[5], s[6]);
  if (op == "head") return dims(3), head(b, s);
  if (op == "sample") return dims(2), sample(b, s, 1.0f);
  if (op == "sample_top_p") return dims(2), sample(b, s, 0.9f);
  fail(ErrorCode::invalid_argument, "there is no benchmark of an op \"" + op + "\" on a device; native/device/bench.h lists them");
}

// The largest last-level caches of cards are some 130 MB.
constexpr double kBeyondCaches = 256e6;
constexpr size_t kMostSets = 32;
// FLOPs a byte from which an op is bound by products on every card; a Hopper's tensor cores do some 260.
constexpr double kBoundByProducts = 400;

// The work once, or where it moves memory as often as it takes to leave the caches.
std::vector<Work> make_sets(Bench& b, const std::string& op, const Shape& shape) {
  std::vector<Work> sets{make(b, op, shape)};
  const Work& one = sets[0];
  const double bytes = one.bytes;
  if (one.rival || one.flops > kBoundByProducts * bytes) return sets;
  const size_t count = std::min(kMostSets, size_t(std::ceil(kBeyondCaches / bytes)));
  while (sets.size() < count) {
    b.begin_set();
    sets.push_back(make(b, op, shape));
  }
  return sets;
}

}  // namespace

BenchResult run_bench(Device& device, const std::string& op, const std::vector<int64_t>& shape, Precision precision, int64_t repeats,
                      double warm_up) {
  Bench bench(device, precision);
  const std::vector<Work> sets = make_sets(bench, op, shape);
  const Work& work = sets[0];
  using Clock = std::chrono::steady_clock;
  const auto seconds_of = [&](const auto& run, int64_t times) {
    device.synchronise();
    const auto begin = Clock::now();
    run(times);
    device.synchronise();
    return std::chrono::duration<double>(Clock::now() - begin).count();
  };
  size_t next = 0;
  const auto ours = [&](int64_t times) {
    for (int64_t i = 0; i < times; ++i) sets[next++ % sets.size()].run();
  };
  // Windows so long that the clock, the launch of the first and the wait for the last do not count.
  constexpr int64_t kMostTimes = 5000;
  const double window = warm_up / 10;
  // Until the card has worked that long; how often `run` goes into a window then.
  const auto warm = [&](const auto& run) {
    int64_t times = 1;
    for (double total = seconds_of(run, 1), last = 0;; total += last) {
      last = seconds_of(run, times);
      times = std::max<int64_t>(1, std::min<int64_t>(kMostTimes, int64_t(window * double(times) / std::max(last, 1e-7))));
      if (total + last >= warm_up) return times;
    }
  };
  if (work.rival) warm(work.rival);  // first: where there is none, nothing else needs to run
  const int64_t times = warm(ours);
  BenchResult result;
  result.flops = work.flops;
  result.bytes = work.bytes;
  const auto rival = [&] {
    if (work.rival) result.rival.push_back(seconds_of(work.rival, times) / double(times));
  };
  for (int64_t r = 0; r < repeats; ++r) {
    // Each of the two begins every other round.
    if (r % 2 == 1) rival();
    result.seconds.push_back(seconds_of(ours, times) / double(times));
    if (r % 2 == 0) rival();
  }
  return result;
}

}  // namespace exitrl::device
