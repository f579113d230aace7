// What a training, scoring or embedding pass needs beside the weights: small arrays that the host plans, and memory.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "device/attention_plan.h"
#include "device/batch_plan.h"
#include "device/decoder.h"
#include "device/device.h"
#include "train/micro_batch.h"

namespace exitrl::device {

// Rows of logits at a time, in at most about 1.25 GB. Every chunk reads the head twice and reads and writes its gradient in fp32, 12 V C
// bytes beside products of 6 R V C FLOPs: with 2048 rows that is a sixth of their time on an H200, with 1024 a third.
inline int64_t head_chunk(int64_t V) { return std::clamp<int64_t>(int64_t{1'250'000'000} / (4 * V) / 256 * 256, 256, 4096); }

// The arrays of a micro-batch, on the host.
struct PassPlan {
  std::vector<int32_t> slots, copy_rows, copy_slots;
  AttentionPlan attention;
  // Training only.
  AttentionBackwardPlan backward;
  BatchPlan lists;
  std::vector<int32_t> sequence_of;
  // Of targets; int32 for the device.
  std::vector<int32_t> gather;

  // Upper bound of what send() and the pass add to the staging area.
  int64_t bytes(const MicroBatch& micro) const;
  // Adds the arrays of the decoder's passes.
  PassRows send(Staging& staging, const MicroBatch& micro) const;
};
PassPlan plan_pass(const MicroBatch& micro, const DecoderConfig& config, int64_t window, Workspace::Use use);

// Sizes that the largest micro-batch needs, and how many targets all of them have together.
struct PassSizes {
  int64_t pages = 1, N = 0, B = 1, bytes = 256, targets = 0;
  void grow(const MicroBatch& micro, const PassPlan& plan) {
    targets += micro.N();
    pages = std::max(pages, micro.pages);
    N = std::max(N, micro.N());
    B = std::max(B, micro.B());
    bytes = std::max(bytes, plan.bytes(micro));
  }
};

// Places in the memory of the phase.
struct PassMemory {
  PassMemory() = default;
  PassMemory(Segments& segments, const DecoderConfig& config, Precision precision, int64_t rows, Workspace::Use use, Recompute recompute,
             const AdapterLayout* adapter, const PassSizes& most);
  DeviceWorkspace workspace;
  DeviceKv kv;                          // pages of one layer
  float* logits = nullptr;              // (head_chunk(V), V)
  void* head_in = nullptr;              // (N, C) hidden rows that predict the targets
  void* head_d = nullptr;               // (N, C) their gradients
  float *logprob = nullptr, *entropy = nullptr;                                        // (targets) of all micro-batches
  float *max = nullptr, *log_sum = nullptr, *dlogprob = nullptr, *dentropy = nullptr;  // (N)
  double* scratch = nullptr;            // of pg_loss
  std::byte* small = nullptr;           // where the staged arrays lie
};

}  // namespace exitrl::device
