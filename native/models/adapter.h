// A LoRA adapter of a decoder: low-rank matrices beside its frozen linear layers (ops/lora), in a slab of their own.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/buffer.h"
#include "core/pool.h"
#include "models/adapter_config.h"
#include "models/weights.h"

namespace exitrl {

// Where B (N, rank) of a target lies: floats from the start of the slab and of the packed copy.
struct AdaptedRows {
  int64_t row, N;
  int64_t b, packed;
};

// A matrix of a layer. The A (rank, K) of its targets lie below one another.
struct AdaptedMatrix {
  int64_t K = 0, width = 0;  // inputs and outputs of the whole matrix
  int64_t a = 0, packed = 0;
  std::vector<AdaptedRows> targets;
};

// Parameters have peft's names: base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight, ...
struct AdapterLayout : ParameterList {
  AdapterConfig config;
  std::vector<std::array<AdaptedMatrix, kSites>> layers;
  int64_t packed_size = 0;  // floats
  int64_t first_layer = 0;  // below it nothing is adapted: the backward pass ends there
  const AdaptedMatrix& at(int64_t l, Site site) const { return layers[size_t(l)][size_t(site)]; }
  // Columns of u: the ranks of the matrix's targets.
  int64_t width(int64_t l, Site site) const { return int64_t(at(l, site).targets.size()) * config.rank; }
  // The same of the layer where it is largest: what one set of activations for all layers needs.
  int64_t widest(Site site) const {
    int64_t most = 0;
    for (size_t l = 0; l < layers.size(); ++l) most = std::max(most, width(int64_t(l), site));
    return most;
  }
};
// Throws what check_targets() throws.
std::shared_ptr<const AdapterLayout> make_adapter_layout(const DecoderConfig& decoder, AdapterConfig config);

class Adapter {
 public:
  // All weights are zero.
  explicit Adapter(std::shared_ptr<const AdapterLayout> layout);
  const std::shared_ptr<const AdapterLayout> layout;
  Buffer<float> slab;

  // Call after changing the slab.
  void pack(Pool& pool);
  // Whether every B is zero, as at the beginning: the adapted model is the base.
  bool is_zero() const;
  void multiply_b(float factor);

  // The calls of ops/lora for one matrix; nothing where it has no targets. `gradients` is a slab of this layout.
  void forward(Pool& pool, int64_t l, Site site, int64_t T, const float* x, float* u, float* y) const;
  void backward(Pool& pool, int64_t l, Site site, int64_t T, const float* dy, const float* u, float* du, float* dx, float* gradients) const;
  void backward_a(Pool& pool, int64_t l, Site site, int64_t T, const float* du, const float* x, float* gradients) const;
  // Adds the adapter to a slab of the decoder's weights.
  void merge_into(Pool& pool, const Layout& base, float* weights) const;

 private:
  Buffer<float> packed_;
};

}  // namespace exitrl
