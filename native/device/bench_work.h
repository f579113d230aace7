// What a benchmark of a device op is: work to launch, and the random data that it works on.
#pragma once
#include <cmath>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "core/rng.h"
#include "device/device.h"

namespace exitrl::device {

struct Work {
  std::function<void()> run;
  double flops, bytes;
  std::function<void(int64_t times)> rival = {};  // what it is compared with; mostly nothing
};

class Bench {
 public:
  Bench(Device& device, Precision precision) : d_(device), p_(precision), size_(precision == Precision::bf16 ? 2 : 4) {}

  // Random numbers of the precision, normally distributed.
  void* numbers(int64_t n) { return fill(n, p_, 1.0f); }
  float* floats(int64_t n, float scale = 1.0f) { return static_cast<float*>(fill(n, Precision::f32, scale)); }
  template <class T>
  T* array(const std::vector<T>& values) {
    auto* const p = static_cast<T*>(bytes(int64_t(values.size() * sizeof(T))));
    d_.upload(p, values.data(), int64_t(values.size() * sizeof(T)));
    d_.synchronise();
    return p;
  }
  void* bytes(int64_t n) {
    buffers_.emplace_back(d_, n);
    ++in_set_;
    return buffers_.back().data();
  }
  // What is asked for from here on is the same once more: random numbers are copied from the first set of buffers.
  void begin_set() {
    if (in_set_ > 0) ++sets_;
    in_set_ = 0;
  }
  std::vector<int32_t> random_ints(int64_t n, int64_t below) {
    std::vector<int32_t> out;
    for (int64_t i = 0; i < n; ++i) out.push_back(int32_t(philox(3, 1, uint64_t(i))[0] % uint64_t(below)));
    return out;
  }
  int32_t* ints(int64_t n, int64_t below) { return array(random_ints(n, below)); }

  Device& device() { return d_; }
  Precision precision() const { return p_; }
  int64_t size() const { return size_; }

 private:
  // One random block, copied until the buffer is full.
  void* fill(int64_t n, Precision p, float scale) {
    const int64_t each = p == Precision::bf16 ? 2 : 4, block = std::min<int64_t>(n, int64_t{1} << 20);
    if (sets_ > 0) {
      const void* const first = buffers_[in_set_].data();
      void* const copy = bytes(n * each);
      d_.copy(copy, first, n * each);
      return copy;
    }
    std::vector<std::byte> host(size_t(block * each));
    for (int64_t i = 0; i < block; ++i) {
      const auto r = philox(11, uint64_t(buffers_.size()), uint64_t(i));
      const float u = (float(r[0]) + 1.0f) * 0x1p-32f;
      const float x = scale * std::sqrt(-2.0f * std::log(std::min(u, 1.0f))) * std::cos(float(r[1]) * 0x1p-32f * 6.2831853f);
      if (p == Precision::bf16) reinterpret_cast<uint16_t*>(host.data())[i] = to_bf16(x);
      else reinterpret_cast<float*>(host.data())[i] = x;
    }
    auto* const to = static_cast<std::byte*>(bytes(n * each));
    d_.upload(to, host.data(), block * each);
    for (int64_t done = block; done < n; done += block) d_.copy(to + done * each, to, std::min(block, n - done) * each);
    d_.synchronise();
    return to;
  }

  Device& d_;
  const Precision p_;
  const int64_t size_;
  std::deque<DeviceBuffer> buffers_;
  size_t sets_ = 0, in_set_ = 0;  // whole sets; buffers of the set that is being made
};

using Shape = std::vector<int64_t>;

// Of an op that moves memory more than it computes: bytes are the formula's.
Work rowwise(Bench& b, const std::string& op, const Shape& shape);

}  // namespace exitrl::device
