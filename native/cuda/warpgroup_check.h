// Whether this card's wgmma reads shared memory and fills registers as cuda/warpgroup.h says: every form in use, on small integers,
// whose products and sums are exact, against plain sums.
#pragma once
#include "cuda/context.h"

namespace exitrl::cuda {

// Adds the number of wrong results to *wrong, memory of the device. A few microseconds.
void check_warpgroup_products(Context& context, int* wrong);

}  // namespace exitrl::cuda
