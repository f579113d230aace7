// Instruction sets. Kernels are written once over F16 (sixteen float lanes) and compiled once per instruction set
// (foreach_isa.h); isa() says which copy runs. EXIT_RL_SIMD=avx512|avx2|neon|portable forces one.
#pragma once
#include <string>
#include <vector>

namespace exitrl::simd {

enum class Isa { portable, neon, avx2, avx512 };

const char* name(Isa isa);
// The set in use: the forced one, else the best one that this processor has and that passes self_check().
Isa isa();
// Every set this build and processor can run, best first.
std::vector<Isa> available();
// Forces a set for this process (tests, bench). Throws Error for one that is not available.
void force(const std::string& name);
// Compares each F16 operation of `isa` with plain scalar code. An empty string, or the operation that differs.
std::string self_check(Isa isa);

}  // namespace exitrl::simd
