// What wgmma computes for one thread: products that were given, committed, and not yet waited for (cuda/warpgroup.h).
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace exitrl::cuda::emulate {

// A block's shared memory; its first byte has address 0.
struct SharedMemory {
  const unsigned char* first;
  size_t bytes;
};

struct Product {
  float (*d)[4];          // (n / 8, 4) of this thread
  int n;
  bool a_in_registers, a_by_column, b_by_row, add;
  float a_rows[2][16];    // this thread's two rows, if in registers
  uint64_t a, b;          // matrix descriptors
  const void* site;       // the code that asked for it
};

class Products {
 public:
  void clear();
  void give(const Product& product, const SharedMemory& memory, int thread);
  void commit();
  // Computes all but the last `groups_left` groups. Throws Error(internal) for a descriptor that is not of the one form in use, or that
  // leaves shared memory.
  void wait(int groups_left, const SharedMemory& memory, int thread);
  bool any_left() const { return !given_.empty() || !groups_.empty(); }
  unsigned count() const { return count_; }  // ever given

 private:
  std::vector<Product> given_;
  std::deque<std::vector<Product>> groups_;
  unsigned count_ = 0;
};

}  // namespace exitrl::cuda::emulate
