// Memory that a kernel needs while it runs: kept by each thread between calls, grown on demand, never shrunk.
#pragma once
#include <cstddef>
#include <cstdint>
#include <new>

namespace exitrl {

class Scratch {
 public:
  Scratch() = default;
  ~Scratch() { release(); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  // At least `floats` floats on a 64-byte border. The contents are undefined; the previous result becomes invalid.
  float* reserve(int64_t floats) {
    if (floats > capacity_) {
      release();
      data_ = static_cast<float*>(::operator new(size_t(floats) * sizeof(float), kAlignment));
      capacity_ = floats;
    }
    return data_;
  }

 private:
  static constexpr std::align_val_t kAlignment{64};

  void release() {
    ::operator delete(data_, kAlignment);
    data_ = nullptr;
    capacity_ = 0;
  }

  float* data_ = nullptr;
  int64_t capacity_ = 0;
};

}  // namespace exitrl
