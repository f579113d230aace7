#include "ops/matmul/amx.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "core/bf16.h"
#include "core/legend.h"
#include "core/status.h"

#if defined(__x86_64__) && defined(__linux__)
#define EXITRL_HAS_AMX 1
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

// The emulation.
namespace exitrl::amx_emulated {
namespace {

struct Tiles {
  float values[8][16][16];  // or rows of 32 bfloat16
};
thread_local Tiles tiles_now;

void tile_load(int i, const void* from) { std::memcpy(tiles_now.values[i], from, sizeof tiles_now.values[i]); }
void tile_store(int i, void* to) { std::memcpy(to, tiles_now.values[i], sizeof tiles_now.values[i]); }

// Denormal numbers count as zero, in factors and results, as the instruction has it.
float flushed(float x) { return std::fabs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x; }

void tile_product(int c, int a, int b) {
  uint16_t left[16][32], right[16][16][2];
  std::memcpy(left, tiles_now.values[a], sizeof left);
  std::memcpy(right, tiles_now.values[b], sizeof right);
  for (int m = 0; m < 16; ++m)
    for (int n = 0; n < 16; ++n) {
      float sum[2] = {0, 0};
      for (int k = 0; k < 16; ++k)
        for (int j = 0; j < 2; ++j) sum[j] = flushed(std::fma(flushed(from_bf16(left[m][2 * k + j])), flushed(from_bf16(right[k][n][j])), sum[j]));
      float& to = tiles_now.values[c][m][n];
      to = flushed(flushed(to) + flushed(sum[0] + sum[1]));
    }
}

}  // namespace
}  // namespace exitrl::amx_emulated

#define EXITRL_AMX amx_emulated
#define EXITRL_AMX_TARGET
#define TILE_CONFIGURE() (void)0
#define TILE_RELEASE() (void)0
#define TILE_ZERO(i) std::memset(tiles_now.values[i], 0, sizeof tiles_now.values[i])
#define TILE_LOAD(i, from) tile_load(i, from)
#define TILE_STORE(i, to) tile_store(i, to)
#define TILE_PRODUCT(c, a, b) tile_product(c, a, b)
#include "ops/matmul/amx.inl"
#undef EXITRL_AMX
#undef EXITRL_AMX_TARGET
#undef TILE_CONFIGURE
#undef TILE_RELEASE
#undef TILE_ZERO
#undef TILE_LOAD
#undef TILE_STORE
#undef TILE_PRODUCT

#if defined(EXITRL_HAS_AMX)
namespace exitrl::amx {
namespace {

struct alignas(64) Configuration {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};
static_assert(sizeof(Configuration) == 64);

const Configuration kConfiguration = [] {
  Configuration c;
  for (int i = 0; i < 8; ++i) c.row_bytes[i] = 64, c.rows[i] = 16;
  return c;
}();

}  // namespace
}  // namespace exitrl::amx

#define EXITRL_AMX amx
#define EXITRL_AMX_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,amx-tile,amx-bf16")))
#define TILE_CONFIGURE() _tile_loadconfig(&kConfiguration)
#define TILE_RELEASE() _tile_release()
#define TILE_ZERO(i) _tile_zero(i)
#define TILE_LOAD(i, from) _tile_loadd(i, from, 64)
#define TILE_STORE(i, to) _tile_stored(i, to, 64)
#define TILE_PRODUCT(c, a, b) _tile_dpbf16ps(c, a, b)
#include "ops/matmul/amx.inl"
#endif

namespace exitrl {
namespace {

#if defined(EXITRL_HAS_AMX)
// The processor's flags (leaf 7), and the system's leave to use the tiles' registers (Linux asks for it per process).
bool has_amx() {
  uint32_t eax = 7, ebx = 0, ecx = 0, edx = 0;
  __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
  constexpr uint32_t kBf16 = 1u << 22, kTile = 1u << 24;
  if (!(edx & kBf16) || !(edx & kTile) || !__builtin_cpu_supports("avx512bw")) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

// Against the emulation, bit for bit, with rows, columns and depth that fill no tile.
bool amx_agrees() {
  constexpr int64_t R = 37, C = 45, K = 71;
  std::vector<float> a(R * K), b(K * C), got(R * C), want(R * C);
  for (size_t i = 0; i < a.size(); ++i) a[i] = float(int(i * 7919 % 2003) - 1001) / 512.0f;
  for (size_t i = 0; i < b.size(); ++i) b[i] = float(int(i * 104729 % 1999) - 999) / 256.0f;
  Product g{};
  g.a = a.data(), g.b = b.data();
  g.lda = K, g.ldb = C, g.ldc = C, g.rows = R, g.cols = C, g.depth = K;
  Scratch scratch;
  g.c = got.data();
  amx::product_dx(g, scratch);
  g.c = want.data();
  amx_emulated::product_dx(g, scratch);
  return std::memcmp(got.data(), want.data(), got.size() * sizeof(float)) == 0;
}

bool amx_available() {
  static const bool available = has_amx() && amx_agrees();
  return available;
}
#else
bool amx_available() { return false; }
#endif

std::atomic<int> chosen{-1};

}  // namespace

const char* name(Bf16Unit unit) { return unit == Bf16Unit::amx ? "amx" : unit == Bf16Unit::emulated ? "emulated" : "vector"; }

Bf16Unit bf16_unit() {
  int value = chosen.load(std::memory_order_relaxed);
  if (value < 0) {
    value = int(amx_available() ? Bf16Unit::amx : Bf16Unit::vector);
    if (const char* forced = std::getenv("EXIT_RL_BF16"); forced && *forced)
      for (Bf16Unit unit : {Bf16Unit::vector, Bf16Unit::amx, Bf16Unit::emulated})
        if (std::string(forced) == name(unit) && (unit != Bf16Unit::amx || amx_available())) value = int(unit);
    chosen.store(value, std::memory_order_relaxed);
  }
  return Bf16Unit(value);
}

void force_bf16_unit(const std::string& wanted) {
  for (Bf16Unit unit : {Bf16Unit::vector, Bf16Unit::amx, Bf16Unit::emulated})
    if (wanted == name(unit) && (unit != Bf16Unit::amx || amx_available())) {
      chosen.store(int(unit), std::memory_order_relaxed);
      return;
    }
  fail(ErrorCode::invalid_argument, "bfloat16 unit \"" + wanted + "\" is not available here; choose vector" + (amx_available() ? ", amx" : "") + " or emulated");
}

}  // namespace exitrl

#if !defined(EXITRL_HAS_AMX)
namespace exitrl::amx {
void product_forward(const Product&, Scratch&) { fail(ErrorCode::internal, "this build has no AMX"); }
void product_dx(const Product&, Scratch&) { fail(ErrorCode::internal, "this build has no AMX"); }
void product_dw(const Product&, Scratch&) { fail(ErrorCode::internal, "this build has no AMX"); }
}  // namespace exitrl::amx
#endif
