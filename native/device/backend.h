// The table that a device plugin (libexit_rl_cuda.so) hands out: plain C, so that plugin and addon may come from different
// compilers. Every call reports through Status and never throws. All work of a context goes to one stream, in order; nothing
// here waits for the device except synchronise() and download().
#pragma once
#include <cstdint>

#include "device/op_list.h"

namespace exitrl::device {

constexpr uint32_t kBackendAbi = 6;

struct Status {
  int32_t code = 0;  // 0: well; 1: invalid argument; 2: out of memory; 3: the device failed and is not usable any more; 4: other
  char message[500] = {};
};

struct DeviceInfo {
  char name[128];
  char note[300];            // empty, or why this card cannot be used and what to do
  int32_t compute;           // compute capability: 90 for 9.0; 0: emulated
  int32_t multiprocessors;
  int64_t memory_bytes, free_bytes;
  int64_t reserve_bytes;     // of the free ones, room for what is not planned (graphs, code, libraries)
  int32_t driver, runtime;   // versions as CUDA counts them: 13000 for 13.0
  char libraries[1000];      // one line each: what was found and where, or why not
};

struct Instance;  // a context on one device
struct Graph;

struct Backend {
  uint32_t abi;
  char version[64];  // of the package it was built from
  char kind[16];     // "cuda" or "emulated"

  int32_t (*device_count)(Status*);
  void (*describe)(int32_t device, DeviceInfo*, Status*);
  Instance* (*open)(int32_t device, Status*);
  void (*close)(Instance*);

  void* (*allocate)(Instance*, int64_t bytes, Status*);
  void (*release)(Instance*, void*);
  // Host memory that the device reads and writes without the CPU.
  void* (*allocate_pinned)(Instance*, int64_t bytes, Status*);
  void (*release_pinned)(Instance*, void*);
  // In the stream's order. Host memory of upload() and download_later() must be pinned or outlive the copy.
  void (*upload)(Instance*, void* to, const void* from, int64_t bytes, Status*);
  void (*download_later)(Instance*, void* to, const void* from, int64_t bytes, Status*);
  void (*copy)(Instance*, void* to, const void* from, int64_t bytes, Status*);
  void (*fill)(Instance*, void* to, int32_t byte, int64_t bytes, Status*);
  void (*synchronise)(Instance*, Status*);
  // A mark in the stream; wait_mark() waits on the host until the stream has passed it. 32 marks, numbered from 0.
  void (*set_mark)(Instance*, int32_t mark, Status*);
  void (*wait_mark)(Instance*, int32_t mark, Status*);

  // Work between the two is recorded, not run.
  void (*begin_graph)(Instance*, Status*);
  Graph* (*end_graph)(Instance*, Status*);
  void (*run_graph)(Instance*, Graph*, Status*);
  void (*release_graph)(Instance*, Graph*);

  // For benchmarks: the product `times` times in a row by cuBLASLt, as one would call it for this shape alone. Fails where it is not
  // there.
  void (*bare_gemm)(Instance*, const Gemm*, int64_t times, Status*);

#define EXITRL_OP(name, Arguments) void (*name)(Instance*, const Arguments*, Status*);
  EXITRL_DEVICE_OPS(EXITRL_OP)
#undef EXITRL_OP
};

// The one symbol of a plugin.
constexpr const char* kBackendSymbol = "exitrl_backend";
using BackendEntry = const Backend* (*)();

}  // namespace exitrl::device
