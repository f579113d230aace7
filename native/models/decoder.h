// The decoder: one forward pass over packed rows for training, scoring, prefill and decoding alike (that is what makes
// a sampled token's log-probability equal to the trained one bit for bit), and its backward pass.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/arena.h"
#include "core/pool.h"
#include "models/adapter.h"
#include "models/weights.h"
#include "ops/attention/attention.h"

namespace exitrl {

enum class Recompute { none, block };

// A set of weights with its packed copy.
struct Weights {
  Weights(const DecoderConfig& config, const Layout& layout) : slab(layout.size), packed(config, layout) {}
  Buffer<float> slab;
  PackedWeights packed;
};

// What a pass computes with: weights, and perhaps an adapter to them. With an adapter the weights are frozen; policies
// that differ in their adapters share them.
struct Policy {
  Policy(const DecoderConfig& config, const Layout& layout) : Policy(std::make_shared<Weights>(config, layout), nullptr) {}
  Policy(const Policy& base, Adapter* other) : Policy(base.weights, other) {}

  const std::shared_ptr<Weights> weights;
  Buffer<float>& slab;
  PackedWeights& packed;
  Adapter* adapter;      // not owned; null: none
  uint64_t version = 0;  // changes with every update: caches made under another version are stale
  void pack(Pool& pool) {
    packed.pack(pool, slab.data());
    pack_adapter(pool);
  }
  // Enough when only the adapter has changed.
  void pack_adapter(Pool& pool) {
    if (adapter) adapter->pack(pool);
    ++version;
  }

 private:
  Policy(std::shared_ptr<Weights> shared, Adapter* other)
      : weights(std::move(shared)), slab(weights->slab), packed(weights->packed), adapter(other) {}
};

// Rows of one pass: tokens with their positions, and the spans of consecutive rows of a sequence.
struct Rows {
  const int32_t* tokens;     // (T)
  const int32_t* positions;  // (T)
  const AttentionSpan* spans;
  int64_t span_count;
  int64_t T;
  // A training pass whose sequences share rows (train/micro_batch.h); not for decoding.
  const AttentionSpan* copies = nullptr;  // rows whose keys and values go into further pages
  int64_t copy_count = 0;
  const int32_t* families = nullptr;      // (F + 1) borders in spans: see AttentionBackward
  int64_t family_count = 0;
};

// Keys and values of all layers: layer l starts at l * layer_stride.
struct KvStore {
  float* keys;
  float* values;
  int64_t layer_stride;  // 0: every layer uses the same pages (a training pass keeps k and v in its activations)
  int64_t page_stride;
};

// What a training pass keeps of one layer for the backward pass.
struct LayerActivations {
  float* x;         // (T, C) residual stream before the layer
  float* rstd1;     // (T)
  float* h1;        // (T, C) after the input norm
  float* qkv;       // (T, (H + 2K) D) after q/k norm and RoPE
  float* qk_raw;    // (T, (H + K) D) before q/k norm; null without q/k norm
  float* qk_rstd;   // (T, H + K)
  float* o;         // (T, H D) attention output
  float* lse;       // (T, H)
  float* x_mid;     // (T, C) residual stream after attention
  float* rstd2;     // (T)
  float* h2;        // (T, C) after the second norm
  float* gate_up;   // (T, 2F)
  float* lora[kSites];  // (T, ranks of the targets) u of every adapted matrix; null for the others
};

// Memory of a pass over at most `rows` rows. For decoding, layers share one set of activations.
class Workspace {
 public:
  enum class Use { forward, training };
  // `adapter`: of the policies that will use it; null: none has one.
  Workspace(const DecoderConfig& config, int64_t rows, Use use, Recompute recompute, const AdapterLayout* adapter = nullptr);
  static MemorySegments plan(const DecoderConfig& config, int64_t rows, Use use, Recompute recompute,
                             const AdapterLayout* adapter = nullptr);

  int64_t rows;
  Use use;
  Recompute recompute;
  std::vector<LayerActivations> layers;  // L, or all equal for Use::forward / shared parts for recompute
  float* x_out;       // (T, C) residual stream after the last layer
  float* hidden;      // (T, C) after the final norm
  float* rstd_final;  // (T)
  float* glu;         // (T, F)
  // backward only
  float* dx;          // (T, C)
  float* dh;          // (T, C)
  float* dqkv;        // (T, (H + 2K) D)
  float* d_o;         // (T, H D)
  float* dgate_up;    // (T, 2F)
  float* dglu;        // (T, F)
  float* dlora;       // (T, ranks of a matrix's targets); null without an adapter
 private:
  struct Planning {};
  Workspace(Planning, const DecoderConfig& config, int64_t rows, Use use, Recompute recompute, const AdapterLayout* adapter);
  Arena arena_;
};

class Decoder {
 public:
  explicit Decoder(DecoderConfig config);
  const DecoderConfig config;
  const Layout layout;
  const RopeTable rope_table;  // max_positions rows

  // Runs every layer: ws.x_out and ws.hidden hold the result. `each_layer(l, x)` (optional) sees the residual stream.
  void forward(Pool& pool, const Policy& policy, const Rows& rows, const KvStore& kv, Workspace& ws,
               const std::function<void(int64_t, const float*)>& each_layer = {}) const;

  // Backward of families of whole sequences. ws.dh holds the gradient by ws.hidden on entry; adds to `gradients`, a slab of
  // the adapter's layout if the policy has an adapter, else of this one. kv is scratch for recomputation.
  void backward(Pool& pool, const Policy& policy, const Rows& rows, const KvStore& kv, Workspace& ws, float* gradients) const;

 private:
  void layer_forward(Pool& pool, const Policy& policy, int64_t l, const Rows& rows, const KvStore& kv,
                     const LayerActivations& a, float* x_next, float* glu) const;
};

}  // namespace exitrl
