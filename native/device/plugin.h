// Finding and loading device plugins. Nothing of CUDA is linked: a machine without it runs everything else.
#pragma once
#include <string>

#include "device/backend.h"

namespace exitrl::device {

// What is known of the plugin after a look for it. `backend` null: `reason` says why and what to do.
struct Plugin {
  const Backend* backend = nullptr;
  std::string path, reason;
};

// The plugin that EXIT_RL_CUDA_PLUGIN names, or libexit_rl_cuda.so beside the addon. Loaded once, never unloaded.
const Plugin& plugin();

// A device by its name on the command line: cpu, cuda, cuda:N, or auto (cuda:0 where it can be used, else cpu). -1: the CPU.
// Throws Error(invalid_argument) for another name, or where a wanted device cannot be used, with the reason.
int32_t device_ordinal(const std::string& name);

}  // namespace exitrl::device
