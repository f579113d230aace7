// Times one kernel on random data: the numbers behind `exit-rl bench ops`. FLOPs and bytes are those the formula needs
// (not what an implementation happens to do), so that a rate can be put beside the peak.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/pool.h"

namespace exitrl {

struct BenchResult {
  std::vector<double> seconds;  // one per repeat
  double flops = 0, bytes = 0;  // of one repeat
  std::vector<double> rival;    // seconds of what it is compared with, in turns; mostly none
};

// Ops and their shapes:
//   peak []                                   fused multiply-adds in registers on every thread
//   stream [n]                                copies n floats: memory bandwidth
//   fresh_memory [n]                          writes to every page of new memory for n floats
//   linear_forward | linear_dx | linear_dw [T, N, K]
//   attention_forward | attention_backward | attention_decode [B, T, H, K, D]
//   rmsnorm_forward | rmsnorm_backward [T, C]     glu_forward | glu_backward [T, F]
//   head_forward | head_fused [R, C, V]           adamw [n]
// Throws for another name or a shape of another length, listing the known ones.
BenchResult run_bench(Pool& pool, const std::string& op, const std::vector<int64_t>& shape, int64_t repeats);

// Touches every cache line of a mapped file on all threads, dropping pages behind: how fast a mapped file can be read.
BenchResult bench_mapped_file(Pool& pool, const std::string& path, int64_t repeats);

}  // namespace exitrl
