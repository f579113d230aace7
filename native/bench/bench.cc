#include "bench/bench.h"

#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <numeric>

#include "core/buffer.h"
#include "core/rng.h"
#include "core/status.h"
#include "ops/adamw/adamw.h"
#include "ops/attention/attention.h"
#include "ops/glu/glu.h"
#include "ops/head/head.h"
#include "ops/lora/lora.h"
#include "ops/matmul/matmul.h"
#include "ops/rmsnorm/rmsnorm.h"

#define EXITRL_KERNELS "bench/peak.inl"
#include "core/simd/foreach_isa.h"

namespace exitrl {
namespace {

Buffer<float> random_floats(int64_t n, uint64_t seed) {
  Buffer<float> out(n);
  for (int64_t i = 0; i < n; i += 4) {
    const auto r = philox(seed, 0, uint64_t(i));
    for (int64_t j = i; j < std::min(n, i + 4); ++j) out[j] = float(r[size_t(j - i)]) * 0x1p-32f - 0.5f;
  }
  return out;
}

BenchResult timed(int64_t repeats, double flops, double bytes, const std::function<void()>& body) {
  BenchResult out;
  out.flops = flops;
  out.bytes = bytes;
  body();  // first touch of memory, first packing
  for (int64_t r = 0; r < repeats; ++r) {
    const auto start = std::chrono::steady_clock::now();
    body();
    out.seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return out;
}

using Shape = std::vector<int64_t>;
using Case = std::function<BenchResult(Pool&, const Shape&, int64_t)>;

BenchResult linear(Pool& pool, const Shape& s, int64_t repeats, char what, Precision precision = Precision::f32) {
  const int64_t T = s[0], N = s[1], K = s[2];
  auto x = random_floats(T * K, 1), w = random_floats(N * K, 2), y = random_floats(T * N, 3);
  const bool bf16 = precision == Precision::bf16;
  const double flops = 2.0 * double(T) * double(N) * double(K),
               bytes = 4.0 * (double(T) * double(K) + double(N) * double(K) + double(T) * double(N));
  if (what == 'f') {
    Buffer<float> packed(bf16 ? 0 : packed_weight_size(N, K));
    Buffer<uint16_t> halves(bf16 ? packed_bf16_size(N, K) : 0);
    if (bf16) pack_weight(pool, w.data(), N, K, halves.data());
    else pack_weight(pool, w.data(), N, K, packed.data());
    const PackedWeight weight = bf16 ? PackedWeight(halves.data()) : PackedWeight(packed.data());
    const double saved = bf16 ? 2.0 * double(N) * double(K) : 0;
    return timed(repeats, flops, bytes - saved, [&] { linear_forward(pool, {x.data(), weight, nullptr, nullptr, y.data(), T, N, K}); });
  }
  const LinearBackward dx{y.data(), nullptr, w.data(), nullptr, x.data(), nullptr, nullptr, T, N, K, precision};
  const LinearBackward dw{y.data(), x.data(), nullptr, nullptr, nullptr, w.data(), nullptr, T, N, K, precision};
  return timed(repeats, flops, bytes, [&] { linear_backward(pool, what == 'x' ? dx : dw); });
}

BenchResult lora(Pool& pool, const Shape& s, int64_t repeats, char what) {
  const int64_t T = s[0], N = s[1], K = s[2], R = s[3];
  auto x = random_floats(T * K, 1), y = random_floats(T * N, 2), a = random_floats(R * K, 3), b = random_floats(N * R, 4);
  Buffer<float> packed_a(packed_weight_size(R, K)), packed_b(packed_weight_size(N, R)), u(T * R), du(T * R), dx(T * K), da(R * K),
      db(N * R);
  pack_weight(pool, a.data(), R, K, packed_a.data());
  pack_weight(pool, b.data(), N, R, packed_b.data());
  const LoraTarget targets[] = {{0, N, b.data(), packed_b.data(), db.data()}};
  const double product = 2.0 * double(T) * double(R) * double(K + N), rows = 4.0 * double(T) * double(K + 2 * N);
  const LoraForward forward{x.data(), packed_a.data(), targets, u.data(), y.data(), T, K, R, N, 1.0f};
  if (what == 'f') return timed(repeats, product, rows, [&] { lora_forward(pool, forward); });
  return timed(repeats, 2 * product, 4.0 * double(T) * double(3 * K + 2 * N), [&] {
    lora_backward(pool, {y.data(), u.data(), a.data(), targets, du.data(), dx.data(), T, K, R, N, 1.0f});
    lora_backward_a(pool, {du.data(), x.data(), da.data(), T, K, R});
  });
}

BenchResult attention(Pool& pool, const Shape& s, int64_t repeats, char what) {
  const int64_t B = s[0], T = s[1], H = s[2], K = s[3], D = s[4], width = (H + 2 * K) * D;
  const int64_t pages_each = (T + kLanes - 1) / kLanes, rows = B * T;
  auto qkv = random_floats(rows * width, 1), o = random_floats(rows * H * D, 2), d_o = random_floats(rows * H * D, 3);
  Buffer<float> keys(B * pages_each * page_floats(K, D)), values(B * pages_each * page_floats(K, D)), lse(rows * H), dqkv(rows * width);
  std::vector<int32_t> pages(size_t(B * pages_each)), families(size_t(B + 1));
  std::iota(pages.begin(), pages.end(), 0);
  std::iota(families.begin(), families.end(), 0);
  std::vector<AttentionSpan> spans, last;
  for (int64_t b = 0; b < B; ++b) {
    spans.push_back({b * T, T, 0, pages.data() + b * pages_each});
    last.push_back({b, 1, T - 1, pages.data() + b * pages_each});
  }
  const float scale = 1.0f / std::sqrt(float(D));
  const double pairs = double(B) * double(T) * double(T + 1) / 2;
  kv_append(pool,
            {qkv.data() + H * D, qkv.data() + (H + K) * D, width, spans.data(), B, keys.data(), values.data(), page_floats(K, D), K, D});
  const AttentionForward full{qkv.data(), width, spans.data(), B, keys.data(), values.data(), page_floats(K, D), o.data(), lse.data(), H, K,
                              D,          0,     scale};
  const double row_bytes = 4.0 * double(rows) * double(width + H * D);
  if (what == 'f') return timed(repeats, 4 * pairs * double(H * D), row_bytes, [&] { attention_forward(pool, full); });
  if (what == 'd') {
    AttentionForward decode = full;
    decode.spans = last.data();
    return timed(repeats, 4.0 * double(B) * double(T) * double(H * D), 8.0 * double(rows) * double(K * D),
                 [&] { attention_forward(pool, decode); });
  }
  attention_forward(pool, full);
  const AttentionBackward back{qkv.data(), o.data(), d_o.data(), lse.data(), spans.data(), families.data(), B, dqkv.data(),
                               H,          K,        D,          0,          scale};
  return timed(repeats, 10 * pairs * double(H * D), 2 * row_bytes, [&] { attention_backward(pool, back); });
}

BenchResult rmsnorm(Pool& pool, const Shape& s, int64_t repeats, char what) {
  const int64_t T = s[0], C = s[1];
  auto x = random_floats(T * C, 1), w = random_floats(C, 2), dy = random_floats(T * C, 3);
  Buffer<float> y(T * C), rstd(T), dw(C);
  const RmsNormForward forward{x.data(), w.data(), y.data(), rstd.data(), T, 1, C, C, C, 1e-6f, 0};
  if (what == 'f') return timed(repeats, 4.0 * double(T * C), 8.0 * double(T * C), [&] { rmsnorm_forward(pool, forward); });
  rmsnorm_forward(pool, forward);
  const RmsNormBackward backward{dy.data(), x.data(), w.data(), rstd.data(), nullptr, y.data(), dw.data(), T, 1, C, C, C, C, 0};
  return timed(repeats, 8.0 * double(T * C), 12.0 * double(T * C), [&] { rmsnorm_backward(pool, backward); });
}

BenchResult glu(Pool& pool, const Shape& s, int64_t repeats, char what) {
  const int64_t T = s[0], F = s[1];
  auto gate_up = random_floats(T * 2 * F, 1), dy = random_floats(T * F, 2);
  Buffer<float> y(T * F), d(T * 2 * F);
  if (what == 'f')
    return timed(repeats, 5.0 * double(T * F), 12.0 * double(T * F), [&] {
      glu_forward(pool, {gate_up.data(), y.data(), T, F, Activation::silu});
    });
  return timed(repeats, 10.0 * double(T * F), 24.0 * double(T * F), [&] {
    glu_backward(pool, {dy.data(), gate_up.data(), d.data(), y.data(), T, F, Activation::silu});
  });
}

BenchResult head(Pool& pool, const Shape& s, int64_t repeats, char what) {
  const int64_t R = s[0], C = s[1], V = s[2];
  auto h = random_floats(R * C, 1), w = random_floats(V * C, 2);
  Buffer<float> packed(packed_weight_size(V, C)), logits(kHeadChunk * V), logprob(R), entropy(R), dlogprob(R), dh(R * C), dw(V * C);
  std::vector<int32_t> targets(static_cast<size_t>(R));
  for (int64_t r = 0; r < R; ++r) targets[size_t(r)] = int32_t(r * 7919 % V);
  pack_weight(pool, w.data(), V, C, packed.data());
  const double product = 2.0 * double(R) * double(C) * double(V);
  if (what == 'f')
    return timed(repeats, product, 4.0 * double(R * C + V * C), [&] {
      head_forward(pool, {h.data(), packed.data(), targets.data(), logprob.data(), entropy.data(), logits.data(), R, C, V, 1.0f});
    });
  HeadFused fused{h.data(),
                  packed.data(),
                  w.data(),
                  targets.data(),
                  logprob.data(),
                  entropy.data(),
                  dlogprob.data(),
                  nullptr,
                  dh.data(),
                  dw.data(),
                  logits.data(),
                  R,
                  C,
                  V,
                  1.0f,
                  {}};
  fused.coefficients = [&](int64_t begin, int64_t end) { for (int64_t r = begin; r < end; ++r) dlogprob[r] = -1.0f / float(R); };
  return timed(repeats, 3 * product, 8.0 * double(R * C + V * C), [&] { head_fused(pool, fused); });
}

const std::map<std::string, std::pair<size_t, Case>>& cases() {
  static const std::map<std::string, std::pair<size_t, Case>> table{
      {"peak", {0, [](Pool& pool, const Shape&, int64_t repeats) {
         constexpr int64_t kIterations = 20'000'000;
         std::vector<double> flops(static_cast<size_t>(pool.size()));
         std::vector<float> sink(static_cast<size_t>(pool.size()));
         BenchResult out = timed(repeats, 0, 0, [&] {
           pool.run([&](int t) { sink[size_t(t)] = EXITRL_DISPATCH(peak_loop)(kIterations, &flops[size_t(t)]); });
         });
         out.flops = std::accumulate(flops.begin(), flops.end(), 0.0);
         return out;
       }}},
      {"stream", {1, [](Pool& pool, const Shape& s, int64_t repeats) {
         auto from = random_floats(s[0], 1);
         Buffer<float> to(s[0]);
         return timed(repeats, 0, 8.0 * double(s[0]), [&] {
           pool.parallel_for(s[0], 4096,
                             [&](int64_t b, int64_t e, int) { std::memcpy(to.data() + b, from.data() + b, size_t(e - b) * 4); });
         });
       }}},
      {"fresh_memory", {1, [](Pool& pool, const Shape& s, int64_t repeats) {
         BenchResult out;
         out.bytes = 4.0 * double(s[0]);
         for (int64_t r = 0; r < repeats; ++r) {
           const auto start = std::chrono::steady_clock::now();
           Buffer<float> memory(s[0]);
           pool.parallel_for(s[0], 1 << 19, [&](int64_t b, int64_t e, int) { for (int64_t i = b; i < e; i += 1024) memory[i] = 1; });
           out.seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
         }
         return out;
       }}},
      {"linear_forward", {3, [](Pool& p, const Shape& s, int64_t r) { return linear(p, s, r, 'f'); }}},
      {"linear_dx", {3, [](Pool& p, const Shape& s, int64_t r) { return linear(p, s, r, 'x'); }}},
      {"linear_dw", {3, [](Pool& p, const Shape& s, int64_t r) { return linear(p, s, r, 'w'); }}},
      {"linear_forward_bf16", {3, [](Pool& p, const Shape& s, int64_t r) { return linear(p, s, r, 'f', Precision::bf16); }}},
      {"linear_dx_bf16", {3, [](Pool& p, const Shape& s, int64_t r) { return linear(p, s, r, 'x', Precision::bf16); }}},
      {"linear_dw_bf16", {3, [](Pool& p, const Shape& s, int64_t r) { return linear(p, s, r, 'w', Precision::bf16); }}},
      {"lora_forward", {4, [](Pool& p, const Shape& s, int64_t r) { return lora(p, s, r, 'f'); }}},
      {"lora_backward", {4, [](Pool& p, const Shape& s, int64_t r) { return lora(p, s, r, 'b'); }}},
      {"attention_forward", {5, [](Pool& p, const Shape& s, int64_t r) { return attention(p, s, r, 'f'); }}},
      {"attention_backward", {5, [](Pool& p, const Shape& s, int64_t r) { return attention(p, s, r, 'b'); }}},
      {"attention_decode", {5, [](Pool& p, const Shape& s, int64_t r) { return attention(p, s, r, 'd'); }}},
      {"rmsnorm_forward", {2, [](Pool& p, const Shape& s, int64_t r) { return rmsnorm(p, s, r, 'f'); }}},
      {"rmsnorm_backward", {2, [](Pool& p, const Shape& s, int64_t r) { return rmsnorm(p, s, r, 'b'); }}},
      {"glu_forward", {2, [](Pool& p, const Shape& s, int64_t r) { return glu(p, s, r, 'f'); }}},
      {"glu_backward", {2, [](Pool& p, const Shape& s, int64_t r) { return glu(p, s, r, 'b'); }}},
      {"head_forward", {3, [](Pool& p, const Shape& s, int64_t r) { return head(p, s, r, 'f'); }}},
      {"head_fused", {3, [](Pool& p, const Shape& s, int64_t r) { return head(p, s, r, 'b'); }}},
      {"adamw", {1, [](Pool& pool, const Shape& s, int64_t repeats) {
         auto p = random_floats(s[0], 1), g = random_floats(s[0], 2);
         Buffer<float> m(s[0]), v(s[0]);
         int64_t step = 0;
         return timed(repeats, 12.0 * double(s[0]), 28.0 * double(s[0]), [&] {
           adamw(pool, {p.data(), g.data(), m.data(), v.data(), s[0], ++step, 1e-4, 0.9, 0.95, 1e-8, 0.0, 1.0});
         });
       }}}};
  return table;
}

}  // namespace

BenchResult run_bench(Pool& pool, const std::string& op, const Shape& shape, int64_t repeats) {
  require(repeats >= 1, "bench: repeats must be at least 1");
  const auto found = cases().find(op);
  if (found == cases().end()) {
    std::string known;
    for (const auto& entry : cases()) known += (known.empty() ? "" : ", ") + entry.first;
    fail(ErrorCode::invalid_argument, "bench: no op named \"" + op + "\"; known: " + known);
  }
  require(shape.size() == found->second.first, "bench: " + op + " takes a shape of " + std::to_string(found->second.first) + " numbers");
  for (int64_t n : shape) require(n >= 1 && n <= int64_t{1} << 32, "bench: sizes must be at least 1");
  return found->second.second(pool, shape, repeats);
}

}  // namespace exitrl
