// Hugging Face folders: weights in (sharded or not), weights out, training state.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "io/safetensors.h"
#include "models/weights.h"

namespace exitrl {

// The safetensors files of a folder: DIR/model.safetensors, or the shards of DIR/model.safetensors.index.json.
// The index must agree with what the shards hold.
class Checkpoint {
 public:
  explicit Checkpoint(const std::string& directory);
  struct Entry {
    const Tensor* tensor = nullptr;
    const SafetensorsFile* file = nullptr;
    explicit operator bool() const { return tensor != nullptr; }
  };
  Entry find(std::string_view name) const;
  std::vector<Entry> entries() const;
  const std::string& directory() const { return directory_; }

 private:
  std::string directory_;
  std::vector<std::unique_ptr<SafetensorsFile>> files_;
};

// Reads every parameter of `layout` into `slab`. A missing tensor, another shape or an unknown extra tensor is an error
// that names it (rotary inv_freq buffers are ignored, as is lm_head.weight of a tied model when it equals the embedding).
void load_weights(const std::string& directory, const DecoderConfig& config, const Layout& layout, float* slab);
// Writes all parameters to one safetensors file (F32), atomically.
void save_weights(const std::string& path, const ParameterList& list, const float* slab);

// What a run needs beside the weights to go on bit for bit. Null: not there.
struct TrainingState {
  int64_t step = 0;
  const float* exp_avg = nullptr;
  const float* exp_avg_sq = nullptr;
  const float* reference = nullptr;
  bool reference_is_base = false;  // of an adapter: the weights without it
};
void save_state(const std::string& path, const ParameterList& list, const TrainingState& state);

// A state file, checked against the parameters when opened: read() then cannot fail half way.
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
