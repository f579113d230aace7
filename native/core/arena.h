// Planned memory: segments are named and sized first, then one allocation holds them all. The same list answers
// "what will it need" before anything is allocated.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/buffer.h"

namespace exitrl {

struct MemorySegment {
  std::string name;
  int64_t bytes;
};
using MemorySegments = std::vector<MemorySegment>;

inline int64_t total_bytes(const MemorySegments& segments) {
  int64_t sum = 0;
  for (const auto& s : segments) sum += s.bytes;
  return sum;
}

// Two passes over the same code: the first (no memory yet) only counts, the second hands out pointers.
class Arena {
 public:
  void allocate() {
    data_ = Buffer<float>(used_);
    used_ = 0;
  }
  float* take(const std::string& name, int64_t floats) {
    floats = (floats + 15) & ~int64_t{15};
    float* p = data_ ? data_.data() + used_ : nullptr;
    used_ += floats;
    if (!data_) segments_.push_back({name, floats * int64_t(sizeof(float))});
    return p;
  }
  const MemorySegments& segments() const { return segments_; }

 private:
  Buffer<float> data_;
  int64_t used_ = 0;
  MemorySegments segments_;
};

}  // namespace exitrl
