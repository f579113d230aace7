// Every benchmark of a device op runs, and counts what its formula says.
#include "device/bench.h"

#include <chrono>
#include <set>

#include "device_check.h"

extern "C" const exitrl::device::Backend* exitrl_backend();

using namespace exitrl;

TEST(device_benchmarks_run) {
  device::Device device(*exitrl_backend(), 0);
  const auto run = [&](const char* op, const std::vector<int64_t>& shape) {
    for (const Precision p : {Precision::f32, Precision::bf16}) {
      const BenchResult result = device::run_bench(device, op, shape, p, 1, 0);
      CHECK(result.seconds.size() == 1 && result.seconds[0] > 0 && result.bytes > 0);
    }
    return device::run_bench(device, op, shape, Precision::bf16, 1, 0);
  };
  CHECK(run("copy", {4096}).bytes == 8192);
  for (const char* op : {"gemm_nt", "gemm_nn", "gemm_tn", "gemm_nt_fixed", "gemm_nn_fixed", "gemm_tn_fixed"})
    CHECK(run(op, {8, 16, 24}).flops == 2 * 8 * 16 * 24);
  CHECK(run("logits", {8, 16, 24}).bytes == 2 * (8 * 24 + 16 * 24) + 4 * 8 * 16);
  for (const char* op :
       {"rmsnorm_forward", "rmsnorm_backward", "glu_forward", "glu_backward", "head_rows", "head_gradient", "sample", "sample_top_p"})
    run(op, {5, 24});
  for (const char* op : {"qk_rope_forward", "qk_rope_backward"}) run(op, {7, 2, 1, 16});
  for (const char* op : {"embedding_forward", "embedding_backward"}) run(op, {40, 8, 5});
  for (const char* op : {"attention_forward", "attention_backward"}) CHECK(run(op, {2, 20, 2, 1, 16}).flops > 0);
  CHECK(run("attention_decode", {3, 70, 2, 1, 16}).bytes == 3 * 70 * 2 * 16 * 2);
  // Shared keys are counted once a group.
  CHECK(run("attention_decode_group", {2, 4, 64, 10, 2, 1, 16}).bytes == (2 * 64 + 8 * 10) * 2 * 16 * 2);
  CHECK(run("head", {6, 16, 40}).flops == 6.0 * 6 * 16 * 40);
#ifndef EXITRL_ON_CARD
  for (const char* op : {"gemm_nt_against_bare", "gemm_nn_against_bare", "gemm_tn_against_bare", "logits_against_bare"})
    CHECK_THROWS(run(op, {8, 16, 24}), "cuBLASLt: the emulated device has none");
#endif
  run("adamw", {3000});
  run("gradient_norm", {3000});
  CHECK_THROWS(device::run_bench(device, "gemm_nt_fixed_against_bare", {8, 8, 8}, Precision::bf16, 1), "no benchmark of an op");
  CHECK_THROWS(device::run_bench(device, "softmax", {1}, Precision::f32, 1), "no benchmark of an op \"softmax\"");
  CHECK_THROWS(device::run_bench(device, "copy", {1, 2}, Precision::f32, 1), "copy takes a shape of 1 sizes, got 2");
}

// With a stand-in for the library: as many products of each, in turns.
TEST(device_benchmarks_run_beside_a_rival) {
  static std::vector<int64_t> loops;
  static device::Gemm product;
  device::Backend backend = *exitrl_backend();
  backend.bare_gemm = [](device::Instance*, const device::Gemm* a, int64_t times, device::Status*) {
    product = *a;
    loops.push_back(times);
  };
  device::Device device(backend, 0);
  const BenchResult result = device::run_bench(device, "logits_against_bare", {4, 16, 8}, Precision::bf16, 3, 0);
  CHECK(result.seconds.size() == 3 && result.rival.size() == 3);
  CHECK(product.kind == device::GemmKind::nt && product.output == Precision::f32 && product.input == Precision::bf16);
  CHECK(product.M == 4 && product.N == 16 && product.K == 8 && !product.addend);
  // Twice to warm up and to choose, then one loop a round.
  CHECK(loops.size() == 5 && loops[2] > 0 && loops[2] == loops[3] && loops[3] == loops[4]);
}

// What no cache holds on a card: buffers take turns where an op is bound by memory, and only there.
TEST(device_benchmarks_take_turns_among_buffers) {
  static std::set<const void*> read;
  device::Backend backend = *exitrl_backend();
  backend.gemm = [](device::Instance*, const device::Gemm* a, device::Status*) { read.insert(a->b); };
  device::Device device(backend, 0);
  const auto buffers = [&](const std::vector<int64_t>& shape) {
    read.clear();
    device::run_bench(device, "gemm_nt", shape, Precision::bf16, 40, 0);
    return read.size();
  };
  const int64_t N = 2048, K = 8192;  // 34 MB of weights
  CHECK(buffers({1, N, K}) == 8);
  CHECK(buffers({2048, 2048, 2048}) == 1);
}

// The clock of a card rises while it works: windows come after a while of work, and are long enough to be measured.
TEST(device_benchmarks_warm_up_by_time) {
  static int64_t copies;
  device::Backend backend = *exitrl_backend();
  backend.copy = [](device::Instance*, void*, const void*, int64_t, device::Status*) {
    ++copies;
    const auto begin = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - begin < std::chrono::microseconds(100)) continue;
  };
  device::Device device(backend, 0);
  copies = 0;
  const BenchResult result = device::run_bench(device, "copy", {int64_t{1} << 27}, Precision::bf16, 2, 0.05);
  CHECK(result.seconds[0] >= 1e-4 && result.seconds[0] < 1e-3);
  CHECK(copies >= 100 && copies < 1000);
}
