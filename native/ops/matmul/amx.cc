#include "ops/matmul/amx.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <iterator>
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
        for (int j = 0; j < 2; ++j)
          sum[j] = flushed(std::fma(flushed(from_bf16(left[m][2 * k + j])), flushed(from_bf16(right[k][n][j])), sum[j]));
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

// Leaf 7, sub-leaf 1.
bool has_avx512_bf16() {
  uint32_t eax = 7, ebx = 0, ecx = 1, edx = 0;
  __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
  return (eax & 1u << 5) && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

// Largest distance of a product from the emulation's, with rows, columns and depth that fill no tile.
float distance_from_emulation(void (*product)(const Product&, Scratch&)) {
  constexpr int64_t R = 37, C = 45, K = 71;
  std::vector<float> a(R * K), b(K * C), got(R * C), want(R * C);
  for (size_t i = 0; i < a.size(); ++i) a[i] = float(int(i * 7919 % 2003) - 1001) / 512.0f;
  for (size_t i = 0; i < b.size(); ++i) b[i] = float(int(i * 104729 % 1999) - 999) / 256.0f;
  Product g{};
  g.a = a.data(), g.b = b.data();
  g.lda = K, g.ldb = C, g.ldc = C, g.rows = R, g.cols = C, g.depth = K;
  Scratch scratch;
  g.c = got.data();
  product(g, scratch);
  g.c = want.data();
  amx_emulated::product_dx(g, scratch);
  float largest = 0;
  for (size_t i = 0; i < got.size(); ++i) largest = std::max(largest, std::isfinite(got[i]) ? std::fabs(got[i] - want[i]) : 1e30f);
  return largest;
}

// AMX gives the bits of its emulation; AVX-512 BF16 sums in another order.
bool available(Bf16Unit unit) {
  static const bool amx = has_amx() && distance_from_emulation(amx::product_dx) == 0;
  static const bool avx512 = has_avx512_bf16() && distance_from_emulation(avx512_bf16::product_dx) < 1e-2f;
  return unit == Bf16Unit::amx ? amx : unit == Bf16Unit::avx512 ? avx512 : true;
}
#else
bool available(Bf16Unit unit) { return unit == Bf16Unit::vector || unit == Bf16Unit::emulated; }
#endif

constexpr Bf16Unit kUnits[] = {Bf16Unit::amx, Bf16Unit::avx512, Bf16Unit::vector, Bf16Unit::emulated};

std::atomic<int> chosen{-1};

}  // namespace

const char* name(Bf16Unit unit) {
  switch (unit) {
    case Bf16Unit::amx: return "amx";
    case Bf16Unit::avx512: return "avx512";
    case Bf16Unit::emulated: return "emulated";
    default: return "vector";
  }
}

Bf16Unit bf16_unit() {
  int value = chosen.load(std::memory_order_relaxed);
  if (value < 0) {
    const Bf16Unit* best = std::find_if(std::begin(kUnits), std::end(kUnits), available);  // vector always is
    if (const char* forced = std::getenv("EXIT_RL_BF16"); forced && *forced)
      for (const Bf16Unit& unit : kUnits)
        if (std::string(forced) == name(unit) && available(unit)) best = &unit;
    value = int(*best);
    chosen.store(value, std::memory_order_relaxed);
  }
  return Bf16Unit(value);
}

void force_bf16_unit(const std::string& wanted) {
  std::string known;
  for (Bf16Unit unit : kUnits) {
    if (!available(unit)) continue;
    if (wanted == name(unit)) {
      chosen.store(int(unit), std::memory_order_relaxed);
      return;
    }
    known += std::string(known.empty() ? "" : ", ") + name(unit);
  }
  fail(ErrorCode::invalid_argument, "bfloat16 unit \"" + wanted + "\" is not available here; choose one of " + known);
}

}  // namespace exitrl

#if !defined(EXITRL_HAS_AMX)
namespace exitrl::amx {
namespace {
void absent() { fail(ErrorCode::internal, "this build has no such instructions"); }  // never chosen
}  // namespace
void product_forward(const Product&, Scratch&) { absent(); }
void product_dx(const Product&, Scratch&) { absent(); }
void product_dw(const Product&, Scratch&) { absent(); }
}  // namespace exitrl::amx
#endif
