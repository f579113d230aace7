// Whether this card's wgmma reads shared memory and fills registers as cuda/warpgroup.h says: every form in use, on small integers,
// whose products and sums are exact, against plain sums. And whether it gives the bits of mma.sync on numbers of many sizes, which
// exact mode needs where one product goes through either.
#pragma once
#include <cstddef>

#include "cuda/context.h"

namespace exitrl::cuda {

struct WarpgroupCheck {
  int wrong;      // results that are not the plain sum
  int different;  // results whose bits are not those of mma.sync
};
// Adds to *found, memory of the device. A few microseconds.
void check_warpgroup_products(Context& context, WarpgroupCheck* found);

// The same for the kernels that use it, beside those of mma.sync: a compiler may make wrong code of right sources (ptxas 13.0 did,
// see attention_forward_mma.h). `memory`: so many bytes of the device's, zeros at first; begins with what was found.
size_t warpgroup_kernels_check_bytes();
void check_warpgroup_kernels(Context& context, void* memory);

}  // namespace exitrl::cuda
