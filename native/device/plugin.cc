#include "device/plugin.h"

#include <cstdlib>
#include <cstring>
#include <mutex>

#include "core/status.h"
#if defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>
#include <unistd.h>
#endif

namespace exitrl::device {
namespace {

#if defined(__unix__) || defined(__APPLE__)

std::string beside_this() {
  Dl_info info;
  if (!dladdr(reinterpret_cast<void*>(&plugin), &info) || !info.dli_fname) return "";
  const std::string file = info.dli_fname;
  const size_t slash = file.rfind('/');
  return (slash == std::string::npos ? std::string(".") : file.substr(0, slash)) + "/libexit_rl_cuda.so";
}

Plugin load() {
  Plugin out;
  const char* wanted = std::getenv("EXIT_RL_CUDA_PLUGIN");
  out.path = wanted && *wanted ? wanted : beside_this();
  if (access(out.path.c_str(), R_OK) != 0) {
    out.reason = wanted ? "EXIT_RL_CUDA_PLUGIN names " + out.path + ", which cannot be read"
                        : "this build has no CUDA plugin: install the CUDA toolkit (nvcc 12.0 or newer) and run npm rebuild exit-rl";
    return out;
  }
  void* const library = dlopen(out.path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    out.reason = std::string("the plugin cannot be loaded: ") + dlerror();
    return out;
  }
  const auto entry = reinterpret_cast<BackendEntry>(dlsym(library, kBackendSymbol));
  if (!entry) {
    out.reason = out.path + " is not a plugin of exit-rl: it has no symbol " + kBackendSymbol;
    return out;
  }
  const Backend* const backend = entry();
  if (backend->abi != kBackendAbi) {
    out.reason = out.path + " has interface " + std::to_string(backend->abi) + ", this addon needs " + std::to_string(kBackendAbi) +
                 ": both must come from one build. Run npm rebuild exit-rl";
    return out;
  }
  out.backend = backend;
  return out;
}

#else
Plugin load() { return {nullptr, "", "device plugins are not supported on this platform"}; }
#endif

std::string unusable(int32_t ordinal) {
  const Plugin& p = plugin();
  if (!p.backend) return p.reason;
  Status status;
  const int32_t count = p.backend->device_count(&status);
  if (status.code != 0) return status.message;
  if (count == 0) return "no CUDA device was found";
  if (ordinal >= count) return "there is no device " + std::to_string(ordinal) + ": this machine has " + std::to_string(count);
  DeviceInfo info;
  p.backend->describe(ordinal, &info, &status);
  return status.code != 0 ? status.message : info.note;
}

}  // namespace

const Plugin& plugin() {
  static const Plugin found = load();
  return found;
}

int32_t device_ordinal(const std::string& name) {
  if (name == "cpu") return -1;
  if (name == "auto") return unusable(0).empty() ? 0 : -1;
  int32_t ordinal = -1;
  if (name == "cuda") ordinal = 0;
  else if (name.starts_with("cuda:") && name.size() > 5 && name.size() < 9 && name.find_first_not_of("0123456789", 5) == std::string::npos)
    ordinal = std::atoi(name.c_str() + 5);
  require(ordinal >= 0, "device \"" + name + "\" is not known: expected cpu, cuda, cuda:N or auto");
  const std::string reason = unusable(ordinal);
  require(reason.empty(), "device " + name + " cannot be used: " + reason + ". exit-rl doctor shows more; --device cpu works without");
  return ordinal;
}

}  // namespace exitrl::device
