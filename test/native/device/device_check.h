// Tests of device ops on the emulated device. Its memory is the host's, so an op is called with host arrays of the wanted
// precision. Everything an op writes is filled with NaN before; every op runs in both orders of blocks and lanes and must
// give the same bits.
#pragma once
#include <cstdlib>
#include <memory>
#include <new>

#include "../agree.h"
#include "core/bf16.h"
#include "cuda/emulate/emulate.h"
#include "cuda/ops.h"

namespace check {

using exitrl::Precision;

// Sanitized code takes eight times as long, code that is looked at for races four times: a part of the cases is enough.
inline bool few() {
#if defined(__SANITIZE_ADDRESS__)
  return true;
#else
  return exitrl::cuda::emulate::watcher != nullptr;
#endif
}

inline exitrl::cuda::Context& device_context() {
  static exitrl::cuda::Context context = [] {
    exitrl::cuda::Context c;
    c.multiprocessors = 4;
    c.shared_per_block = 227 << 10;
    c.warpgroups = c.warpgroups_fixed = true;
    return c;
  }();
  return context;
}

// Numbers of a precision, aligned to 16 bytes and no more than asked for: the sanitizer sees what lies beyond.
class Numbers {
 public:
  Numbers(Precision precision, const Floats& values) : Numbers(precision, int64_t(values.size())) {
    for (size_t i = 0; i < values.size(); ++i) set(int64_t(i), values[i]);
  }
  // NaN.
  Numbers(Precision precision, int64_t count)
      : precision_(precision), count_(count), bytes_(size_t(count) * (precision == Precision::bf16 ? 2 : 4)) {
    // operator new: on a card it gives memory that the card sees.
    void* const memory = ::operator new(bytes_ + !bytes_, std::align_val_t{16});
    data_.reset(memory);
    std::memset(memory, 0xff, bytes_);
  }
  void* data() { return data_.get(); }
  void set(int64_t i, float x) {
    if (precision_ == Precision::bf16) static_cast<uint16_t*>(data())[i] = exitrl::to_bf16(x);
    else static_cast<float*>(data())[i] = x;
  }
  float operator[](int64_t i) const {
    return precision_ == Precision::bf16 ? exitrl::from_bf16(static_cast<const uint16_t*>(data_.get())[i])
                                         : static_cast<const float*>(data_.get())[i];
  }
  Floats floats() const {
    Floats out;
    for (int64_t i = 0; i < count_; ++i) out.push_back((*this)[i]);
    return out;
  }
  int64_t size() const { return count_; }

 private:
  struct Free {
    void operator()(void* p) const { ::operator delete(p, std::align_val_t{16}); }
  };
  Precision precision_;
  int64_t count_;
  size_t bytes_;
  std::unique_ptr<void, Free> data_;
};

// What a tensor of this precision holds of these numbers.
inline Floats rounded(Precision precision, Floats values) {
  if (precision == Precision::bf16)
    for (float& x : values) x = exitrl::from_bf16(exitrl::to_bf16(x));
  return values;
}

inline const char* name(Precision p) { return p == Precision::bf16 ? "bf16" : "f32"; }

// run() -> Floats in both orders; the same bits. Returns them. EXIT_RL_REPEAT: how often, on a card, where there is no choosing
// the order.
template <class Run>
Floats in_both_orders(Run run) {
  using exitrl::cuda::emulate::Order;
  static const char* const text = std::getenv("EXIT_RL_REPEAT");
  const Floats forward = run();
  exitrl::cuda::emulate::order(Order::reversed);
  for (int i = 1; i < (text ? std::max(2, std::atoi(text)) : 2); ++i) CHECK(same_bits(forward, run()));
  exitrl::cuda::emulate::order(Order::forward);
  return forward;
}

// |got - want| <= relative * |want| + absolute for every number; one line for the worst.
inline void agree(const Floats& got, const std::vector<double>& want, double relative, double absolute, const std::string& what) {
  CHECK(got.size() == want.size());
  double worst = 0;
  size_t at = 0;
  for (size_t i = 0; i < std::min(got.size(), want.size()); ++i) {
    if (got[i] == want[i]) continue;  // infinities
    const double error = std::abs(double(got[i]) - want[i]) / (relative * std::abs(want[i]) + absolute);
    if (!(error <= worst)) worst = std::isnan(error) ? 1e300 : error, at = i;
  }
  if (worst > 1)
    failed(__FILE__, __LINE__,
           what + ": number " + std::to_string(at) + " is " + std::to_string(got[at]) + ", expected " + std::to_string(want[at]) + ", " +
               std::to_string(worst) + " times the tolerance");
}
// One rounding to the precision, with room for the arithmetic before it.
inline double unit(Precision p) { return p == Precision::bf16 ? 0x1.0p-8 : 0x1.0p-22; }

}  // namespace check
