// cuBLASLt behind Order::any.
#include "cuda/libraries.h"
namespace exitrl::cuda {
Libraries* open_libraries(Context&) { return nullptr; }
void close_libraries(Libraries*) {}
}  // namespace exitrl::cuda
