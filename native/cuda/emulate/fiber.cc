#include "cuda/emulate/fiber.h"

#include <sys/mman.h>
#include <ucontext.h>

#include <cstdint>
#include <cstdlib>

#include "core/status.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define EXITRL_ASAN 1
#else
#define EXITRL_ASAN 0
#endif

namespace exitrl::cuda::emulate {
namespace {

// Instrumented code has larger frames.
constexpr size_t kStack = EXITRL_ASAN ? size_t{512} << 10 : size_t{128} << 10;
thread_local Fiber* entering = nullptr;

}  // namespace

#if defined(__x86_64__)
// swapcontext() asks the kernel for the signal mask every time; these few instructions do not. Saves what a called function
// must preserve, in the order in which start() lays it out.
extern "C" void exitrl_switch(void** save, void* to);
asm(R"(
.text
.type exitrl_switch, @function
exitrl_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size exitrl_switch, .-exitrl_switch
)");
namespace {
void* fresh_context(void* stack, void (*enter)()) {
  auto* top = reinterpret_cast<void**>(static_cast<char*>(stack) + kStack);
  *--top = nullptr;                            // keeps the alignment of a call
  *--top = reinterpret_cast<void*>(enter);     // where ret goes
  for (int i = 0; i < 6; ++i) *--top = nullptr;
  return top;
}
void switch_context(void** save, void* to) { exitrl_switch(save, to); }
}  // namespace
#else
namespace {
void* fresh_context(void* stack, void (*enter)()) {
  auto* context = static_cast<ucontext_t*>(stack);  // the lowest part of the stack holds it
  getcontext(context);
  context->uc_stack.ss_sp = static_cast<char*>(stack) + sizeof(ucontext_t);
  context->uc_stack.ss_size = kStack - sizeof(ucontext_t);
  context->uc_link = nullptr;
  makecontext(context, enter, 0);
  return context;
}
void switch_context(void** save, void* to) {
  ucontext_t here;
  *save = &here;
  swapcontext(&here, static_cast<ucontext_t*>(to));
}
}  // namespace
#endif

Fiber::Fiber() {
  stack_ = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (stack_ == MAP_FAILED) fail(ErrorCode::out_of_memory, "no memory for the stack of an emulated thread");
}

size_t Fiber::stack_bytes() { return kStack; }

Fiber::~Fiber() { munmap(stack_, kStack); }

void Fiber::start(void (*entry)(void*), void* argument) {
#if EXITRL_ASAN
  __asan_unpoison_memory_region(stack_, kStack);  // of a run that was given up
#endif
  entry_ = entry;
  argument_ = argument;
  ended_ = false;
  fake_stack_ = nullptr;
  context_ = fresh_context(stack_, &Fiber::enter);
}

bool Fiber::resume() {
  entering = this;
#if EXITRL_ASAN
  void* own_fake = nullptr;
  __sanitizer_start_switch_fiber(&own_fake, stack_, kStack);
#endif
  switch_context(&resumer_, context_);
#if EXITRL_ASAN
  __sanitizer_finish_switch_fiber(own_fake, nullptr, nullptr);
#endif
  return !ended_;
}

void Fiber::leave() {
#if EXITRL_ASAN
  __sanitizer_start_switch_fiber(ended_ ? nullptr : &fake_stack_, resumer_stack_, resumer_size_);
#endif
  switch_context(&context_, resumer_);
#if EXITRL_ASAN
  __sanitizer_finish_switch_fiber(fake_stack_, &resumer_stack_, &resumer_size_);
#endif
}

void Fiber::run(Fiber* self) {
#if EXITRL_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &self->resumer_stack_, &self->resumer_size_);
#endif
  self->entry_(self->argument_);
  self->ended_ = true;
  self->leave();
}

void Fiber::enter() {
  run(entering);
  std::abort();  // a fiber that ended is not resumed
}

}  // namespace exitrl::cuda::emulate
