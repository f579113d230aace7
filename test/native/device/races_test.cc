// The search for races finds the ones that a card has, names them, and leaves correct kernels alone. Each kernel comes without
// what orders it, and with it.
#include <functional>
#include <string>
#include <vector>

#include "../check.h"
#include "cuda/warpgroup.h"

using namespace exitrl;
using namespace exitrl::cuda;

namespace {

constexpr int kThreads = 64;

struct Board {
  alignas(16) float at[kThreads][4];
};

// What the search says of a launch of two warps; empty: nothing.
std::string said(const std::function<void()>& kernel, int blocks = 1, int threads = kThreads) {
  const size_t bytes = threads == kThreads ? sizeof(Board) : sizeof(Panels<64, 64>);
  return check::thrown([&] { emulate::launch("kernel", kernel, dim3(blocks), threads, bytes); });
}
bool has(const std::string& message, const std::string& part) {
  if (message.find(part) != std::string::npos) return true;
  check::failed(__FILE__, __LINE__, "\"" + message + "\" does not say: " + part);
  return false;
}
// In both orders of blocks and lanes.
void expect(const std::function<void()>& kernel, const std::string& part, int blocks = 1, int threads = kThreads) {
  for (const auto order : {emulate::Order::reversed, emulate::Order::forward}) {
    emulate::order(order);
    const std::string message = said(kernel, blocks, threads);
    if (part.empty()) CHECK(message == "");
    else CHECK(has(message, "kernel: race: thread ") && has(message, "races_test.cc:") && has(message, part));
  }
}

alignas(16) float source[4] = {1, 2, 3, 4};
std::vector<float> out(size_t{4} * kThreads);

}  // namespace

// A kernel that a card could not run at all: it has no way to the stack of the host's thread.
TEST(memory_that_a_card_does_not_have) {
  float local = 0;
  float* const p = &local;
  const auto message = [](const auto& kernel, bool own_memory) {
    return check::thrown([&] { emulate::launch("kernel", kernel, dim3(1), kThreads, 0, own_memory); });
  };
  const auto write = [p] { if (threadIdx.x == 3) *p = 1; };
  CHECK(has(message(write, false), "kernel: thread 3 of block 0 writes the stack of the host's thread"));
  CHECK(has(message([p] { if (*p > 2) out[0] = 1; }, false), "reads the stack of the host's thread, which a card cannot reach (races_test.cc:"));
  float* const heap = out.data();
  const auto fill = [heap] { heap[threadIdx.x] = 1; };
  CHECK(message(fill, false) == "");
  CHECK(has(message(fill, true), "kernel: thread "));
  CHECK(has(message(fill, true), "writes memory that is not the device's (races_test.cc:"));
  emulate::watcher->memory_begins(heap, sizeof(float) * kThreads);
  CHECK(message(fill, true) == "");
  CHECK(has(message([heap] { heap[threadIdx.x + 1] = 1; }, true), "thread 63 of block 0 writes memory that is not the device's"));
  emulate::watcher->memory_ends(heap);
}

TEST(race_between_warps_without_a_block_barrier) {
  const auto kernel = [](auto between) {
    return [=] {
      auto& s = shared<Board>();
      s.at[threadIdx.x][0] = 1;
      between();
      out[threadIdx.x] = s.at[63 - threadIdx.x][0];
    };
  };
  expect(kernel([] {}), "there is no __syncthreads between");
  expect(kernel([] {}), "shared memory + ");
  expect(kernel([] { __syncwarp(); }), "there is no __syncthreads between");
  expect(kernel([] { __syncthreads(); }), "");
}

TEST(race_within_a_warp_though_a_shuffle_lies_between) {
  const auto kernel = [](auto between) {
    return [=] {
      auto& s = shared<Board>();
      s.at[threadIdx.x][0] = 1;
      out[threadIdx.x] = __shfl_xor_sync(0xffffffffu, 1.0f, 1);
      between();
      out[threadIdx.x] += s.at[threadIdx.x ^ 1][0];
    };
  };
  expect(kernel([] {}), "there is no __syncwarp or __syncthreads between");
  expect(kernel([] { __syncwarp(); }), "");
}

TEST(race_between_blocks) {
  const auto kernel = [](auto place) { return [=] { if (threadIdx.x == 0) out[place()] = float(blockIdx.x); }; };
  expect(kernel([] { return 0; }), "global memory", 3);
  expect(kernel([] { return 0; }), "blocks are not ordered", 3);
  expect(kernel([] { return blockIdx.x; }), "", 3);
  // A barrier orders nothing between blocks; the next launch is ordered behind this one.
  expect([] {
    if (threadIdx.x == 0) out[blockIdx.x] = 1;
    __syncthreads();
    out[8 + threadIdx.x] = out[0];
  }, "blocks are not ordered", 2);
}

TEST(race_of_a_write_with_an_earlier_read) {
  const auto kernel = [](auto between) {
    return [=] {
      auto& s = shared<Board>();
      s.at[threadIdx.x][0] = 1;
      __syncthreads();
      const float x = s.at[63 - threadIdx.x][0];
      between();
      s.at[threadIdx.x][0] = x + 1;
    };
  };
  expect(kernel([] {}), "there is no __syncthreads between");
  expect(kernel([] { __syncthreads(); }), "");
}

TEST(race_of_a_write_with_any_of_several_readers) {
  // All lanes of both warps read the word; whoever writes it then races with someone else.
  for (unsigned writer : {0u, 31u, 32u, 63u})
    for (bool own_warp : {false, true}) {
      const auto kernel = [=](auto between) {
        return [=] {
          auto& s = shared<Board>();
          if (threadIdx.x == 0) s.at[0][0] = 1;
          __syncthreads();
          if (!own_warp || threadIdx.x / 32 == writer / 32) out[threadIdx.x] = s.at[0][0];
          between();
          if (threadIdx.x == writer) s.at[0][0] = 2;
        };
      };
      expect(kernel([] {}), "race");
      expect(kernel([] { __syncthreads(); }), "");
      expect(kernel([] { __syncwarp(); }), own_warp ? "" : "there is no __syncthreads between");
    }
}

TEST(race_of_an_asynchronous_copy_with_readers_of_its_target) {
  const auto kernel = [](auto between) {
    return [=] {
      auto& s = shared<Board>();
      s.at[threadIdx.x][0] = 1;
      __syncthreads();
      out[threadIdx.x] = s.at[63 - threadIdx.x][0];
      between();
      copy_async16(s.at[threadIdx.x], source);
      copy_commit();
      copy_wait<0>();
    };
  };
  expect(kernel([] {}), "asynchronously into");
  expect(kernel([] { __syncthreads(); }), "");
}

TEST(race_of_an_asynchronous_copy_that_only_its_thread_waited_for) {
  const auto kernel = [](auto before, auto after, int from) {
    return [=] {
      auto& s = shared<Board>();
      copy_async16(s.at[threadIdx.x], source);
      copy_commit();
      before();
      copy_wait<0>();
      after();
      out[threadIdx.x] = s.at[threadIdx.x ^ unsigned(from)][1];
    };
  };
  const auto nothing = [] {};
  const auto barrier = [] { __syncthreads(); };
  expect(kernel(nothing, nothing, 32), "there is no __syncthreads between");
  expect(kernel(barrier, nothing, 32), "race");
  expect(kernel(nothing, nothing, 1), "there is no __syncwarp or __syncthreads between");
  expect(kernel(nothing, barrier, 32), "");
  expect(kernel(nothing, nothing, 0), "");
  // Not waited for at all, though a barrier lies before and behind the read.
  expect([] {
    auto& s = shared<Board>();
    copy_async16(s.at[threadIdx.x], source);
    copy_commit();
    __syncthreads();
    out[threadIdx.x] = s.at[threadIdx.x ^ 32][1];
    __syncthreads();
    copy_wait<0>();
  }, "the asynchronous copy was not waited for");
}

TEST(race_of_ldmatrix_with_a_write) {
  const auto kernel = [](auto between, bool transposed) {
    return [=] {
      auto& s = shared<Board>();
      store(s.at[threadIdx.x], Vec<float, 4>{});
      between();
      uint32_t r[4];
      if (transposed) ldmatrix_x4_transposed(r, s.at[threadIdx.x ^ 32]);
      else ldmatrix_x4(r, s.at[threadIdx.x ^ 32]);
      out[threadIdx.x] = float(r[0] + r[1] + r[2] + r[3]);
    };
  };
  for (bool transposed : {false, true}) {
    expect(kernel([] {}, transposed), "there is no __syncthreads between");
    expect(kernel([] { __syncthreads(); }, transposed), "");
  }
}

// wgmma reads its factors at any time between being given and being waited for.
TEST(race_of_a_product_of_a_warpgroup_with_writes) {
  const auto kernel = [](auto before, auto waited, auto after) {
    return [=] {
      auto& x = shared<Panels<64, 64>>();
      const auto fill = [&] {
        for (int i = int(threadIdx.x) % 64; i < 64 * 64; i += 64) x.piece(i / 64, i % 64 / 8 * 8)[i % 8] = from_float<bf16>(1.0f);
      };
      if (threadIdx.x < 64) fill();
      before();
      float d[4][4];
      products_begin();
      multiply_shared<32, Left::by_row, Right::by_column>(d, factor_of_rows(x, 0, 0), factor_of_rows(x, 0, 0), false);
      products_commit();
      waited();
      after();
      if (threadIdx.x >= 64) fill();
      products_wait<0>();
    };
  };
  const auto barrier = [] { __syncthreads(); };
  const auto wait = [] { products_wait<0>(); };
  const auto nothing = [] {};
  expect(kernel(nothing, wait, barrier), "__syncthreads between", 1, kWarpgroup);
  expect(kernel(barrier, nothing, barrier), "__syncthreads between", 1, kWarpgroup);
  expect(kernel(barrier, wait, nothing), "__syncthreads between", 1, kWarpgroup);
  expect(kernel(barrier, wait, barrier), "", 1, kWarpgroup);
}

TEST(race_of_an_atomic_operation_with_a_plain_one) {
  const auto kernel = [](auto between) {
    return [=] {
      auto& s = shared<Board>();
      auto* const count = reinterpret_cast<unsigned*>(&s.at[0][0]);
      if (threadIdx.x == 0) *count = 0;
      __syncthreads();
      atomicAdd(count, 1u);
      between();
      if (threadIdx.x == 63) out[0] = float(*count);
    };
  };
  expect(kernel([] {}), "atomically");
  expect(kernel([] { __syncwarp(); }), "atomically");
  expect(kernel([] { __syncthreads(); }), "");
}

TEST(race_free_neighbours) {
  // Two bf16 numbers of one word, of two threads.
  expect([] {
    auto* const numbers = reinterpret_cast<bf16*>(&shared<Board>());
    numbers[threadIdx.x] = from_float<bf16>(1);
    __syncthreads();
    out[threadIdx.x] = to_float(numbers[63 - threadIdx.x]);
  }, "");
  // Shared memory of blocks, which lies at the same place here.
  expect([] { shared<Board>().at[threadIdx.x][0] = 1; }, "", 3);
}
