// bfloat16 products on AMX tiles, and the same code over emulated ones, which show on any machine that it is right; and those of
// AVX-512 BF16 (avx512_bf16.cc).
//
// A tile product adds, to every element of a 16 x 16 tile of C, the products of 32 positions of the depth: the even ones in
// one sum, the odd ones in another, both from zero and ascending, then (even + odd) to the element. So an element of C is one
// chain over blocks of 32, whatever the shape, the rectangle of a thread or the number of threads; results differ from those
// of the chains over single positions by rounding. AVX-512 BF16 adds pair by pair, ascending, to the element itself.
#pragma once
#include <string>

#include "ops/matmul/product.h"

namespace exitrl {

// What multiplies bfloat16: fused multiply-adds of the instruction set in use, dot products of AVX-512 BF16, AMX, or AMX
// emulated (tests).
enum class Bf16Unit { vector, avx512, amx, emulated };
// The best that the processor and the system have and that passes its self check. EXIT_RL_BF16 forces one.
Bf16Unit bf16_unit();
// Throws Error for a unit that is not available here.
void force_bf16_unit(const std::string& name);
const char* name(Bf16Unit unit);

// As the products of matmul.inl; b of product_forward is a weight packed in bfloat16.
namespace amx {
void product_forward(const Product& g, Scratch& scratch);
void product_dx(const Product& g, Scratch& scratch);
void product_dw(const Product& g, Scratch& scratch);
}  // namespace amx
namespace avx512_bf16 {
void product_forward(const Product& g, Scratch& scratch);
void product_dx(const Product& g, Scratch& scratch);
void product_dw(const Product& g, Scratch& scratch);
}  // namespace avx512_bf16
namespace amx_emulated {
void product_forward(const Product& g, Scratch& scratch);
void product_dx(const Product& g, Scratch& scratch);
void product_dw(const Product& g, Scratch& scratch);
}  // namespace amx_emulated

}  // namespace exitrl
