// Times one op of a device on random data: the numbers behind `gpu:bench`. FLOPs and bytes are those the formula needs.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "bench/bench.h"
#include "device/device.h"

namespace exitrl::device {

// Ops and their shapes, all in one precision:
//   copy [bytes]
//   gemm_nt | gemm_nn | gemm_tn [M, N, K]            gemm_tn adds to fp32
//   logits [M, N, K]                                 gemm_nt with fp32 results
//   gemm_nt_against_bare | .. | logits_against_bare  each of these in turns with a bare loop of cuBLASLt for this shape alone
//   gemm_nt_fixed | gemm_nn_fixed | gemm_tn_fixed    in a fixed order (exact mode)
//   rmsnorm_forward | rmsnorm_backward [T, C]        glu_forward | glu_backward [T, F]
//   qk_rope_forward | qk_rope_backward [T, H, K, D]
//   embedding_forward | embedding_backward [T, C, V]
//   attention_forward | attention_backward [B, T, H, K, D]       B sequences of T tokens
//   attention_decode [B, T, H, K, D]                 B sequences with T keys each
//   attention_decode_group [G, S, P, T, H, K, D]     G groups of S samples: P shared keys, T keys each beside them
//   head_rows | head_gradient [R, V]                 head [R, C, V]: logits, rows, gradients and their two products
//   sample | sample_top_p [R, V]
//   adamw | gradient_norm [n]
// Ops that are bound by memory take turns among several sets of buffers, so that no cache holds what they read.
// `warm_up`: seconds of work before the first window, for the clocks to rise; a window is a tenth of it, `repeats` are measured.
// Throws for another name or a shape of another length.
BenchResult run_bench(Device& device, const std::string& op, const std::vector<int64_t>& shape, Precision precision, int64_t repeats,
                      double warm_up = 0.25);

}  // namespace exitrl::device
