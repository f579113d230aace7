// Hugging Face folders: weights in (sharded or not) and weights out.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/pool.h"
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
  const std::vector<std::unique_ptr<SafetensorsFile>>& files() const { return files_; }
  const std::string& directory() const { return directory_; }

  // The tensor of every parameter, in the order of `layout`. A missing tensor, another shape, a tensor without
  // floating-point numbers or one that belongs to no parameter is an error that names it (rotary inv_freq buffers are
  // ignored, as is the head of a tied model: see load_weights).
  std::vector<Entry> match(const DecoderConfig& config, const Layout& layout) const;

 private:
  std::string directory_;
  std::vector<std::unique_ptr<SafetensorsFile>> files_;
};

// Where weights go: a slab of `layout.size` elements of this type.
struct WeightTarget {
  Dtype dtype;
  std::byte* slab;
};

// Reads every parameter into the slab: one pass over the mapped files, all threads, converting on the way, and pages that
// were read stop counting as memory. Nothing is held twice. The head of a tied model must equal the embedding if it is
// there. Returns the type that each parameter is saved in when nobody asks for another: that of its tensor (F32 for F64),
// or what a checkpoint of training says its source had.
std::vector<Dtype> load_weights(const Checkpoint& checkpoint, const DecoderConfig& config, const Layout& layout, Pool& pool,
                                WeightTarget target);

struct SaveSettings {
  std::vector<Dtype> dtypes;         // one for each parameter of the list: F32, F16 or BF16
  // Not empty: what load_weights is to return for the file that is written, in its metadata.
  std::vector<Dtype> source;
  int64_t max_shard_bytes = 5'000'000'000;
};
// Writes DIR/NAME.safetensors, or, where that would hold more than max_shard_bytes (a larger tensor has a file of its own),
// DIR/NAME-00001-of-0000N.safetensors and DIR/NAME.safetensors.index.json. Returns the names of the files. All files are
// written under other names first and renamed at the end.
std::vector<std::string> save_weights(const std::string& path, const ParameterList& list, const float* slab, const SaveSettings& settings);

}  // namespace exitrl
