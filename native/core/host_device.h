// For functions that nvcc compiles for the host and for the card, and any other compiler for the host.
#pragma once

#ifdef __CUDACC__
#define EXITRL_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define EXITRL_HOST_DEVICE inline
#endif
