// A 64-byte aligned array that owns its memory; large ones come straight from the operating system and go back to it.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

#include "core/status.h"
#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#endif

namespace exitrl {

// Bytes that all buffers of the process hold: what a memory plan is checked against.
inline std::atomic<int64_t> buffer_bytes{0};

template <class T>
class Buffer {
 public:
  Buffer() = default;
  // Contents are zero.
  explicit Buffer(int64_t count) : count_(count) {
    if (count < 0 || uint64_t(count) > (uint64_t{1} << 46) / sizeof(T))
      fail(ErrorCode::out_of_memory, "buffer of impossible size requested");
    if (count == 0) return;
    bytes_ = (size_t(count) * sizeof(T) + 63) & ~size_t{63};
#if defined(__unix__) || defined(__APPLE__)
    if (bytes_ >= kMapped) {
      void* p = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (p == MAP_FAILED) no_memory();
#if defined(MADV_HUGEPAGE)
      if (bytes_ >= (size_t{4} << 20)) madvise(p, bytes_, MADV_HUGEPAGE);
#endif
      data_ = static_cast<T*>(p);
      buffer_bytes += int64_t(bytes_);
      return;
    }
#endif
    data_ = static_cast<T*>(std::aligned_alloc(64, bytes_));
    if (!data_) no_memory();
    buffer_bytes += int64_t(bytes_);
    for (size_t i = 0; i < bytes_; ++i) reinterpret_cast<unsigned char*>(data_)[i] = 0;
  }
  ~Buffer() { reset(); }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      reset();
      swap(other);
    }
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  T* data() { return data_; }
  const T* data() const { return data_; }
  int64_t size() const { return count_; }
  T& operator[](int64_t i) { return data_[i]; }
  const T& operator[](int64_t i) const { return data_[i]; }
  explicit operator bool() const { return data_ != nullptr; }
  void reset() {
    if (!data_) return;
    buffer_bytes -= int64_t(bytes_);
#if defined(__unix__) || defined(__APPLE__)
    if (bytes_ >= kMapped) munmap(data_, bytes_); else
#endif
      std::free(data_);
    data_ = nullptr;
    bytes_ = 0;
    count_ = 0;
  }

 private:
  static constexpr size_t kMapped = size_t{1} << 20;
  [[noreturn]] void no_memory() {
    fail(ErrorCode::out_of_memory, "cannot allocate " + std::to_string(bytes_ >> 20) + " MiB; lower the batch, micro-batch or cache size");
  }
  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(count_, other.count_);
    std::swap(bytes_, other.bytes_);
  }
  T* data_ = nullptr;
  int64_t count_ = 0;
  size_t bytes_ = 0;
};

}  // namespace exitrl
