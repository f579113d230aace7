// optimizer.safetensors: what a run needs beside the weights to go on bit for bit.
#pragma once
#include <string>

#include "io/safetensors.h"
#include "models/weights.h"

namespace exitrl {

// Slabs in the layout of what is trained: all weights, or an adapter. Null: not there.
struct TrainingState {
  int64_t step = 0;
  const float* exp_avg = nullptr;
  const float* exp_avg_sq = nullptr;
  const float* reference = nullptr;
  bool reference_is_base = false;  // of an adapter: the weights without it
};
void save_state(const std::string& path, const ParameterList& list, const TrainingState& state);

// A state file, checked against the parameters when opened: read() then fails only where the file itself goes away.
class StateFile {
 public:
  StateFile(const std::string& path, const ParameterList& list);
  int64_t step() const { return step_; }
  bool reference_is_base() const { return reference_is_base_; }
  // part: "exp_avg", "exp_avg_sq" or "reference".
  bool has(const std::string& part) const;
  void read(const std::string& part, float* slab) const;

 private:
  const ParameterList& list_;
  SafetensorsFile file_;
  int64_t step_ = 0;
  bool reference_is_base_ = false;
};

}  // namespace exitrl
