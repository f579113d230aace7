// The products of matmul.inl on AVX-512 BF16: elements are pairs of bfloat16, and a dot product of two pairs stands where a fused
// multiply-add stood. Half as many steps, each as fast, so this unit has twice the arithmetic peak of fp32.
#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "core/bf16.h"
#include "core/legend.h"
#include "core/simd/target.h"
#include "core/status.h"
#include "ops/matmul/amx.h"

#if defined(__x86_64__) && defined(__linux__)
#include <immintrin.h>

EXITRL_TARGET_BEGIN("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw,avx512bf16,prefer-vector-width=512")
#define EXITRL_ISA_AVX512 1
#define EXITRL_ISA avx512
#include "core/simd/f16_avx512.h"
#undef EXITRL_ISA
namespace exitrl::avx512_bf16 {
using namespace avx512;
}
#define EXITRL_ISA avx512_bf16
#define EXITRL_ISA_PAIRS 1
#include "ops/matmul/matmul.inl"
EXITRL_TARGET_END
#else
namespace exitrl::avx512_bf16 {
namespace {
void absent() { fail(ErrorCode::internal, "this build has no such instructions"); }  // never chosen
}  // namespace
void product_forward(const Product&, Scratch&) { absent(); }
void product_dx(const Product&, Scratch&) { absent(); }
void product_dw(const Product&, Scratch&) { absent(); }
}  // namespace exitrl::avx512_bf16
#endif
