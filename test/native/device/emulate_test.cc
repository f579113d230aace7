// The emulation itself: barriers, shuffles, tensor cores, asynchronous copies, and that it sees mistakes.
#include "cuda/warpgroup.h"
#include "cuda/warpgroup_check.h"
#include "device_check.h"

using namespace exitrl;
using namespace exitrl::cuda;

namespace {

struct Row {
  float at[64];
};

}  // namespace

TEST(emulated_barriers_and_shuffles) {
  std::vector<float> out(128, 0);
  emulate::launch("sum", [&] {
    auto& s = shared<Row>();
    s.at[threadIdx.x] = float(threadIdx.x);
    __syncthreads();
    const float other = s.at[63 - threadIdx.x];
    out[blockIdx.x * 64 + threadIdx.x] = warp_sum(other) + __shfl_sync(0xffffffffu, float(threadIdx.x), 3);
  }, dim3(2), 64, sizeof(Row));
  for (int t = 0; t < 64; ++t) {
    const int other_warp = t < 32 ? 32 : 0;
    CHECK(out[size_t(t)] == float(31 * 16 + 32 * other_warp + (t < 32 ? 3 : 35)));
    CHECK(out[size_t(64 + t)] == out[size_t(t)]);
  }
}

TEST(emulated_mma_is_a_matrix_product) {
  const check::Floats a = check::rounded(Precision::bf16, check::random_floats(16 * 16, 1)),
                      b = check::rounded(Precision::bf16, check::random_floats(16 * 8, 2));
  alignas(16) static uint16_t rows_a[16 * 16], rows_b[16 * 16];  // b as (16, 8), and 8 more columns that nobody reads
  for (int i = 0; i < 256; ++i) rows_a[i] = to_bf16(a[size_t(i)]);
  for (int k = 0; k < 16; ++k)
    for (int n = 0; n < 16; ++n) rows_b[k * 16 + n] = to_bf16(n < 8 ? b[size_t(k * 8 + n)] : 99.0f);
  std::vector<float> out(128);
  emulate::launch("mma", [&] {
    const int lane = int(threadIdx.x), g = lane / 4, i = lane % 4;
    uint32_t fa[4], fb[4];
    ldmatrix_x4(fa, rows_a + (lane % 16) * 16 + lane / 16 * 8);
    ldmatrix_x4_transposed(fb, rows_b + (lane % 16) * 16 + lane / 16 * 8);
    float d[4] = {1, 1, 1, 1};
    mma_m16n8k16(d, fa, fb[0], fb[1]);
    for (int j = 0; j < 4; ++j) out[size_t((g + (j >= 2 ? 8 : 0)) * 8 + 2 * i + j % 2)] = d[j];
  }, dim3(1), 32, 0);
  for (int m = 0; m < 16; ++m)
    for (int n = 0; n < 8; ++n) {
      double sum = 1;
      for (int k = 0; k < 16; ++k) sum += double(a[size_t(m * 16 + k)]) * b[size_t(k * 8 + n)];
      CHECK_NEAR(out[size_t(m * 8 + n)], sum, 2e-6);
    }
}

TEST(emulated_copies_arrive_when_waited_for) {
  alignas(16) static float from[4] = {1, 2, 3, 4};
  std::vector<float> before(32), after(32), zeros(32);
  emulate::launch("copy", [&] {
    struct alignas(16) S { float at[32][4]; };
    auto& s = shared<S>();
    copy_async16(s.at[threadIdx.x], from);
    copy_commit();
    before[threadIdx.x] = s.at[threadIdx.x][2];
    copy_wait<0>();
    after[threadIdx.x] = s.at[threadIdx.x][2];
    copy_async16(s.at[threadIdx.x], nullptr, false);
    copy_commit();
    copy_wait<0>();
    zeros[threadIdx.x] = s.at[threadIdx.x][2];
  }, dim3(1), 32, 32 * 16);
  for (int t = 0; t < 32; ++t) {
    CHECK(std::isnan(before[size_t(t)]));
    CHECK(after[size_t(t)] == 3);
    CHECK(zeros[size_t(t)] == 0);
  }
}

TEST(emulation_sees_mistakes) {
  CHECK_THROWS(emulate::launch(
                   "split",
                   [] {
                     if (threadIdx.x < 7) __syncthreads();
                   },
                   dim3(1), 32, 0),
               "split: threads of a block wait at different places");
  CHECK_THROWS(emulate::launch("mixed", [] { if (threadIdx.x < 7) __syncthreads(); else __syncwarp(); }, dim3(1), 32, 0), "7: __syncwarp");
  CHECK_THROWS(emulate::launch(
                   "greedy", [] { shared<Row>().at[0] = 1; }, dim3(1), 32, 8),
               "greedy uses 256 bytes of shared memory, but asked for 8");
  CHECK_THROWS(emulate::launch("odd", [] {}, dim3(1), 48, 0), "blocks of 48 threads");
  const auto product = [](bool wait) {
    float d[4][4] = {};
    multiply_registers<32, Right::by_column>(d, {}, factor_of_rows(shared<Panels<64, 64>>(), 0, 0), false);
    products_commit();
    if (wait) products_wait<0>();
  };
  constexpr size_t kBytes = sizeof(Panels<64, 64>);
  CHECK_THROWS(emulate::launch(
                   "hasty", [&] { product(false); }, dim3(1), 128, kBytes),
               "hasty: thread 0 ended without waiting for its products");
  CHECK_THROWS(emulate::launch(
                   "lone",
                   [&] {
                     if (threadIdx.x < 64) product(true);
                   },
                   dim3(1), 128, kBytes),
               "lone: a product that not all four warps");
  CHECK_THROWS(emulate::launch("small", [&] { product(true); }, dim3(1), 64, kBytes), "small: a product that not all four warps");
  CHECK_THROWS(emulate::launch(
                   "outside", [&] { factor_at(nullptr, 16); }, dim3(1), 128, kBytes),
               "outside takes the shared address of what is not in shared memory");
  // After a failure the next launch is well.
  int ran = 0;
  emulate::launch("next", [&] { ++ran; }, dim3(3), 64, 0);
  CHECK(ran == 192);
}

TEST(emulated_warpgroups_pass_the_check_of_a_card) {
  Context context;
  WarpgroupCheck found{};
  check_warpgroup_products(context, &found);
  CHECK(found.wrong == 0);
  CHECK(found.different == 0);
  check::Numbers memory(Precision::f32, check::Floats(warpgroup_kernels_check_bytes() / sizeof(float) + 1, 0.0f));
  check_warpgroup_kernels(context, memory.data());
  std::memcpy(&found, memory.data(), sizeof found);
  CHECK(found.wrong == 0);
  CHECK(found.different == 0);
}
