// A function with a stack of its own that can be left in the middle and gone on with.
#pragma once
#include <cstddef>

namespace exitrl::cuda::emulate {

class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // From the next resume() on, runs entry(argument) from its beginning. What ran before is forgotten.
  void start(void (*entry)(void*), void* argument);
  // Runs until the function returns (false) or calls leave() (true).
  bool resume();
  // Back to whoever resumed; call on the fiber.
  void leave();

  const void* stack() const { return stack_; }  // lowest address
  static size_t stack_bytes();

 private:
  static void run(Fiber* self);
  [[noreturn]] static void enter();
  void* stack_ = nullptr;
  void* context_ = nullptr;     // of the fiber while it does not run
  void* resumer_ = nullptr;     // of the one who resumed it
  void (*entry_)(void*) = nullptr;
  void* argument_ = nullptr;
  bool ended_ = true;
  const void* resumer_stack_ = nullptr;  // for the address sanitizer
  size_t resumer_size_ = 0;
  void* fake_stack_ = nullptr;
};

}  // namespace exitrl::cuda::emulate
