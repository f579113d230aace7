// The C API of cuBLASLt as far as it is used, and descriptions of products for it. The library is opened at run time (cuda/libraries.h),
// so nothing of its headers is needed; names and numbers are those of cublasLt.h, which keeps them from version to version.
//
// cuBLASLt is column-major: our row-major (R, C) with stride ld is its (C, R) with leading dimension ld. So it computes
// d^T (N, M) = op(b) (N, K) op(a) (K, M): its first factor is our b, its second our a, its bias runs along N as ours does.
// It may round a product to the type of d before it adds the addend, and that sum before it adds the bias.
#pragma once
#include <dlfcn.h>

#include <bit>
#include <cstring>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "ops/matmul/gemm_tile.h"

namespace exitrl::cuda::lt {

constexpr int kFloat32 = 0, kBfloat16 = 14;           // cudaDataType: CUDA_R_32F, CUDA_R_16BF
constexpr int kComputeFloat32 = 68;                   // CUBLAS_COMPUTE_32F: fp32 factors are not rounded to TF32
constexpr int32_t kAsIs = 0, kTransposed = 1;         // CUBLAS_OP_N, CUBLAS_OP_T
constexpr int kOfFirst = 3, kOfSecond = 4;            // CUBLASLT_MATMUL_DESC_TRANSA, _TRANSB
constexpr int kEpilogue = 7, kBiasPointer = 8;        // CUBLASLT_MATMUL_DESC_EPILOGUE, _BIAS_POINTER
constexpr uint32_t kPlain = 1, kWithBias = 4;         // CUBLASLT_EPILOGUE_DEFAULT, _BIAS
constexpr int kMostWorkspace = 1;                     // CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES
constexpr int kReductions = 3;                        // CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK
constexpr uint32_t kReducedInFloat32 = 2;             // CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE
constexpr int kAlignmentOfFirst = 5;                  // CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES; 6, 7, 8: B, C, D
constexpr int kNotSupported = 15, kInvalidValue = 7;  // cublasStatus_t
constexpr size_t kWorkspaceBytes = 32u << 20;
constexpr int kSuggestions = 16;

using Handle = void*;
using Description = void*;
using Layout = void*;
using Preference = void*;
struct Algorithm {
  uint64_t data[8];
};
struct Heuristic {
  Algorithm algorithm;
  size_t workspace_bytes;
  int state;
  float waves;
  int reserved[4];
};

// The functions of the library; false where one is missing.
struct Api {
  int (*create)(Handle*);
  int (*destroy)(Handle);
  int (*description_create)(Description*, int compute, int scale_type);
  int (*description_destroy)(Description);
  int (*description_set)(Description, int attribute, const void*, size_t);
  int (*layout_create)(Layout*, int type, uint64_t rows, uint64_t columns, int64_t ld);
  int (*layout_destroy)(Layout);
  int (*preference_create)(Preference*);
  int (*preference_destroy)(Preference);
  int (*preference_set)(Preference, int attribute, const void*, size_t);
  int (*heuristic)(Handle, Description, Layout a, Layout b, Layout c, Layout d, Preference, int wanted, Heuristic*,
                   int* found);
  int (*algorithm_check)(Handle, Description, Layout a, Layout b, Layout c, Layout d, const Algorithm*, Heuristic*);
  int (*matmul)(Handle, Description, const void* alpha, const void* a, Layout, const void* b, Layout, const void* beta, const void* c,
                Layout, void* d, Layout, const Algorithm*, void* workspace, size_t workspace_bytes, cudaStream_t);

  bool load(void* library) {
    const auto find = [&](auto& function, const char* name) {
      void* const symbol = dlsym(library, name);
      std::memcpy(&function, &symbol, sizeof symbol);
      return symbol != nullptr;
    };
    return find(create, "cublasLtCreate") && find(destroy, "cublasLtDestroy") && find(description_create, "cublasLtMatmulDescCreate") &&
           find(description_destroy, "cublasLtMatmulDescDestroy") &&
           find(description_set, "cublasLtMatmulDescSetAttribute") &&
           find(layout_create, "cublasLtMatrixLayoutCreate") && find(layout_destroy, "cublasLtMatrixLayoutDestroy") &&
           find(preference_create, "cublasLtMatmulPreferenceCreate") &&
           find(preference_destroy, "cublasLtMatmulPreferenceDestroy") &&
           find(preference_set, "cublasLtMatmulPreferenceSetAttribute") &&
           find(heuristic, "cublasLtMatmulAlgoGetHeuristic") && find(algorithm_check, "cublasLtMatmulAlgoCheck") &&
           find(matmul, "cublasLtMatmul");
  }
};

inline void demand(int status, const char* what) {
  if (status == 0) return;
  check(cudaGetLastError(), what);
  fail(ErrorCode::internal, std::string(what) + " failed with cuBLAS status " + std::to_string(status) +
                                "; EXIT_RL_CUBLASLT=off uses our own kernels");
}

// The same of a call that launches. What an earlier kernel did wrong is often first seen here; the library has a CUDA runtime of its
// own and says no more than that it failed, but the stream says what it was.
inline void demand(const Context& context, int status, const char* what) {
  cudaStreamCaptureStatus capturing = cudaStreamCaptureStatusNone;
  if (status != 0 && cudaStreamIsCapturing(context.stream, &capturing) == cudaSuccess && capturing == cudaStreamCaptureStatusNone)
    check(cudaStreamSynchronize(context.stream), what);
  demand(status, what);
}

// The least power of two, up to 256, that divides the address.
inline uint32_t alignment(const void* p) {
  const auto address = reinterpret_cast<uintptr_t>(p);
  return uint32_t(address % 256 == 0 ? 256 : address & -address);
}

// What a plan depends on. The plan, and so the bits of the result, depend on nothing else.
using Key = std::tuple<int, int, int, bool, bool, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, uint32_t, uint32_t, uint32_t,
                       uint32_t>;
inline Key key_of(const device::Gemm& a) {
  return {int(a.kind), int(a.input), int(a.output), a.bias != nullptr, a.addend != nullptr, a.M, a.N, a.K, a.lda, a.ldb, a.ldd,
          alignment(a.a), alignment(a.b), alignment(a.addend ? a.addend : a.d), alignment(a.d)};
}

// Products that share what was found by timing: as many rows, or numbers in a sum, to the next power of two.
inline Key bucket_of(const device::Gemm& a) {
  device::Gemm size = a;
  int64_t& tokens = a.kind == GemmKind::tn ? size.K : size.M;
  tokens = int64_t(std::bit_ceil(uint64_t(tokens)));
  return key_of(size);
}

struct Plan {
  const Api& api;
  Description description = nullptr;
  Layout first = nullptr, second = nullptr, result = nullptr;
  Algorithm algorithm{};
  bool usable = false;

  explicit Plan(const Api& api) : api(api) {}
  Plan(const Plan&) = delete;
  ~Plan() {
    for (Layout layout : {first, second, result})
      if (layout) api.layout_destroy(layout);
    if (description) api.description_destroy(description);
  }

  // Describes the product; the library's suggestions for it, best guess first.
  std::vector<Heuristic> make(Handle handle, const device::Gemm& a, size_t workspace_bytes, int wanted) {
    const int in = a.input == Precision::bf16 ? kBfloat16 : kFloat32, out = a.output == Precision::bf16 ? kBfloat16 : kFloat32;
    const int32_t of_first = a.kind == GemmKind::nt ? kTransposed : kAsIs;
    const int32_t of_second = a.kind == GemmKind::tn ? kTransposed : kAsIs;
    const uint32_t epilogue = a.bias ? kWithBias : kPlain;
    demand(api.description_create(&description, kComputeFloat32, kFloat32), "cublasLtMatmulDescCreate");
    const auto set = [&](int attribute, const auto& value) {
      demand(api.description_set(description, attribute, &value, sizeof value), "cublasLtMatmulDescSetAttribute");
    };
    set(kOfFirst, of_first);
    set(kOfSecond, of_second);
    set(kEpilogue, epilogue);
    if (a.bias) set(kBiasPointer, a.bias);
    const auto layout = [&](Layout& made, int type, int64_t rows, int64_t columns, int64_t ld) {
      demand(api.layout_create(&made, type, uint64_t(rows), uint64_t(columns), ld), "cublasLtMatrixLayoutCreate");
    };
    layout(first, in, a.kind == GemmKind::nt ? a.K : a.N, a.kind == GemmKind::nt ? a.N : a.K, a.ldb);
    layout(second, in, a.kind == GemmKind::tn ? a.M : a.K, a.kind == GemmKind::tn ? a.K : a.M, a.lda);
    layout(result, out, a.N, a.M, a.ldd);
    Preference preference = nullptr;
    demand(api.preference_create(&preference), "cublasLtMatmulPreferenceCreate");
    const std::unique_ptr<void, int (*)(Preference)> owner(preference, api.preference_destroy);
    const uint64_t workspace = workspace_bytes;
    demand(api.preference_set(preference, kMostWorkspace, &workspace, sizeof workspace), "cublasLtMatmulPreferenceSetAttribute");
    // Sums of parts of K are kept in fp32, whatever the type of the result.
    demand(api.preference_set(preference, kReductions, &kReducedInFloat32, sizeof kReducedInFloat32),
           "cublasLtMatmulPreferenceSetAttribute");
    const uint32_t alignments[4] = {alignment(a.b), alignment(a.a), alignment(a.addend ? a.addend : a.d), alignment(a.d)};
    for (int i = 0; i < 4; ++i)
      demand(api.preference_set(preference, kAlignmentOfFirst + i, &alignments[i], sizeof alignments[i]),
             "cublasLtMatmulPreferenceSetAttribute");
    std::vector<Heuristic> suggestions(static_cast<size_t>(wanted));
    int found = 0;
    if (api.heuristic(handle, description, first, second, result, result, preference, wanted, suggestions.data(), &found) != 0) found = 0;
    suggestions.resize(static_cast<size_t>(found));
    std::erase_if(suggestions, [&](const Heuristic& h) { return h.state != 0 || h.workspace_bytes > workspace_bytes; });
    usable = !suggestions.empty();
    if (usable) algorithm = suggestions.front().algorithm;
    return suggestions;
  }
  // Whether an algorithm that was chosen for a product of about this size computes this one, too.
  bool accepts(Handle handle, const Algorithm& other, size_t workspace_bytes) const {
    Heuristic found{};
    return api.algorithm_check(handle, description, first, second, result, result, &other, &found) == 0 &&
           found.workspace_bytes <= workspace_bytes;
  }
  // The status of the library's call.
  int run(Handle handle, const Context& context, const device::Gemm& a, const Algorithm& with) const {
    const float beta = a.addend ? 1.0f : 0.0f;
    const void* const addend = a.addend ? a.addend : a.d;
    return api.matmul(handle, description, &a.alpha, a.b, first, a.a, second, &beta, addend, result, a.d, result, &with, context.workspace,
                      context.workspace_bytes, context.stream);
  }
};

}  // namespace exitrl::cuda::lt
