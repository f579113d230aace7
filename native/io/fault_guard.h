// Reading mapped files without dying of it: the system answers an access to a page that it cannot fetch with SIGBUS.
#pragma once
#include <csetjmp>
#include <cstddef>

namespace exitrl {

// While one lives, a SIGBUS of this thread for an address in [data, data + size) jumps to `jump`. Any other goes where it
// would have gone without it. The handler is in place only while some thread has a scope.
class FaultScope {
 public:
  FaultScope(const void* data, size_t size);
  ~FaultScope();
  FaultScope(const FaultScope&) = delete;
  FaultScope& operator=(const FaultScope&) = delete;
  sigjmp_buf jump;
  const std::byte *begin, *end;
};

// False if `body` touched a page of [data, data + size) that could not be read.
template <class Body>
bool survives_faults(const void* data, size_t size, Body& body) {
  FaultScope scope(data, size);
  if (sigsetjmp(scope.jump, 1) != 0) return false;
  body();
  return true;
}

}  // namespace exitrl
