#include "device/decoder.h"

#include <algorithm>
#include <cmath>

namespace exitrl::device {
namespace {

DeviceLayer take_layer(Segments& s, const DecoderConfig& c, int64_t T, void* x, Precision p, const AdapterLayout* adapter, int64_t l,
                       bool shared) {
  DeviceLayer a{};
  a.x = x ? x : s.take("residual stream", T * c.C, p);
  a.rstd1 = s.take<float>("norms", T);
  a.h1 = s.take("normalised rows", T * c.C, p);
  a.qkv = s.take("qkv", T * c.qkv_width(), p);
  if (c.qk_norm) {
    a.qk_raw = s.take("qkv before q/k norm", T * (c.H + c.K) * c.D, p);
    a.qk_rstd = s.take<float>("norms", T * (c.H + c.K));
  }
  a.o = s.take("attention", T * c.H * c.D, p);
  a.lse = s.take<float>("attention", T * c.H);
  a.x_mid = s.take("residual stream", T * c.C, p);
  a.rstd2 = s.take<float>("norms", T);
  a.h2 = s.take("normalised rows", T * c.C, p);
  a.gate_up = s.take("feed-forward", T * 2 * c.F, p);
  if (adapter)
    for (int site = 0; site < kSites; ++site)
      if (const int64_t width = shared ? adapter->widest(Site(site)) : adapter->width(l, Site(site)))
        a.lora[site] = s.take("adapter", T * width, p);
  return a;
}

}  // namespace

DeviceDecoder::DeviceDecoder(Device& device, const Decoder& d, Precision p, Order o) : decoder(d), precision(p), order(o), device_(device) {
  const RopeTable& table = decoder.rope_table;
  const auto bytes = int64_t(table.cos.size() * sizeof(float));
  rope_ = DeviceBuffer(device_, 2 * bytes);
  cos_ = rope_.floats();
  sin_ = cos_ + table.cos.size();
  device_.upload(rope_.data(), table.cos.data(), bytes);
  device_.upload(rope_.data() + bytes, table.sin.data(), bytes);
}

int64_t DeviceDecoder::common_window() const {
  const auto& windows = decoder.config.windows;
  return std::all_of(windows.begin(), windows.end(), [&](int64_t w) { return w == windows[0]; }) ? windows[0] : 0;
}

DeviceWorkspace lay_out(Segments& s, const DecoderConfig& c, Precision p, int64_t T, Workspace::Use use, Recompute recompute,
                        const AdapterLayout* adapter) {
  DeviceWorkspace ws;
  ws.rows = T;
  ws.use = use;
  ws.recompute = recompute;
  ws.x_out = s.take("residual stream", T * c.C, p);
  ws.hidden = s.take("normalised rows", T * c.C, p);
  ws.rstd_final = s.take<float>("norms", T);
  ws.glu = s.take("feed-forward", T * c.F, p);
  if (use == Workspace::Use::forward) {
    // One set for every layer. Attention's residual goes through x_mid; the layer writes back into x = x_out.
    ws.layers.assign(size_t(c.L), take_layer(s, c, T, ws.x_out, p, adapter, 0, true));
    return ws;
  }
  if (recompute == Recompute::block) {
    DeviceLayer shared = take_layer(s, c, T, nullptr, p, adapter, 0, true);
    for (int64_t l = 0; l < c.L; ++l) {
      if (l > 0) shared.x = s.take("residual stream", T * c.C, p);
      ws.layers.push_back(shared);
    }
  } else {
    for (int64_t l = 0; l < c.L; ++l) ws.layers.push_back(take_layer(s, c, T, nullptr, p, adapter, l, false));
  }
  ws.dx = s.take("backward", T * c.C, p);
  ws.dh = s.take("backward", T * c.C, p);
  ws.dqkv = s.take("backward", T * c.qkv_width(), p);
  ws.d_o = s.take("backward", T * c.H * c.D, p);
  ws.dgate_up = s.take("backward", T * 2 * c.F, p);
  ws.dglu = s.take("backward", T * c.F, p);
  ws.delta = s.take<float>("backward", T * c.H);
  int64_t widest = 0;
  if (adapter)
    for (int site = 0; site < kSites; ++site) widest = std::max(widest, adapter->widest(Site(site)));
  if (widest > 0) ws.dlora = s.take("adapter", T * widest, p);
  const int64_t columns = std::max({c.C, c.qkv_width(), 2 * c.F});
  ws.partials = s.take<float>("sums over rows", std::max({rmsnorm_partials(T, c.C), embedding_partials(T, c.C), qk_rope_partials(T, c.D),
                                                          column_sum_partials(T, columns)}));
  return ws;
}

void DeviceDecoder::linear(int64_t T, const Linear& a) {
  device_.gemm({GemmKind::nt, a.x, a.w, a.addend, a.bias, a.y, T, a.N, a.K, a.K, a.K, a.N, 1.0f, precision, precision, order});
}

void DeviceDecoder::linear_backward(int64_t T, const void* dy, const void* x, const std::byte* w, void* dx, float* dw, float* dbias,
                                    int64_t N, int64_t K, float* partials) {
  if (dx) device_.gemm({GemmKind::nn, dy, w, nullptr, nullptr, dx, T, K, N, N, K, K, 1.0f, precision, precision, order});
  if (dw) device_.gemm({GemmKind::tn, dy, x, dw, nullptr, dw, N, K, T, N, K, K, 1.0f, precision, Precision::f32, order});
  if (dbias) device_.column_sum({dy, dbias, partials, T, N, N, precision});
}

void DeviceDecoder::lora_forward(const DevicePolicy& policy, const AdapterLayout& adapter, int64_t l, Site site, int64_t T, const void* x,
                                 void* u, void* y) {
  const AdaptedMatrix& m = adapter.at(l, site);
  if (m.targets.empty()) return;
  const int64_t R = adapter.config.rank, GR = adapter.width(l, site);
  device_.gemm({GemmKind::nt, x, at(policy.adapter, m.a), nullptr, nullptr, u, T, GR, m.K, m.K, m.K, GR, adapter.config.scale(), precision,
                precision, order});
  int64_t column = 0;
  for (const AdaptedRows& target : m.targets) {
    std::byte* const to = static_cast<std::byte*>(y) + target.row * number_bytes();
    device_.gemm({GemmKind::nt, static_cast<std::byte*>(u) + column * number_bytes(), at(policy.adapter, target.b), to, nullptr, to, T,
                  target.N, R, GR, R, m.width, 1.0f, precision, precision, order});
    column += R;
  }
}

void DeviceDecoder::lora_backward(const DevicePolicy& policy, const AdapterLayout& adapter, int64_t l, Site site, int64_t T, const void* dy,
                                  const void* u, void* du, void* dx, float* gradients) {
  const AdaptedMatrix& m = adapter.at(l, site);
  if (m.targets.empty()) return;
  const int64_t R = adapter.config.rank, GR = adapter.width(l, site);
  int64_t column = 0;
  for (const AdaptedRows& target : m.targets) {
    const std::byte* const from = static_cast<const std::byte*>(dy) + target.row * number_bytes();
    device_.gemm({GemmKind::nn, from, at(policy.adapter, target.b), nullptr, nullptr, static_cast<std::byte*>(du) + column * number_bytes(),
                  T, R, target.N, m.width, R, GR, adapter.config.scale(), precision, precision, order});
    float* const db = gradients + target.b;
    device_.gemm({GemmKind::tn, from, static_cast<const std::byte*>(u) + column * number_bytes(), db, nullptr, db, target.N, R, T, m.width,
                  GR, R, 1.0f, precision, Precision::f32, order});
    column += R;
  }
  if (dx)
    device_.gemm({GemmKind::nn, du, at(policy.adapter, m.a), dx, nullptr, dx, T, m.K, GR, GR, m.K, m.K, 1.0f, precision, precision, order});
}

void DeviceDecoder::lora_backward_a(const AdapterLayout& adapter, int64_t l, Site site, int64_t T, const void* du, const void* x,
                                    float* gradients) {
  const AdaptedMatrix& m = adapter.at(l, site);
  if (m.targets.empty()) return;
  const int64_t GR = adapter.width(l, site);
  float* const da = gradients + m.a;
  device_.gemm({GemmKind::tn, du, x, da, nullptr, da, GR, m.K, T, GR, m.K, m.K, 1.0f, precision, Precision::f32, order});
}

void DeviceDecoder::forward(const DevicePolicy& policy, const AdapterLayout* adapter, const PassRows& rows, const DeviceKv& kv,
                            const DeviceWorkspace& ws, const std::function<void(int64_t, const void*)>& each_layer) {
  const DecoderConfig& c = decoder.config;
  device_.embedding_forward(
      {rows.tokens, at(policy.weights, decoder.layout.embedding), ws.layers[0].x, rows.T, c.C, c.embedding_scale, precision});
  if (each_layer) each_layer(0, ws.layers[0].x);
  for (int64_t l = 0; l < c.L; ++l) {
    void* const next = l + 1 < c.L ? ws.layers[size_t(l) + 1].x : ws.x_out;
    layer_forward(policy, adapter, l, rows, kv, ws.layers[size_t(l)], next, ws.glu);
    if (each_layer) each_layer(l + 1, next);
  }
  device_.rmsnorm_forward({ws.x_out, at(policy.weights, decoder.layout.final_norm), ws.hidden, ws.rstd_final, rows.T, c.C, c.norm_eps,
                           c.norm_offset, precision});
}

void DeviceDecoder::layer_forward(const DevicePolicy& policy, const AdapterLayout* adapter, int64_t l, const PassRows& rows,
                                  const DeviceKv& kv, const DeviceLayer& a, void* x_next, void* glu) {
  const DecoderConfig& c = decoder.config;
  const LayerLayout& places = decoder.layout.layers[size_t(l)];
  const std::byte* const w = policy.weights;
  const int64_t T = rows.T, q = c.H * c.D, width = c.qkv_width();
  const auto optional = [&](int64_t offset, bool present) { return present ? at(w, offset) : nullptr; };
  const auto adapt = [&](Site site, const void* x, void* y) {
    if (adapter) lora_forward(policy, *adapter, l, site, T, x, a.lora[size_t(site)], y);
  };

  device_.rmsnorm_forward({a.x, at(w, places.input_norm), a.h1, a.rstd1, T, c.C, c.norm_eps, c.norm_offset, precision});
  linear(T, {a.h1, at(w, places.qkv), optional(places.qkv_bias, c.qkv_bias), nullptr, a.qkv, width, c.C});
  adapt(Site::qkv, a.h1, a.qkv);
  void* const keys = kv.keys + l * kv.layer_stride * number_bytes();
  void* const values = kv.values + l * kv.layer_stride * number_bytes();
  device_.qk_rope_forward({a.qkv, a.qk_raw, optional(places.q_norm, c.qk_norm), optional(places.k_norm, c.qk_norm), a.qk_rstd,
                           rows.positions, cos_, sin_, rows.slots, keys, values, kv.page_stride, T, c.H, c.K, c.D, c.norm_eps,
                           c.norm_offset, precision});
  if (rows.copy_count > 0)
    device_.kv_append({a.qkv, rows.copy_rows, rows.copy_slots, keys, values, kv.page_stride, rows.copy_count, c.H, c.K, c.D, precision});
  device_.attention_forward({a.qkv,
                             keys,
                             values,
                             rows.pages,
                             rows.items,
                             rows.item_rows,
                             rows.positions,
                             a.o,
                             a.lse,
                             rows.partial_o,
                             rows.partial_lse,
                             width,
                             kv.page_stride,
                             rows.item_count,
                             c.H,
                             c.K,
                             c.D,
                             c.windows[size_t(l)],
                             1.0f / std::sqrt(float(c.D)),
                             precision,
                             order,
                             rows.few_queries,
                             rows.item_counts});
  if (rows.merge_count > 0)
    device_.attention_merge({rows.merge_rows, rows.merge_starts, rows.merge_parts, rows.partial_o, rows.partial_lse, a.o, a.lse,
                             rows.merge_count, c.H, c.D, precision});
  linear(T, {a.o, at(w, places.o), optional(places.o_bias, c.output_bias), a.x, a.x_mid, c.C, q});
  adapt(Site::o, a.o, a.x_mid);

  device_.rmsnorm_forward({a.x_mid, at(w, places.post_norm), a.h2, a.rstd2, T, c.C, c.norm_eps, c.norm_offset, precision});
  linear(T, {a.h2, at(w, places.gate_up), optional(places.gate_up_bias, c.mlp_bias), nullptr, a.gate_up, 2 * c.F, c.C});
  adapt(Site::gate_up, a.h2, a.gate_up);
  device_.glu_forward({a.gate_up, glu, T, c.F, c.activation, precision});
  linear(T, {glu, at(w, places.down), optional(places.down_bias, c.mlp_bias), a.x_mid, x_next, c.C, c.F});
  adapt(Site::down, glu, x_next);
}

void DeviceDecoder::backward(const DevicePolicy& policy, const AdapterLayout* adapter, const PassRows& rows, const DeviceKv& kv,
                             const DeviceWorkspace& ws, float* gradients) {
  const DecoderConfig& c = decoder.config;
  const std::byte* const w = policy.weights;
  // Where a weight's gradient goes. Beside an adapter the weights are frozen: nowhere.
  const auto into = [&](int64_t offset, bool present = true) { return adapter || !present ? nullptr : gradients + offset; };
  const int64_t lowest = adapter ? adapter->first_layer : 0;
  const int64_t T = rows.T, q = c.H * c.D, width = c.qkv_width();
  const auto norm_backward = [&](const void* dy, const void* x, int64_t offset, const float* rstd, const void* addend, void* dx) {
    device_.rmsnorm_backward({dy, x, at(w, offset), rstd, addend, dx, into(offset), ws.partials, T, c.C, c.norm_offset, precision});
  };

  norm_backward(ws.dh, ws.x_out, decoder.layout.final_norm, ws.rstd_final, nullptr, ws.dx);
  for (int64_t l = c.L - 1; l >= 0; --l) {
    const DeviceLayer& a = ws.layers[size_t(l)];
    const LayerLayout& places = decoder.layout.layers[size_t(l)];
    // The last layer's activations are still in place. The layer's output is not needed again: dh is free to take it.
    if (ws.recompute == Recompute::block && l < c.L - 1) layer_forward(policy, adapter, l, rows, kv, a, ws.dh, ws.glu);
    const auto adapt = [&](Site site, const void* dy, void* dx) {
      if (adapter) lora_backward(policy, *adapter, l, site, T, dy, a.lora[size_t(site)], ws.dlora, dx, gradients);
    };
    const auto adapt_a = [&](Site site, const void* x) {
      if (adapter) lora_backward_a(*adapter, l, site, T, ws.dlora, x, gradients);
    };
    // Feed-forward: x_next = x_mid + down(act(gate) * up)
    linear_backward(T, ws.dx, nullptr, at(w, places.down), ws.dglu, nullptr, nullptr, c.C, c.F, ws.partials);
    adapt(Site::down, ws.dx, ws.dglu);
    device_.glu_backward({ws.dglu, a.gate_up, ws.dgate_up, ws.glu, T, c.F, c.activation, precision});
    linear_backward(T, ws.dx, ws.glu, nullptr, nullptr, into(places.down), into(places.down_bias, c.mlp_bias), c.C, c.F, ws.partials);
    adapt_a(Site::down, ws.glu);
    linear_backward(T, ws.dgate_up, a.h2, at(w, places.gate_up), ws.dh, into(places.gate_up), into(places.gate_up_bias, c.mlp_bias),
                    2 * c.F, c.C, ws.partials);
    adapt(Site::gate_up, ws.dgate_up, ws.dh);
    adapt_a(Site::gate_up, a.h2);
    norm_backward(ws.dh, a.x_mid, places.post_norm, a.rstd2, ws.dx, ws.dx);

    // Attention: x_mid = x + o_proj(attention(qkv))
    linear_backward(T, ws.dx, a.o, at(w, places.o), ws.d_o, into(places.o), into(places.o_bias, c.output_bias), c.C, q, ws.partials);
    adapt(Site::o, ws.dx, ws.d_o);
    adapt_a(Site::o, a.o);
    device_.attention_backward({a.qkv, a.o, ws.d_o, a.lse, ws.delta, rows.query_items, rows.key_items, rows.segments, ws.dqkv,
                                rows.query_item_count, rows.key_item_count, T, c.H, c.K, c.D, c.windows[size_t(l)],
                                1.0f / std::sqrt(float(c.D)), precision});
    const bool normed = c.qk_norm;
    device_.qk_rope_backward({ws.dqkv, a.qk_raw, normed ? at(w, places.q_norm) : nullptr, normed ? at(w, places.k_norm) : nullptr,
                              a.qk_rstd, rows.positions, cos_, sin_, into(places.q_norm, normed), into(places.k_norm, normed), ws.partials,
                              T, c.H, c.K, c.D, c.norm_offset, precision});
    // Nobody asks for the gradient of what comes into the lowest adapted layer.
    void* const dh = adapter && l == lowest ? nullptr : ws.dh;
    linear_backward(T, ws.dqkv, a.h1, at(w, places.qkv), dh, into(places.qkv), into(places.qkv_bias, c.qkv_bias), width, c.C, ws.partials);
    adapt(Site::qkv, ws.dqkv, dh);
    adapt_a(Site::qkv, a.h1);
    if (!dh) return;
    norm_backward(ws.dh, a.x, places.input_norm, a.rstd1, ws.dx, ws.dx);
  }
  if (float* const dw = into(decoder.layout.embedding))
    device_.embedding_backward({rows.token_order, rows.token_starts, rows.token_ids, rows.long_starts, ws.dx, dw, ws.partials, rows.pieces,
                                rows.long_tokens, rows.long_pieces, c.C, c.embedding_scale, precision});
}

void DeviceDecoder::logits(const DevicePolicy& policy, const void* hidden, int64_t rows, float* y) {
  const DecoderConfig& c = decoder.config;
  device_.gemm({GemmKind::nt, hidden, at(policy.weights, decoder.layout.head), nullptr, nullptr, y, rows, c.V, c.C, c.C, c.C, c.V, 1.0f,
                precision, Precision::f32, order});
}

void DeviceDecoder::logits_backward(const DevicePolicy& policy, const void* dz, int64_t stride, const void* hidden, int64_t rows, void* dh,
                                    float* gradients) {
  const DecoderConfig& c = decoder.config;
  device_.gemm({GemmKind::nn, dz, at(policy.weights, decoder.layout.head), nullptr, nullptr, dh, rows, c.C, c.V, stride, c.C, c.C, 1.0f,
                precision, precision, order});
  if (!gradients) return;
  float* const dw = gradients + decoder.layout.head;
  device_.gemm({GemmKind::tn, dz, hidden, dw, nullptr, dw, c.V, c.C, rows, stride, c.C, c.C, 1.0f, precision, Precision::f32, order});
}

}  // namespace exitrl::device
