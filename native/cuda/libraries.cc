#include "cuda/libraries.h"

#include <dlfcn.h>
#include <glob.h>
#include <link.h>
#include <unistd.h>

#include <cstdlib>
#include <set>
#include <sstream>
#include <utility>
#include <vector>

namespace exitrl::cuda {
namespace {

struct Search {
  const char* name;
  const char* variable;
  std::vector<std::string> sonames;  // best first
  const char* version_symbol;
  const char* advice;
};

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value ? value : "";
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);)
    if (!part.empty()) parts.push_back(part);
  return parts;
}

std::vector<std::string> matches(const std::string& pattern) {
  glob_t found{};
  std::vector<std::string> paths;
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0) paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
  return paths;
}

// Patterns of folders that hold Python packages.
std::vector<std::string> package_folders() {
  std::vector<std::string> folders = split(environment("PYTHONPATH"), ':'), prefixes;
  for (const char* variable : {"VIRTUAL_ENV", "CONDA_PREFIX"})
    if (!environment(variable).empty()) prefixes.push_back(environment(variable));
  for (const std::string& bin : split(environment("PATH"), ':'))
    if (access((bin + "/python3").c_str(), X_OK) == 0) prefixes.push_back(bin + "/..");
  if (!environment("HOME").empty()) prefixes.push_back(environment("HOME") + "/.local");
  for (const std::string& prefix : prefixes)
    for (const char* packages : {"/lib/python3*/site-packages", "/lib/python3*/dist-packages"}) folders.push_back(prefix + packages);
  return folders;
}

// Files to try, in order.
std::vector<std::string> candidates(const std::vector<std::string>& sonames) {
  std::vector<std::string> files;
  std::set<std::string> seen;
  const auto add = [&](const std::string& file) {
    if (seen.insert(file).second) files.push_back(file);
  };
  const std::vector<std::string> packages = package_folders();
  for (const std::string& soname : sonames) {
    for (const std::string& folder : packages)
      for (const std::string& file : matches(folder + "/nvidia/*/lib/" + soname)) add(file);
    if (!environment("CONDA_PREFIX").empty())
      for (const std::string& file : matches(environment("CONDA_PREFIX") + "/lib/" + soname)) add(file);
  }
  for (const std::string& soname : sonames) add(soname);
  for (const std::string& home : {environment("CUDA_HOME"), environment("CUDA_PATH"), std::string("/usr/local/cuda")})
    for (const std::string& soname : sonames)
      for (const char* lib : {"/lib64/", "/lib/"})
        if (!home.empty() && access((home + lib + soname).c_str(), R_OK) == 0) add(home + lib + soname);
  return files;
}

std::string path_of(void* handle, const std::string& otherwise) {
  link_map* map = nullptr;
  return dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map && map->l_name[0] ? map->l_name : otherwise;
}

// cuBLASLt and NCCL count 130102 for 13.1.2, cuDNN 91200 for 9.12.0. NCCL fills a pointer, the others return the number.
std::string version_of(void* handle, const char* symbol) {
  void* const entry = dlsym(handle, symbol);
  if (!entry) return "";
  long number = 0;
  if (std::string(symbol) == "ncclGetVersion") {
    int version = 0;
    if (reinterpret_cast<int (*)(int*)>(entry)(&version) != 0) return "";
    number = version;
  } else {
    number = long(reinterpret_cast<size_t (*)()>(entry)());
  }
  return std::to_string(number / 10000) + "." + std::to_string(number / 100 % 100) + "." + std::to_string(number % 100);
}

Library found(const Search& search, void* handle, const std::string& file) {
  return {search.name, handle, path_of(handle, file), version_of(handle, search.version_symbol), ""};
}

Library look_for(const Search& search) {
  const std::string chosen = environment(search.variable);
  if (chosen == "off") return {search.name, nullptr, "", "", std::string("switched off by ") + search.variable};
  if (!chosen.empty()) {
    if (void* handle = dlopen(chosen.c_str(), RTLD_NOW | RTLD_LOCAL)) return found(search, handle, chosen);
    const char* const error = dlerror();
    return {search.name, nullptr, "", "", std::string(search.variable) + ": " + (error ? error : "cannot be opened")};
  }
  for (const std::string& soname : search.sonames)
    if (void* handle = dlopen(soname.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD)) return found(search, handle, soname);
  std::string refused;  // a file that exists, but cannot be opened, is worth a word
  for (const std::string& file : candidates(search.sonames)) {
    if (void* handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL)) return found(search, handle, file);
    const char* const error = dlerror();
    if (refused.empty() && file.find('/') != std::string::npos && error) refused = std::string(": ") + error;
  }
  return {search.name, nullptr, "", "", "not found" + refused + "; " + search.advice};
}

}  // namespace

Library& cublaslt() {
  // That of the driver's CUDA version first: a newer one cannot be used.
  static Library library = [] {
    std::vector<std::string> sonames{"libcublasLt.so.13", "libcublasLt.so.12"};
    if (driver_major() == 12) std::swap(sonames[0], sonames[1]);
    return look_for({"cuBLASLt", "EXIT_RL_CUBLASLT", sonames, "cublasLtGetVersion",
                     "own kernels are used (pip install nvidia-cublas, or name the file in EXIT_RL_CUBLASLT)"});
  }();
  return library;
}
const Library& cudnn() {
  static const Library library = look_for({"cuDNN", "EXIT_RL_CUDNN", {"libcudnn.so.9"}, "cudnnGetVersion", "not needed"});
  return library;
}
const Library& nccl() {
  static const Library library = look_for({"NCCL", "EXIT_RL_NCCL", {"libnccl.so.2"}, "ncclGetVersion", "not needed on one device"});
  return library;
}

std::string library_report() {
  std::string report;
  for (const Library* library : {static_cast<const Library*>(&cublaslt()), &cudnn(), &nccl()})
    report += library->name + (library->handle ? " " + library->version + ": " + library->path : "") +
              (library->note.empty() ? "" : ": " + library->note) + "\n";
  return report;
}

}  // namespace exitrl::cuda
