#include "models/decoder.h"

#include <cmath>
#include <cstring>

#include "ops/embedding/embedding.h"
#include "ops/glu/glu.h"
#include "ops/matmul/matmul.h"
#include "ops/rmsnorm/rmsnorm.h"
#include "ops/rope/rope.h"

namespace exitrl {
namespace {

const float* optional(const float* slab, int64_t offset, bool present) { return present ? slab + offset : nullptr; }

}  // namespace

Decoder::Decoder(DecoderConfig c)
    : config(std::move(c)), layout(make_layout(config)), rope_table(exitrl::rope_table(config.rope, config.D, config.max_positions)) {}

void Decoder::forward(Pool& pool, const Policy& policy, const Rows& rows, const KvStore& kv, Workspace& ws,
                      const std::function<void(int64_t, const float*)>& each_layer) const {
  const DecoderConfig& c = config;
  const float* slab = policy.slab.data();
  embedding_forward(pool, {rows.tokens, slab + layout.embedding, ws.layers[0].x, rows.T, c.C, c.embedding_scale});
  if (each_layer) each_layer(0, ws.layers[0].x);
  for (int64_t l = 0; l < c.L; ++l) {
    float* next = l + 1 < c.L ? ws.layers[size_t(l) + 1].x : ws.x_out;
    layer_forward(pool, policy, l, rows, kv, ws.layers[size_t(l)], next, ws.glu);
    if (each_layer) each_layer(l + 1, next);
  }
  rmsnorm_forward(pool,
                  {ws.x_out, slab + layout.final_norm, ws.hidden, ws.rstd_final, rows.T, 1, c.C, c.C, c.C, c.norm_eps, c.norm_offset});
}

void Decoder::layer_forward(Pool& pool, const Policy& policy, int64_t l, const Rows& rows, const KvStore& kv,
                            const LayerActivations& a, float* x_next, float* glu) const {
  const DecoderConfig& c = config;
  const LayerLayout& at = layout.layers[size_t(l)];
  const PackedLayer& packed = policy.packed.layers[size_t(l)];
  const float* w = policy.slab.data();
  const int64_t T = rows.T, q = c.H * c.D, k = c.K * c.D, width = c.qkv_width();
  const auto adapt = [&](Site site, const float* x, float* y) {
    if (policy.adapter) policy.adapter->forward(pool, l, site, T, x, a.lora[size_t(site)], y);
  };

  rmsnorm_forward(pool, {a.x, w + at.input_norm, a.h1, a.rstd1, T, 1, c.C, c.C, c.C, c.norm_eps, c.norm_offset});
  linear_forward(pool, {a.h1, packed.qkv, optional(w, at.qkv_bias, c.qkv_bias), nullptr, a.qkv, T, width, c.C});
  adapt(Site::qkv, a.h1, a.qkv);
  if (c.qk_norm) {
    // The backward pass needs the rows before the norm.
    pool.parallel_for(T, 64, [&](int64_t begin, int64_t end, int) {
      for (int64_t t = begin; t < end; ++t) std::memcpy(a.qk_raw + t * (q + k), a.qkv + t * width, size_t(q + k) * sizeof(float));
    });
    rmsnorm_forward(pool, {a.qk_raw, w + at.q_norm, a.qkv, a.qk_rstd, T, c.H, c.D, q + k, width, c.norm_eps, c.norm_offset});
    rmsnorm_forward(pool,
                    {a.qk_raw + q, w + at.k_norm, a.qkv + q, a.qk_rstd + T * c.H, T, c.K, c.D, q + k, width, c.norm_eps, c.norm_offset});
  }
  rope(pool, {a.qkv, rows.positions, &rope_table, T, c.H + c.K, c.D, width, RopeDirection::forward});

  float* keys = kv.keys + l * kv.layer_stride;
  float* values = kv.values + l * kv.layer_stride;
  kv_append(pool, {a.qkv + q, a.qkv + q + k, width, rows.spans, rows.span_count, keys, values, kv.page_stride, c.K, c.D});
  if (rows.copy_count > 0)
    kv_append(pool, {a.qkv + q, a.qkv + q + k, width, rows.copies, rows.copy_count, keys, values, kv.page_stride, c.K, c.D});
  attention_forward(pool, {a.qkv, width, rows.spans, rows.span_count, keys, values, kv.page_stride, a.o, a.lse, c.H, c.K, c.D,
                           c.windows[size_t(l)], 1.0f / std::sqrt(float(c.D))});
  linear_forward(pool, {a.o, packed.o, optional(w, at.o_bias, c.output_bias), a.x, a.x_mid, T, c.C, q});
  adapt(Site::o, a.o, a.x_mid);

  rmsnorm_forward(pool, {a.x_mid, w + at.post_norm, a.h2, a.rstd2, T, 1, c.C, c.C, c.C, c.norm_eps, c.norm_offset});
  linear_forward(pool, {a.h2, packed.gate_up, optional(w, at.gate_up_bias, c.mlp_bias), nullptr, a.gate_up, T, 2 * c.F, c.C});
  adapt(Site::gate_up, a.h2, a.gate_up);
  glu_forward(pool, {a.gate_up, glu, T, c.F, c.activation});
  linear_forward(pool, {glu, packed.down, optional(w, at.down_bias, c.mlp_bias), a.x_mid, x_next, T, c.C, c.F});
  adapt(Site::down, glu, x_next);
}

void Decoder::backward(Pool& pool, const Policy& policy, const Rows& rows, const KvStore& kv, Workspace& ws, float* gradients) const {
  const DecoderConfig& c = config;
  const float* w = policy.slab.data();
  const Adapter* const adapter = policy.adapter;
  // Where a weight's gradient goes. Beside an adapter the weights are frozen: nowhere.
  const auto into = [&](int64_t offset, bool present = true) { return adapter || !present ? nullptr : gradients + offset; };
  const int64_t lowest = adapter ? adapter->layout->first_layer : 0;
  const int64_t T = rows.T, q = c.H * c.D, k = c.K * c.D, width = c.qkv_width();
  const Precision precision = c.precision;
  const auto norm_backward = [&](const float* dy, const float* x, int64_t offset, const float* rstd, const float* addend, float* dx) {
    rmsnorm_backward(pool, {dy, x, w + offset, rstd, addend, dx, into(offset), T, 1, c.C, c.C, c.C, c.C, c.norm_offset});
  };

  norm_backward(ws.dh, ws.x_out, layout.final_norm, ws.rstd_final, nullptr, ws.dx);
  for (int64_t l = c.L - 1; l >= 0; --l) {
    const LayerActivations& a = ws.layers[size_t(l)];
    const LayerLayout& at = layout.layers[size_t(l)];
    if (ws.recompute == Recompute::block && l < c.L - 1) {
      // The last layer's activations are still in place. The layer's output is not needed again: dh is free to take it.
      layer_forward(pool, policy, l, rows, kv, a, ws.dh, ws.glu);
    }
    const auto adapt = [&](Site site, const float* dy, float* dx) {
      if (adapter) adapter->backward(pool, l, site, T, dy, a.lora[size_t(site)], ws.dlora, dx, gradients);
    };
    const auto adapt_a = [&](Site site, const float* x) {
      if (adapter) adapter->backward_a(pool, l, site, T, ws.dlora, x, gradients);
    };
    // Feed-forward: x_next = x_mid + down(act(gate) * up)
    linear_backward(pool, {ws.dx, nullptr, w + at.down, nullptr, ws.dglu, nullptr, nullptr, T, c.C, c.F, precision});
    adapt(Site::down, ws.dx, ws.dglu);
    glu_backward(pool, {ws.dglu, a.gate_up, ws.dgate_up, ws.glu, T, c.F, c.activation});
    linear_backward(pool,
                    {ws.dx, ws.glu, nullptr, nullptr, nullptr, into(at.down), into(at.down_bias, c.mlp_bias), T, c.C, c.F, precision});
    adapt_a(Site::down, ws.glu);
    linear_backward(pool, {ws.dgate_up, a.h2, w + at.gate_up, nullptr, ws.dh, into(at.gate_up), into(at.gate_up_bias, c.mlp_bias), T,
                           2 * c.F, c.C, precision});
    adapt(Site::gate_up, ws.dgate_up, ws.dh);
    adapt_a(Site::gate_up, a.h2);
    norm_backward(ws.dh, a.x_mid, at.post_norm, a.rstd2, ws.dx, ws.dx);

    // Attention: x_mid = x + o_proj(attention(qkv))
    linear_backward(pool, {ws.dx, a.o, w + at.o, nullptr, ws.d_o, into(at.o), into(at.o_bias, c.output_bias), T, c.C, q, precision});
    adapt(Site::o, ws.dx, ws.d_o);
    adapt_a(Site::o, a.o);
    attention_backward(pool, {a.qkv, a.o, ws.d_o, a.lse, rows.spans, rows.families, rows.family_count, ws.dqkv, c.H, c.K, c.D,
                              c.windows[size_t(l)], 1.0f / std::sqrt(float(c.D))});
    rope(pool, {ws.dqkv, rows.positions, &rope_table, T, c.H + c.K, c.D, width, RopeDirection::backward});
    if (c.qk_norm) {
      rmsnorm_backward(pool, {ws.dqkv, a.qk_raw, w + at.q_norm, a.qk_rstd, nullptr, ws.dqkv, into(at.q_norm), T, c.H, c.D, width, q + k,
                              width, c.norm_offset});
      rmsnorm_backward(pool, {ws.dqkv + q, a.qk_raw + q, w + at.k_norm, a.qk_rstd + T * c.H, nullptr, ws.dqkv + q, into(at.k_norm), T, c.K,
                              c.D, width, q + k, width, c.norm_offset});
    }
    // Nobody asks for the gradient of what comes into the lowest adapted layer.
    float* const dh = adapter && l == lowest ? nullptr : ws.dh;
    linear_backward(pool, {ws.dqkv, a.h1, w + at.qkv, nullptr, dh, into(at.qkv), into(at.qkv_bias, c.qkv_bias), T, width, c.C, precision});
    adapt(Site::qkv, ws.dqkv, dh);
    adapt_a(Site::qkv, a.h1);
    if (!dh) return;
    norm_backward(ws.dh, a.x, at.input_norm, a.rstd1, ws.dx, ws.dx);
  }
  embedding_backward(pool, {rows.tokens, ws.dx, into(layout.embedding), T, c.C, c.embedding_scale});
}

}  // namespace exitrl
