// The parameters of a decoder: one slab of floats, in the order below, q/k/v and gate/up side by side so that each is
// one matrix. The same layout serves weights, gradients and optimizer moments.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/buffer.h"
#include "core/pool.h"
#include "models/config.h"
#include "ops/matmul/matmul.h"

namespace exitrl {

// A tensor as a checkpoint names it: a range of rows of the slab.
struct Parameter {
  enum class Kind { matrix, embedding, head, vector };
  std::string name;             // Hugging Face name
  std::vector<int64_t> shape;
  int64_t offset = 0;           // floats from the start of the slab
  int64_t size = 0;
  Kind kind = Kind::matrix;
};

// Hands out the places of a slab. Segments start on a cache line.
struct SlabCursor {
  int64_t at = 0;
  int64_t take(int64_t size) {
    const int64_t offset = at;
    at += (size + 15) & ~int64_t{15};
    return offset;
  }
};

// Offsets into a slab.
struct LayerLayout {
  int64_t input_norm, qkv, qkv_bias, q_norm, k_norm, o, o_bias, post_norm, gate_up, gate_up_bias, down, down_bias;
};

// What lies in a slab: all weights of a decoder, or those of an adapter (models/adapter.h).
struct ParameterList {
  int64_t size = 0;   // floats of the slab, padding included
  int64_t count = 0;  // parameters
  std::vector<Parameter> parameters;
  const Parameter& find(std::string_view name) const;  // throws, naming the closest parameter
  void add(std::string name, std::vector<int64_t> shape, int64_t offset, Parameter::Kind kind);
};

struct Layout : ParameterList {
  std::vector<LayerLayout> layers;
  int64_t embedding = 0, final_norm = 0, head = 0;  // head == embedding when tied
};
Layout make_layout(const DecoderConfig& config);

// Weights packed for linear_forward in the precision of the config: made from a slab, refreshed after every update.
struct PackedLayer {
  PackedWeight qkv, o, gate_up, down;
};
class PackedWeights {
 public:
  PackedWeights(const DecoderConfig& config, const Layout& layout);
  void pack(Pool& pool, const float* slab);
  std::vector<PackedLayer> layers;
  PackedWeight head;
  static int64_t bytes(const DecoderConfig& config);

 private:
  const DecoderConfig& config_;
  const Layout& layout_;
  void fill(Pool& pool, const float* w, int64_t N, int64_t K, PackedWeight to);
  Buffer<float> data_;
};

}  // namespace exitrl
