// The decoder on a device: models/decoder.h with numbers of one precision for weights and activations. Sums, norms' factors and
// gradients of weights are fp32. One forward function serves training, scoring, prefill and decoding here, too.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "device/device.h"
#include "models/adapter.h"
#include "models/decoder.h"

namespace exitrl::device {

// Slabs of the model's layout and, where there is an adapter, of the adapter's, rounded to the precision.
struct DevicePolicy {
  const std::byte* weights = nullptr;
  const std::byte* adapter = nullptr;
  bool operator==(const DevicePolicy&) const = default;
};

// What a pass reads on the device. Everything lies in memory of the phase.
struct PassRows {
  int64_t T = 0;
  const int32_t* tokens = nullptr;     // (T)
  const int32_t* positions = nullptr;  // (T)
  const int32_t* slots = nullptr;      // (T)
  const int32_t* copy_rows = nullptr;  // (copy_count)
  const int32_t* copy_slots = nullptr;
  int64_t copy_count = 0;

  const AttentionItem* items = nullptr;
  const int32_t* item_rows = nullptr;
  const int32_t* pages = nullptr;
  int64_t item_count = 0;
  const int32_t* merge_rows = nullptr;
  const int32_t* merge_starts = nullptr;
  const int32_t* merge_parts = nullptr;
  int64_t merge_count = 0;
  float* partial_o = nullptr;
  float* partial_lse = nullptr;
  bool few_queries = false;  // see AttentionForward
  const int32_t* item_counts = nullptr;

  // Backward only.
  const AttentionBackwardItem* query_items = nullptr;
  const AttentionBackwardItem* key_items = nullptr;
  const AttentionSegment* segments = nullptr;
  int64_t query_item_count = 0, key_item_count = 0;
  const int32_t* token_order = nullptr;
  const int32_t* token_starts = nullptr;
  const int32_t* token_ids = nullptr;
  const int32_t* long_starts = nullptr;
  int64_t pieces = 0, long_tokens = 0, long_pieces = 0;
};

// Pages of all layers, in numbers of the precision.
struct DeviceKv {
  std::byte* keys = nullptr;
  std::byte* values = nullptr;
  int64_t layer_stride = 0, page_stride = 0;  // layer_stride 0: one layer's pages serve all
};

// What a pass keeps of a layer: see LayerActivations (models/decoder.h).
struct DeviceLayer {
  void* x;
  float* rstd1;
  void* h1;
  void* qkv;
  void* qk_raw;
  float* qk_rstd;
  void* o;
  float* lse;
  void* x_mid;
  float* rstd2;
  void* h2;
  void* gate_up;
  void* lora[kSites];
};

struct DeviceWorkspace {
  int64_t rows = 0;
  Workspace::Use use = Workspace::Use::forward;
  Recompute recompute = Recompute::none;
  std::vector<DeviceLayer> layers;
  void* x_out = nullptr;
  void* hidden = nullptr;
  float* rstd_final = nullptr;
  void* glu = nullptr;
  // backward only
  void* dx = nullptr;
  void* dh = nullptr;
  void* dqkv = nullptr;
  void* d_o = nullptr;
  void* dgate_up = nullptr;
  void* dglu = nullptr;
  void* dlora = nullptr;
  float* delta = nullptr;     // (T, H)
  float* partials = nullptr;  // of sums over rows
};

// Places of a workspace for `rows` rows; counts only while `segments` has no memory.
DeviceWorkspace lay_out(Segments& segments, const DecoderConfig& config, Precision precision, int64_t rows, Workspace::Use use,
                        Recompute recompute, const AdapterLayout* adapter);

// Numbers of one layer's keys (or values) in a page.
inline int64_t page_numbers(const DecoderConfig& c) { return c.K * kPagePositions * c.D; }
inline int64_t bytes_of(Precision p) { return p == Precision::bf16 ? 2 : 4; }

class DeviceDecoder {
 public:
  DeviceDecoder(Device& device, const Decoder& decoder, Precision precision, Order order);

  void forward(const DevicePolicy& policy, const AdapterLayout* adapter, const PassRows& rows, const DeviceKv& kv,
               const DeviceWorkspace& ws, const std::function<void(int64_t, const void*)>& each_layer = {});
  // As Decoder::backward. `gradients`: fp32 slab of the adapter's layout if there is one, else of the model's.
  void backward(const DevicePolicy& policy, const AdapterLayout* adapter, const PassRows& rows, const DeviceKv& kv,
                const DeviceWorkspace& ws, float* gradients);
  // y (rows, V) fp32 = hidden W^T
  void logits(const DevicePolicy& policy, const void* hidden, int64_t rows, float* y);
  // dh (rows, C) = dz W;  dw += dz^T h where `gradients` is a slab of the model's layout. dz has rows of `stride` numbers.
  void logits_backward(const DevicePolicy& policy, const void* dz, int64_t stride, const void* hidden, int64_t rows, void* dh,
                       float* gradients);

  int64_t number_bytes() const { return bytes_of(precision); }
  // The window that all layers share; 0: none, or they differ.
  int64_t common_window() const;

  const Decoder& decoder;
  const Precision precision;
  const Order order;

 private:
  struct Linear {
    const void* x;
    const std::byte* w;  // (N, K)
    const void* bias;
    const void* addend;
    void* y;
    int64_t N, K;
  };
  void linear(int64_t T, const Linear& a);
  void linear_backward(int64_t T, const void* dy, const void* x, const std::byte* w, void* dx, float* dw, float* dbias, int64_t N,
                       int64_t K, float* partials);
  void lora_forward(const DevicePolicy& policy, const AdapterLayout& adapter, int64_t l, Site site, int64_t T, const void* x, void* u,
                    void* y);
  void lora_backward(const DevicePolicy& policy, const AdapterLayout& adapter, int64_t l, Site site, int64_t T, const void* dy,
                     const void* u, void* du, void* dx, float* gradients);
  void lora_backward_a(const AdapterLayout& adapter, int64_t l, Site site, int64_t T, const void* du, const void* x, float* gradients);
  void layer_forward(const DevicePolicy& policy, const AdapterLayout* adapter, int64_t l, const PassRows& rows, const DeviceKv& kv,
                     const DeviceLayer& a, void* x_next, void* glu);
  const std::byte* at(const std::byte* slab, int64_t offset) const { return slab + offset * number_bytes(); }

  Device& device_;
  DeviceBuffer rope_;  // cos, then sin: (max_positions, D / 2) each
  const float *cos_ = nullptr, *sin_ = nullptr;
};

}  // namespace exitrl::device
