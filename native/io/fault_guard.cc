#include "io/fault_guard.h"

#include <csignal>
#include <mutex>

namespace exitrl {
namespace {

thread_local FaultScope* innermost = nullptr;

std::mutex installing;
int scopes = 0;
struct sigaction before {};

void on_fault(int signal, siginfo_t* info, void*) {
  const auto* address = static_cast<const std::byte*>(info->si_addr);
  if (innermost && address >= innermost->begin && address < innermost->end) siglongjmp(innermost->jump, 1);
  sigaction(signal, &before, nullptr);  // not ours: the access is made again and meets the handler there was
}

}  // namespace

FaultScope::FaultScope(const void* data, size_t size) : begin(static_cast<const std::byte*>(data)), end(begin + size) {
  innermost = this;
  const std::lock_guard lock(installing);
  if (scopes++ > 0) return;
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, &before);
}

FaultScope::~FaultScope() {
  innermost = nullptr;
  const std::lock_guard lock(installing);
  if (--scopes == 0) sigaction(SIGBUS, &before, nullptr);
}

}  // namespace exitrl
