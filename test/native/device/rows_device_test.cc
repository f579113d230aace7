// Row-wise ops on the device against the CPU's: embedding, rmsnorm, q/k norm with rotation and pages, gathers and sums.
#include "device/batch_plan.h"
#include "device_check.h"
#include "ops/embedding/embedding.h"
#include "ops/rmsnorm/rmsnorm.h"
#include "ops/rope/rope.h"

using namespace exitrl;
using namespace check;

namespace {

constexpr Precision kBoth[] = {Precision::f32, Precision::bf16};

std::vector<int32_t> random_tokens(int64_t n, int32_t below, uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<int32_t> out;
  for (int64_t i = 0; i < n; ++i) out.push_back(int32_t(generator() % uint32_t(below)));
  return out;
}

void append(Floats& to, const Floats& from) { to.insert(to.end(), from.begin(), from.end()); }
std::vector<double> doubles(const Floats& x) { return {x.begin(), x.end()}; }
std::string what(const char* op, Precision p, int64_t T, int64_t C) {
  return std::string(op) + " " + name(p) + " T=" + std::to_string(T) + " C=" + std::to_string(C);
}

}  // namespace

TEST(device_embedding_agrees_with_the_cpu) {
  Pool pool(1);
  for (const Precision p : kBoth)
    for (const auto& [T, C, V] : {std::tuple<int64_t, int64_t, int32_t>{1, 1, 3}, {200, 24, 5}, {70, 13, 1}, {90, 520, 40}}) {
      const auto tokens = random_tokens(T, V, 1);
      const Floats w = rounded(p, random_floats(V * C, 2)), dy = rounded(p, random_floats(T * C, 3)), dw0 = random_floats(V * C, 4);
      Floats y(size_t(T * C)), dw = dw0;
      embedding_forward(pool, {tokens.data(), w.data(), y.data(), T, C, 1.5f});
      embedding_backward(pool, {tokens.data(), dy.data(), dw.data(), T, C, 1.5f});
      MicroBatch micro;
      micro.tokens = tokens;
      const device::BatchPlan plan = device::plan_batch(micro);
      const Floats got = in_both_orders([&] {
        Numbers weights(p, w), out(p, T * C), d(p, dy), gradient(Precision::f32, dw0),
            partials(Precision::f32, device::embedding_partials(T, C));
        cuda::embedding_forward(device_context(), {tokens.data(), weights.data(), out.data(), T, C, 1.5f, p});
        cuda::embedding_backward(
            device_context(), {plan.token_order.data(), plan.token_starts.data(), plan.token_ids.data(), plan.long_starts.data(), d.data(),
                               static_cast<float*>(gradient.data()), static_cast<float*>(partials.data()), int64_t(plan.token_ids.size()),
                               int64_t(plan.long_starts.size()) - 1, plan.long_starts.back(), C, 1.5f, p});
        Floats all = out.floats();
        append(all, gradient.floats());
        return all;
      });
      agree(Floats(got.begin(), got.begin() + T * C), doubles(y), unit(p), 1e-7, what("embedding_forward", p, T, C));
      agree(Floats(got.begin() + T * C, got.end()), doubles(dw), 1e-5, 2e-5, what("embedding_backward", p, T, C));
    }
}

TEST(device_rmsnorm_agrees_with_the_cpu) {
  Pool pool(1);
  for (const Precision p : kBoth)
    for (const auto& [T, C] : {std::pair<int64_t, int64_t>{1, 1}, {3, 7}, {70, 24}, {5, 1024}, {33, 136}, {2, 8200}})
      for (const bool with_dw : {true, false}) {
        const Floats x = rounded(p, random_floats(T * C, 1)), w = rounded(p, random_floats(C, 2)), dy = rounded(p, random_floats(T * C, 3)),
                     addend = rounded(p, random_floats(T * C, 4)), dw0 = random_floats(C, 5);
        Floats y(size_t(T * C)), rstd(static_cast<size_t>(T)), dx(size_t(T * C)), dw = dw0;
        rmsnorm_forward(pool, {x.data(), w.data(), y.data(), rstd.data(), T, 1, C, C, C, 1e-5f, 1.0f});
        rmsnorm_backward(pool, {dy.data(), x.data(), w.data(), rstd.data(), addend.data(), dx.data(), with_dw ? dw.data() : nullptr, T, 1,
                                C, C, C, C, 1.0f});
        const Floats got = in_both_orders([&] {
          Numbers in(p, x), weights(p, w), out(p, T * C), d(p, dy), add(p, addend), gradient(Precision::f32, dw0), r(Precision::f32, T);
          Numbers partials(Precision::f32, device::rmsnorm_partials(T, C));
          auto* const rs = static_cast<float*>(r.data());
          cuda::rmsnorm_forward(device_context(), {in.data(), weights.data(), out.data(), rs, T, C, 1e-5f, 1.0f, p});
          // dx over dy, as the decoder does.
          cuda::rmsnorm_backward(device_context(), {d.data(), in.data(), weights.data(), rs, add.data(), d.data(),
                                                    with_dw ? static_cast<float*>(gradient.data()) : nullptr,
                                                    static_cast<float*>(partials.data()), T, C, 1.0f, p});
          Floats all = out.floats();
          append(all, r.floats());
          append(all, d.floats());
          append(all, gradient.floats());
          return all;
        });
        const auto part = [&](int64_t from, int64_t n) { return Floats(got.begin() + from, got.begin() + from + n); };
        agree(part(0, T * C), doubles(y), 2 * unit(p), 2e-6, what("rmsnorm_forward", p, T, C));
        agree(part(T * C, T), doubles(rstd), 2e-6, 0, what("rmsnorm rstd", p, T, C));
        agree(part(T * C + T, T * C), doubles(dx), 2 * unit(p), 3e-5, what("rmsnorm_backward", p, T, C));
        agree(part(2 * T * C + T, C), doubles(dw), 1e-5, 1e-4, what("rmsnorm dw", p, T, C));
      }
}

TEST(device_qk_rope_agrees_with_norms_and_rotations) {
  Pool pool(1);
  for (const Precision p : kBoth)
    for (const auto& [T, H, K, D, normed] : {std::tuple<int64_t, int64_t, int64_t, int64_t, bool>{1, 1, 1, 2, true},
                                             {70, 4, 2, 16, true},
                                             {5, 3, 1, 80, false},
                                             {9, 2, 2, 128, true},
                                             {3, 1, 1, 256, true},
                                             {17, 3, 2, 96, true},
                                             {18, 2, 1, 6, true}}) {
      const int64_t width = (H + 2 * K) * D, qk = (H + K) * D, page = K * 16 * D, pages = (T + 15) / 16 + 1;
      const Floats x = rounded(p, random_floats(T * width, 1)), wq = rounded(p, random_floats(D, 2)), wk = rounded(p, random_floats(D, 3));
      const Floats dy = rounded(p, random_floats(T * width, 4)), dwq0 = random_floats(D, 5), dwk0 = random_floats(D, 6);
      const auto positions = random_tokens(T, 128, 7);
      std::vector<int32_t> slots;
      for (int64_t t = 0; t < T; ++t) slots.push_back(t == 2 ? -1 : int32_t(pages * 16 - 1 - t));
      RopeConfig config;
      const RopeTable table = rope_table(config, D, 128);
      Floats y = x, raw(size_t(T * qk)), rstd(size_t(T * (H + K))), dx = dy, dwq = dwq0, dwk = dwk0;
      for (int64_t t = 0; t < T; ++t) std::copy_n(x.begin() + t * width, qk, raw.begin() + t * qk);
      if (normed) {
        rmsnorm_forward(pool, {raw.data(), wq.data(), y.data(), rstd.data(), T, H, D, qk, width, 1e-6f, 0});
        rmsnorm_forward(pool, {raw.data() + H * D, wk.data(), y.data() + H * D, rstd.data() + T * H, T, K, D, qk, width, 1e-6f, 0});
        y = rounded(p, y);
      }
      rope(pool, {y.data(), positions.data(), &table, T, H + K, D, width, RopeDirection::forward});
      rope(pool, {dx.data(), positions.data(), &table, T, H + K, D, width, RopeDirection::backward});
      if (normed) {
        rmsnorm_backward(pool,
                         {dx.data(), raw.data(), wq.data(), rstd.data(), nullptr, dx.data(), dwq.data(), T, H, D, width, qk, width, 0});
        rmsnorm_backward(pool, {dx.data() + H * D, raw.data() + H * D, wk.data(), rstd.data() + T * H, nullptr, dx.data() + H * D,
                                dwk.data(), T, K, D, width, qk, width, 0});
      }
      const Floats got = in_both_orders([&] {
        Numbers q(p, x), kept(p, T * qk), w1(p, wq), w2(p, wk), keys(p, pages * page), values(p, pages * page), d(p, dy);
        Numbers r(Precision::f32, T * (H + K)), g1(Precision::f32, dwq0), g2(Precision::f32, dwk0),
            partials(Precision::f32, device::qk_rope_partials(T, D));
        auto* const rs = static_cast<float*>(r.data());
        cuda::qk_rope_forward(device_context(),
                              {q.data(), normed ? kept.data() : nullptr, normed ? w1.data() : nullptr, normed ? w2.data() : nullptr,
                               normed ? rs : nullptr, positions.data(), table.cos.data(), table.sin.data(), slots.data(), keys.data(),
                               values.data(), page, T, H, K, D, 1e-6f, 0, p});
        cuda::qk_rope_backward(device_context(),
                               {d.data(), kept.data(), normed ? w1.data() : nullptr, normed ? w2.data() : nullptr, rs, positions.data(),
                                table.cos.data(), table.sin.data(), normed ? static_cast<float*>(g1.data()) : nullptr,
                                static_cast<float*>(g2.data()), static_cast<float*>(partials.data()), T, H, K, D, 0, p});
        // Appending again puts the same numbers there.
        std::vector<int32_t> rows{0}, again{slots[0] - (slots[0] % 16 > 0 ? 1 : 0)};
        Numbers more_keys(p, pages * page), more_values(p, pages * page);
        cuda::kv_append(device_context(), {q.data(), rows.data(), again.data(), more_keys.data(), more_values.data(), page, 1, H, K, D, p});
        for (int64_t h = 0; h < K; ++h)
          for (int64_t i = 0; i < D; ++i) {
            const int64_t from = slots[0] / 16 * page + (h * 16 + slots[0] % 16) * D + i,
                          to = again[0] / 16 * page + (h * 16 + again[0] % 16) * D + i;
            CHECK(more_keys[to] == keys[from] && more_values[to] == values[from]);
          }
        for (int64_t t = 0; t < T; ++t)
          for (int64_t h = 0; slots[size_t(t)] >= 0 && h < K; ++h)
            for (int64_t i = 0; i < D; ++i) {
              const int64_t at = slots[size_t(t)] / 16 * page + (h * 16 + slots[size_t(t)] % 16) * D + i;
              CHECK(keys[at] == q[t * width + (H + h) * D + i] && values[at] == x[size_t(t * width + (H + K + h) * D + i)]);
            }
        CHECK(std::isnan(keys[0]));  // the first slots are nobody's
        Floats all = q.floats();
        append(all, d.floats());
        append(all, g1.floats());
        append(all, g2.floats());
        return all;
      });
      const auto part = [&](int64_t from, int64_t n) { return Floats(got.begin() + from, got.begin() + from + n); };
      agree(part(0, T * width), doubles(y), 2 * unit(p), p == Precision::bf16 ? 0.02 : 3e-6, what("qk_rope_forward", p, T, D));
      agree(part(T * width, T * width), doubles(dx), 2 * unit(p), p == Precision::bf16 ? 0.02 : 2e-5, what("qk_rope_backward", p, T, D));
      agree(part(2 * T * width, D), doubles(dwq), 1e-5, p == Precision::bf16 ? 0.05 : 1e-4, what("qk_rope dq_norm", p, T, D));
      agree(part(2 * T * width + D, D), doubles(dwk), 1e-5, p == Precision::bf16 ? 0.05 : 1e-4, what("qk_rope dk_norm", p, T, D));
    }
}

TEST(device_qk_rope_leaves_values_alone_without_pages) {
  const int64_t T = 3, H = 2, K = 1, D = 32, width = (H + 2 * K) * D;
  const std::vector<int32_t> positions{5, 0, 9}, slots{0, 1, 2};
  const RopeTable table = rope_table({}, D, 16);
  for (const Precision p : kBoth) {
    const Floats x = random_floats(T * width, 1), w = random_floats(D, 2);
    in_both_orders([&] {
      Numbers with(p, x), without(p, x), norm(p, w), keys(p, K * 16 * D), values(p, K * 16 * D);
      const auto run = [&](Numbers& q, const int32_t* to) {
        cuda::qk_rope_forward(device_context(),
                              {q.data(), nullptr, norm.data(), norm.data(), nullptr, positions.data(), table.cos.data(), table.sin.data(),
                               to, to ? keys.data() : nullptr, to ? values.data() : nullptr, K * 16 * D, T, H, K, D, 1e-6f, 1.0f, p});
      };
      run(with, slots.data());
      run(without, nullptr);
      CHECK(same_bits(with.floats(), without.floats()));
      const Numbers before(p, x);
      for (int64_t t = 0; t < T; ++t)
        for (int64_t i = (H + K) * D; i < width; ++i) CHECK(without[t * width + i] == before[t * width + i]);
      return without.floats();
    });
  }
  Numbers q(Precision::f32, 4 * 258);
  CHECK_THROWS(
      cuda::qk_rope_forward(device_context(), {q.data(), nullptr, nullptr, nullptr, nullptr, positions.data(), table.cos.data(),
                                               table.sin.data(), nullptr, nullptr, nullptr, 0, 1, 2, 1, 258, 1e-6f, 0, Precision::f32}),
      "rotary heads of width 258");
}

TEST(device_pools_long_answers_in_one_chain) {
  const int64_t C = 40, T = 90;
  std::vector<int32_t> rows, slots;
  for (const auto& [slot, count] : {std::pair<int32_t, int>{-1, 3}, {0, 70}, {2, 1}, {3, 32}, {4, 9}})
    for (int i = 0; i < count; ++i) {
      rows.push_back(int32_t((rows.size() * 7) % size_t(T)));
      slots.push_back(slot);
    }
  for (const Precision p : kBoth) {
    // Numbers of very different size: another order gives other sums.
    Floats x = random_floats(T * C, 1);
    for (size_t i = 0; i < x.size(); ++i) x[i] = std::ldexp(x[i], int(i * 37 % 121) - 60);
    x = rounded(p, x);
    std::vector<double> want(size_t(5 * C), 0.5);
    for (size_t i = 0; i < rows.size(); ++i)
      for (int64_t c = 0; slots[i] >= 0 && c < C; ++c) want[size_t(slots[i] * C + c)] += double(x[size_t(rows[i] * C + c)]);
    in_both_orders([&] {
      Numbers hidden(p, x);
      std::vector<double> sums(size_t(5 * C), 0.5);
      cuda::pool_rows(device_context(), {hidden.data(), rows.data(), slots.data(), sums.data(), int64_t(rows.size()), C, p});
      CHECK(sums == want);
      return Floats(sums.begin(), sums.end());
    });
  }
}

TEST(device_rows_are_gathered_scattered_pooled_and_pages_copied) {
  for (const Precision p : kBoth)
    for (const int64_t C : {1, 24, 300}) {
      const int64_t T = 6;
      const Floats x = rounded(p, random_floats(T * C, 1));
      const std::vector<int32_t> index{4, 0, 4, 5}, starts{0, 2, 2, 3, 4, 4, 4}, parts{1, 3, 0, 2}, pool_rows{0, 1, 2, 5},
          pool_slots{1, 1, 3, 3};
      in_both_orders([&] {
        Numbers from(p, x), to(p, 4 * C), scattered(p, T * C);
        std::vector<double> sums(size_t(4 * C), 1.0);
        cuda::gather_rows(device_context(), {from.data(), index.data(), to.data(), 4, C, p});
        cuda::scatter_rows(device_context(), {from.data(), starts.data(), parts.data(), scattered.data(), T, C, p});
        cuda::pool_rows(device_context(), {from.data(), pool_rows.data(), pool_slots.data(), sums.data(), 4, C, p});
        for (int64_t c = 0; c < C; ++c) {
          const auto at = [&](int64_t t) { return x[size_t(t * C + c)]; };
          for (int64_t i = 0; i < 4; ++i) CHECK(to[i * C + c] == at(index[size_t(i)]));
          CHECK_NEAR(scattered[c], at(1) + at(3), 2 * unit(p));
          CHECK(scattered[C + c] == 0 && scattered[2 * C + c] == at(0) && scattered[3 * C + c] == at(2) && scattered[5 * C + c] == 0);
          CHECK(sums[size_t(c)] == 1.0 && sums[size_t(C + c)] == 1.0 + double(at(0)) + double(at(1)) &&
                sums[size_t(3 * C + c)] == 1.0 + double(at(2)) + double(at(5)));
        }
        return scattered.floats();
      });
      const int64_t L = 2, pages = 4, page = 2 * 16 * C;
      const Floats content = rounded(p, random_floats(L * pages * page, 2));
      Numbers keys(p, content), values(p, content);
      const std::vector<int32_t> source{0, 3}, target{2, 1};
      cuda::page_copy(device_context(), {source.data(), target.data(), keys.data(), values.data(), page, pages * page, 2, L, p});
      for (int64_t l = 0; l < L; ++l)
        for (int64_t i = 0; i < page; ++i) {
          const auto was = [&](int64_t n) { return content[size_t((l * pages + n) * page + i)]; };
          for (Numbers* s : {&keys, &values})
            CHECK((*s)[(l * pages + 2) * page + i] == was(0) && (*s)[(l * pages + 1) * page + i] == was(3) &&
                  (*s)[l * pages * page + i] == was(0));
        }
    }
}
