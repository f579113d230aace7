// Whether this card's wgmma reads shared memory and fills registers as cuda/warpgroup.h says: every form in use, on small integers,
// whose products and sums are exact, against plain sums. And whether it gives the bits of mma.sync on numbers of many sizes, which
// exact mode needs where one product goes through either.
#pragma once
#include "cuda/context.h"

namespace exitrl::cuda {

struct WarpgroupCheck {
  int wrong;      // results that are not the plain sum
  int different;  // results whose bits are not those of mma.sync
};
// Adds to *found, memory of the device. A few microseconds.
void check_warpgroup_products(Context& context, WarpgroupCheck* found);

}  // namespace exitrl::cuda
