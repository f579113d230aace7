// A device of a backend as C++: calls throw, memory frees itself, uploads go through pinned memory.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "core/arena.h"
#include "core/status.h"
#include "device/backend.h"

namespace exitrl::device {

// "1234 MB"
std::string megabytes(int64_t bytes);

// Throws what a call reported: Error(invalid_argument, out_of_memory or internal).
void check(const Status& status);

// Where a model computes. One per model: calls go to one stream in order.
class Device {
 public:
  Device(const Backend& backend, int32_t ordinal);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const Backend& backend;
  const int32_t ordinal;
  const DeviceInfo info;

#define EXITRL_OP(name, Arguments)                    \
  void name(const Arguments& arguments) {             \
    Status status;                                    \
    backend.name(instance_, &arguments, &status);     \
    check(status);                                    \
  }
  EXITRL_DEVICE_OPS(EXITRL_OP)
#undef EXITRL_OP

  // Bytes that can still be planned with, now: the free ones but for info.reserve_bytes.
  int64_t room_bytes() const;
  void* allocate(int64_t bytes) { return call<void*>([&](Status* s) { return backend.allocate(instance_, bytes, s); }); }
  void release(void* p) { backend.release(instance_, p); }
  void* allocate_pinned(int64_t bytes) { return call<void*>([&](Status* s) { return backend.allocate_pinned(instance_, bytes, s); }); }
  void release_pinned(void* p) { backend.release_pinned(instance_, p); }
  // Host memory must stay as it is until the copy is done: pinned memory and a mark, or synchronise().
  void upload(void* to, const void* from, int64_t bytes) { run([&](Status* s) { backend.upload(instance_, to, from, bytes, s); }); }
  void download_later(void* to, const void* from, int64_t bytes) {
    run([&](Status* s) { backend.download_later(instance_, to, from, bytes, s); });
  }
  void download(void* to, const void* from, int64_t bytes) {
    download_later(to, from, bytes);
    synchronise();
  }
  void copy(void* to, const void* from, int64_t bytes) { run([&](Status* s) { backend.copy(instance_, to, from, bytes, s); }); }
  void fill(void* to, int32_t byte, int64_t bytes) { run([&](Status* s) { backend.fill(instance_, to, byte, bytes, s); }); }
  void synchronise() { run([&](Status* s) { backend.synchronise(instance_, s); }); }
  void set_mark(int32_t mark) { run([&](Status* s) { backend.set_mark(instance_, mark, s); }); }
  void wait_mark(int32_t mark) { run([&](Status* s) { backend.wait_mark(instance_, mark, s); }); }
  void begin_graph() { run([&](Status* s) { backend.begin_graph(instance_, s); }); }
  Graph* end_graph() { return call<Graph*>([&](Status* s) { return backend.end_graph(instance_, s); }); }
  void run_graph(Graph* graph) { run([&](Status* s) { backend.run_graph(instance_, graph, s); }); }
  void release_graph(Graph* graph) { backend.release_graph(instance_, graph); }
  void bare_gemm(const Gemm& a, int64_t times) { run([&](Status* s) { backend.bare_gemm(instance_, &a, times, s); }); }

 private:
  template <class Body>
  void run(Body&& body) {
    Status status;
    body(&status);
    check(status);
  }
  template <class T, class Body>
  T call(Body&& body) {
    Status status;
    T out = body(&status);
    check(status);
    return out;
  }
  Instance* instance_ = nullptr;
};

// Device memory that is freed with its owner.
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  DeviceBuffer(Device& device, int64_t bytes) : device_(&device), data_(static_cast<std::byte*>(device.allocate(bytes))), bytes_(bytes) {}
  ~DeviceBuffer() { reset(); }
  DeviceBuffer(DeviceBuffer&& other) noexcept { swap(other); }
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept {
    if (this != &other) {
      reset();
      swap(other);
    }
    return *this;
  }
  void reset() {
    if (data_) device_->release(data_);
    data_ = nullptr;
    bytes_ = 0;
  }
  std::byte* data() const { return data_; }
  float* floats() const { return reinterpret_cast<float*>(data_); }
  int64_t bytes() const { return bytes_; }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  void swap(DeviceBuffer& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
  }
  Device* device_ = nullptr;
  std::byte* data_ = nullptr;
  int64_t bytes_ = 0;
};

// Memory of one phase (a rollout, a training pass): the same code first counts its segments, then hands out places in the
// memory that all phases use in turns.
class Segments {
 public:
  // base null: counts only.
  explicit Segments(std::byte* base = nullptr) : base_(base) {}
  template <class T>
  T* take(const char* name, int64_t count) {
    const int64_t bytes = (count * int64_t(sizeof(T)) + 255) / 256 * 256;
    T* const p = base_ ? reinterpret_cast<T*>(base_ + used_) : nullptr;
    used_ += bytes;
    add(name, bytes);
    return p;
  }
  // Numbers of a precision.
  void* take(const char* name, int64_t count, Precision precision) {
    return precision == Precision::bf16 ? static_cast<void*>(take<uint16_t>(name, count)) : take<float>(name, count);
  }
  int64_t bytes() const { return used_; }
  // Segments of one name are one line.
  const MemorySegments& list() const { return list_; }

 private:
  void add(const char* name, int64_t bytes) {
    for (MemorySegment& s : list_)
      if (s.name == name) {
        s.bytes += bytes;
        return;
      }
    list_.push_back({name, bytes});
  }
  std::byte* base_;
  int64_t used_ = 0;
  MemorySegments list_;
};

// Small arrays that a pass needs on the device, sent as one copy. Pinned buffers take turns, so that the next passes can be
// prepared while copies are still to come.
class Staging {
 public:
  static constexpr int kTurns = 8;
  // Uses the marks first_mark .. first_mark + kTurns - 1.
  Staging(Device& device, int32_t first_mark) : device_(device), first_mark_(first_mark) {}
  ~Staging();

  // Begins a new set; its arrays will lie at `to` on the device, in the order of add().
  void begin(std::byte* to, int64_t capacity);
  template <class T>
  const T* add(const T* values, int64_t count) {
    return reinterpret_cast<const T*>(add_bytes(values, count * int64_t(sizeof(T))));
  }
  // Null for none.
  template <class T>
  const T* add(const std::vector<T>& values) {
    return values.empty() ? nullptr : add(values.data(), int64_t(values.size()));
  }
  // The same with room for `room` values, the rest filled with `filler`: the next array lies where it lies for any count.
  template <class T>
  const T* add_padded(const std::vector<T>& values, int64_t room, const T& filler) {
    const auto* const at = reinterpret_cast<const T*>(
        add_bytes(values.data(), int64_t(values.size() * sizeof(T)), room * int64_t(sizeof(T))));
    T* const host = reinterpret_cast<T*>(turns_[current_].data + (reinterpret_cast<const std::byte*>(at) - to_));
    std::fill(host + values.size(), host + room, filler);
    return at;
  }
  void send();
  static int64_t padded(int64_t bytes) { return (bytes + 15) / 16 * 16; }
  template <class T>
  static int64_t padded(const std::vector<T>& values) {
    return padded(int64_t(values.size() * sizeof(T)));
  }

 private:
  const void* add_bytes(const void* values, int64_t bytes) { return add_bytes(values, bytes, bytes); }
  const void* add_bytes(const void* values, int64_t bytes, int64_t room);
  struct Turn {
    std::byte* data = nullptr;
    int64_t bytes = 0;
    bool sent = false;
  };
  Device& device_;
  const int32_t first_mark_;
  Turn turns_[kTurns];
  int current_ = 0;
  std::byte* to_ = nullptr;
  int64_t capacity_ = 0, used_ = 0, largest_ = 0;
};

}  // namespace exitrl::device
