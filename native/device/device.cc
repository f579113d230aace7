#include "device/device.h"

#include <algorithm>
#include <bit>

namespace exitrl::device {

std::string megabytes(int64_t bytes) { return std::to_string((bytes + 999'999) / 1'000'000) + " MB"; }

void check(const Status& status) {
  switch (status.code) {
    case 0: return;
    case 1: fail(ErrorCode::invalid_argument, status.message);
    case 2: fail(ErrorCode::out_of_memory, status.message);
    case 3: fail(ErrorCode::internal, std::string("the device failed, and this process cannot use it any more: ") + status.message +
                                          ". The last checkpoint of the run is whole: start again with --resume");
    default: fail(ErrorCode::internal, status.message);
  }
}

namespace {

DeviceInfo describe(const Backend& backend, int32_t ordinal) {
  Status status;
  const int32_t count = backend.device_count(&status);
  check(status);
  require(ordinal >= 0 && ordinal < count, "there is no device " + std::to_string(ordinal) + ": this machine has " + std::to_string(count));
  DeviceInfo info;
  backend.describe(ordinal, &info, &status);
  check(status);
  require(info.note[0] == 0, std::string(info.name) + ": " + info.note);
  return info;
}

}  // namespace

Device::Device(const Backend& b, int32_t o) : backend(b), ordinal(o), info(describe(b, o)) {
  Status status;
  instance_ = backend.open(ordinal, &status);
  check(status);
}

Device::~Device() {
  if (instance_) backend.close(instance_);
}

int64_t Device::room_bytes() const {
  Status status;
  DeviceInfo now;
  backend.describe(ordinal, &now, &status);
  check(status);
  return std::max<int64_t>(0, now.free_bytes - now.reserve_bytes);
}

Staging::~Staging() {
  for (Turn& turn : turns_)
    if (turn.data) device_.release_pinned(turn.data);
}

void Staging::begin(std::byte* to, int64_t capacity) {
  current_ = (current_ + 1) % kTurns;
  Turn& turn = turns_[current_];
  if (turn.sent) device_.wait_mark(first_mark_ + current_);
  turn.sent = false;
  if (turn.bytes < capacity) {
    // Freeing pinned memory waits for all of the device's work: there is room to grow, and for the largest set so far in every turn.
    largest_ = std::max(largest_, int64_t(std::bit_ceil(uint64_t(capacity))));
    if (turn.data) device_.release_pinned(turn.data);
    turn = {};
    turn.data = static_cast<std::byte*>(device_.allocate_pinned(largest_));
    turn.bytes = largest_;
  }
  to_ = to;
  capacity_ = capacity;
  used_ = 0;
}

const void* Staging::add_bytes(const void* values, int64_t bytes, int64_t room) {
  if (bytes > room || used_ + padded(room) > capacity_)
    fail(ErrorCode::internal, "the arrays of a pass outgrew their planned " + std::to_string(capacity_) + " bytes");
  if (bytes > 0) std::memcpy(turns_[current_].data + used_, values, size_t(bytes));
  const std::byte* const at = to_ + used_;
  used_ += padded(room);
  return at;
}

void Staging::send() {
  if (used_ == 0) return;
  device_.upload(to_, turns_[current_].data, used_);
  device_.set_mark(first_mark_ + current_);
  turns_[current_].sent = true;
}

}  // namespace exitrl::device
