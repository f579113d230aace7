// Types of the elements of a tensor file, and conversion between the floating-point ones.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace exitrl {

enum class Dtype { f64, f32, f16, bf16, i64, i32, u8, boolean };
const char* name(Dtype dtype);        // as a safetensors header spells it: F64, F32, ...
const char* torch_name(Dtype dtype);  // as config.json spells it: float64, float32, ...
size_t size_of(Dtype dtype);
bool is_float(Dtype dtype);
// The type of this name in either spelling; false if there is none.
bool find_dtype(std::string_view name, Dtype& dtype);

// n floating-point elements from `in` (any alignment) to `out` (aligned to its type; F32, F16 or BF16). Widening is exact; narrowing rounds
// to the nearest number, ties to even (F64 by way of F32). Infinities and NaNs stay what they are, a NaN with its payload where it fits, so
// that what was widened narrows to the same bits. False if a finite number was too large for `to` and became an infinity.
bool convert(Dtype from, const std::byte* in, Dtype to, std::byte* out, int64_t n);

}  // namespace exitrl
