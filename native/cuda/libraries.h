// NVIDIA's libraries, used where they are found at run time and never needed: cuBLASLt for products whose order is free
// (Order::any). cuDNN and NCCL are looked for so that a report can name them.
//
// Places, first hit wins: the file in EXIT_RL_CUBLASLT (EXIT_RL_CUDNN, EXIT_RL_NCCL; "off" means none); what the process has
// loaded already; the folders of pip's wheels (nvidia/*/lib) under PYTHONPATH, VIRTUAL_ENV, CONDA_PREFIX, every python3 of PATH
// and ~/.local; CONDA_PREFIX/lib; the loader's own path; CUDA_HOME, CUDA_PATH and /usr/local/cuda. Nothing is ever unloaded.
#pragma once
#include <string>

namespace exitrl::cuda {

struct Library {
  std::string name;
  void* handle = nullptr;  // of dlopen; null: not found
  std::string path, version;
  std::string note;        // why it was not found or is not used, and what to do
};

// The CUDA version that the driver supports: 13 for 13.1; 0 without one.
int driver_major();

// Each is looked for once in a process.
Library& cublaslt();
const Library& cudnn();
const Library& nccl();

// One line for each library.
std::string library_report();

// What a context keeps of its libraries: a handle and the plans of products (ops/matmul/gemm_cublaslt.cu). Null where there is no
// cuBLASLt: own kernels do everything.
struct Context;
struct Libraries;
Libraries* open_libraries(Context& context);
void close_libraries(Libraries* libraries);

}  // namespace exitrl::cuda
