#include "core/simd/isa.h"

#include <atomic>
#include <cstdlib>

#include "core/status.h"

#define EXITRL_KERNELS "core/simd/self_check.inl"
#include "core/simd/foreach_isa.h"

namespace exitrl::simd {
namespace {

bool supported(Isa isa) {
  switch (isa) {
    case Isa::portable: return true;
#if defined(__x86_64__)
    case Isa::avx2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Isa::avx512:
      return supported(Isa::avx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
#elif defined(__aarch64__)
    case Isa::neon: return true;
#endif
    default: return false;
  }
}

std::atomic<int> chosen{-1};

Isa choose() {
  if (const char* forced = std::getenv("EXIT_RL_SIMD"); forced && *forced) {
    for (Isa isa : available())
      if (std::string(forced) == name(isa)) return isa;
  }
  for (Isa isa : available())
    if (self_check(isa).empty()) return isa;
  return Isa::portable;
}

}  // namespace

const char* name(Isa isa) {
  switch (isa) {
    case Isa::avx512: return "avx512";
    case Isa::avx2: return "avx2";
    case Isa::neon: return "neon";
    default: return "portable";
  }
}

std::vector<Isa> available() {
  std::vector<Isa> found;
  for (Isa isa : {Isa::avx512, Isa::avx2, Isa::neon, Isa::portable})
    if (supported(isa)) found.push_back(isa);
  return found;
}

Isa isa() {
  int value = chosen.load(std::memory_order_relaxed);
  if (value < 0) {
    value = int(choose());
    chosen.store(value, std::memory_order_relaxed);
  }
  return Isa(value);
}

void force(const std::string& wanted) {
  std::string known;
  for (Isa isa : available()) {
    if (wanted == name(isa)) {
      chosen.store(int(isa), std::memory_order_relaxed);
      return;
    }
    known += std::string(known.empty() ? "" : ", ") + name(isa);
  }
  fail(ErrorCode::invalid_argument, "instruction set \"" + wanted + "\" is not available here; choose one of " + known);
}

std::string self_check(Isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case Isa::avx2: return avx2::simd_self_check();
    case Isa::avx512: return avx512::simd_self_check();
#elif defined(__aarch64__)
    case Isa::neon: return neon::simd_self_check();
#endif
    default: return portable::simd_self_check();
  }
}

}  // namespace exitrl::simd
