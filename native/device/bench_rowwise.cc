#include <numeric>

#include "device/batch_plan.h"
#include "device/bench_work.h"

namespace exitrl::device {

Work rowwise(Bench& b, const std::string& op, const Shape& s) {
  Device& d = b.device();
  const Precision p = b.precision();
  const auto n = double(b.size());
  if (op == "rmsnorm_forward" || op == "rmsnorm_backward") {
    const int64_t T = s[0], C = s[1];
    void *const x = b.numbers(T * C), *const y = b.numbers(T * C), *const w = b.numbers(C);
    float* const rstd = b.floats(T);
    if (op == "rmsnorm_forward") return {[=, &d] { d.rmsnorm_forward({x, w, y, rstd, T, C, 1e-6f, 0, p}); }, 0, 2.0 * double(T * C) * n};
    void *const addend = b.numbers(T * C), *const dx = b.numbers(T * C);
    float *const dw = b.floats(C), *const partials = b.floats(rmsnorm_partials(T, C));
    return {[=, &d] { d.rmsnorm_backward({y, x, w, rstd, addend, dx, dw, partials, T, C, 0, p}); }, 0, 4.0 * double(T * C) * n};
  }
  if (op == "glu_forward" || op == "glu_backward") {
    const int64_t T = s[0], F = s[1];
    void *const gu = b.numbers(2 * T * F), *const y = b.numbers(T * F);
    if (op == "glu_forward") return {[=, &d] { d.glu_forward({gu, y, T, F, Activation::silu, p}); }, 0, 3.0 * double(T * F) * n};
    void *const dgu = b.numbers(2 * T * F), *const dy = b.numbers(T * F);
    return {[=, &d] { d.glu_backward({dy, gu, dgu, y, T, F, Activation::silu, p}); }, 0, 6.0 * double(T * F) * n};
  }
  if (op == "qk_rope_forward" || op == "qk_rope_backward") {
    const int64_t T = s[0], H = s[1], K = s[2], D = s[3], P = 4096;
    void *const qkv = b.numbers(T * (H + 2 * K) * D), *const raw = b.numbers(T * (H + K) * D), *const w = b.numbers(D);
    float *const rstd = b.floats(T * (H + K)), *const angles = b.floats(P * D);
    const int32_t* const positions = b.ints(T, P);
    if (op == "qk_rope_forward") {
      std::vector<int32_t> slots(static_cast<size_t>(T));
      std::iota(slots.begin(), slots.end(), 0);
      const int32_t* const at = b.array(slots);
      const int64_t page = K * 16 * D, pages = (T + 15) / 16;
      void *const keys = b.numbers(pages * page), *const values = b.numbers(pages * page);
      return {[=, &d] {
                d.qk_rope_forward(
                    {qkv, raw, w, w, rstd, positions, angles, angles + P * D / 2, at, keys, values, page, T, H, K, D, 1e-6f, 0, p});
              },
              0, double(T * D) * (3.0 * double(H + K) + 3.0 * double(K)) * n};
    }
    float *const dw = b.floats(2 * D), *const partials = b.floats(qk_rope_partials(T, D));
    return {[=, &d] {
              d.qk_rope_backward({qkv, raw, w, w, rstd, positions, angles, angles + P * D / 2, dw, dw + D, partials, T, H, K, D, 0, p});
            },
            0, 3.0 * double(T * D * (H + K)) * n};
  }
  if (op == "embedding_forward" || op == "embedding_backward") {
    const int64_t T = s[0], C = s[1], V = s[2];
    const auto tokens = b.random_ints(T, V);
    void* const y = b.numbers(T * C);
    if (op == "embedding_forward") {
      void* const w = b.numbers(V * C);
      const int32_t* const ids = b.array(tokens);
      return {[=, &d] { d.embedding_forward({ids, w, y, T, C, 1.0f, p}); }, 0, 2.0 * double(T * C) * n};
    }
    MicroBatch micro;
    micro.tokens = tokens;
    const BatchPlan plan = plan_batch(micro);
    float* const dw = b.floats(V * C);
    EmbeddingBackward a{};
    a.order = b.array(plan.token_order), a.starts = b.array(plan.token_starts), a.ids = b.array(plan.token_ids),
    a.long_starts = b.array(plan.long_starts);
    a.dy = y, a.dw = dw, a.partials = b.floats(std::max<int64_t>(1, embedding_partials(T, C)));
    a.P = int64_t(plan.token_ids.size()), a.M = int64_t(plan.long_starts.size()) - 1, a.long_pieces = plan.long_starts.back();
    a.C = C, a.scale = 1.0f, a.precision = p;
    const auto distinct = std::min(double(V), double(plan.token_ids.size()));
    return {[=, &d] { d.embedding_backward(a); }, 0, double(T * C) * n + 8.0 * distinct * double(C)};
  }
  if (op == "head_rows" || op == "head_gradient") {
    const int64_t R = s[0], V = s[1];
    float *const z = b.floats(R * V, 2.0f), *const rows = b.floats(5 * R, 0.1f);
    const int32_t* const targets = b.ints(R, V);
    if (op == "head_rows")
      return {[=, &d] { d.head_rows({z, targets, rows, rows + R, rows + 2 * R, rows + 3 * R, R, V, 1.0f}); }, 0, 4.0 * double(R * V)};
    return {[=, &d] {
              d.head_gradient({z, targets, rows + 2 * R, rows + 3 * R, rows + R, rows + 4 * R, nullptr, R, V, 1.0f, p});
            },
            0, double(R * V) * (4.0 + n)};
  }
  const int64_t count = s[0];
  if (op == "copy") {
    void *const from = b.bytes(count), *const to = b.bytes(count);
    return {[=, &d] { d.copy(to, from, count); }, 0, 2.0 * double(count)};
  }
  float* const grad = b.floats(count, 0.01f);
  auto* const partials = static_cast<double*>(b.bytes(norm_partials(count) * 8));
  auto* const norm = static_cast<double*>(b.bytes(16));
  if (op == "gradient_norm") return {[=, &d] { d.gradient_norm({grad, partials, norm, count, 1.0}); }, 0, 4.0 * double(count)};
  float *const master = b.floats(count), *const m = b.floats(count, 0.01f), *const v = b.floats(count, 0);
  void* const weights = p == Precision::bf16 ? b.numbers(count) : master;
  const auto* const ranges = b.array(std::vector<AdamWRange>{{0, count, 1}});
  const auto* const step = b.array(std::vector<AdamWStep>{{1e-4, 0.9, 0.95, 1e-8, 0.1, 0.1, 0.05}});
  const double* const clip = b.array(std::vector<double>{1.0});
  return {[=, &d] {
            d.adamw({master, weights, grad, m, v, ranges, step, clip, 1, count, p});
          },
          0, double(count) * (p == Precision::bf16 ? 34.0 : 32.0)};
}

}  // namespace exitrl::device
