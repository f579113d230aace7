// Memory of a pass. One function lists the segments; it runs twice, first to count, then to hand out pointers.
#include "models/decoder.h"

namespace exitrl {
namespace {

LayerActivations take_layer(Arena& arena, const DecoderConfig& c, int64_t T, float* x, const AdapterLayout* adapter, int64_t l,
                            bool shared) {
  LayerActivations a{};
  a.x = x ? x : arena.take("residual stream", T * c.C);
  a.rstd1 = arena.take("norms", T);
  a.h1 = arena.take("normalised rows", T * c.C);
  a.qkv = arena.take("qkv", T * c.qkv_width());
  if (c.qk_norm) {
    a.qk_raw = arena.take("qkv before q/k norm", T * (c.H + c.K) * c.D);
    a.qk_rstd = arena.take("norms", T * (c.H + c.K));
  }
  a.o = arena.take("attention", T * c.H * c.D);
  a.lse = arena.take("attention", T * c.H);
  a.x_mid = arena.take("residual stream", T * c.C);
  a.rstd2 = arena.take("norms", T);
  a.h2 = arena.take("normalised rows", T * c.C);
  a.gate_up = arena.take("feed-forward", T * 2 * c.F);
  if (adapter)
    for (int s = 0; s < kSites; ++s)
      if (const int64_t width = shared ? adapter->widest(Site(s)) : adapter->width(l, Site(s)))
        a.lora[s] = arena.take("adapter", T * width);
  return a;
}

void lay_out(Arena& arena, const DecoderConfig& c, int64_t T, const AdapterLayout* adapter, Workspace& ws) {
  ws.layers.clear();
  ws.x_out = arena.take("residual stream", T * c.C);
  ws.hidden = arena.take("normalised rows", T * c.C);
  ws.rstd_final = arena.take("norms", T);
  ws.glu = arena.take("feed-forward", T * c.F);
  if (ws.use == Workspace::Use::forward) {
    // One set for every layer. Attention's residual goes through x_mid; the layer writes back into x = x_out.
    const LayerActivations shared = take_layer(arena, c, T, ws.x_out, adapter, 0, true);
    ws.layers.assign(size_t(c.L), shared);
    return;
  }
  if (ws.recompute == Recompute::block) {
    LayerActivations shared = take_layer(arena, c, T, nullptr, adapter, 0, true);
    for (int64_t l = 0; l < c.L; ++l) {
      if (l > 0) shared.x = arena.take("residual stream", T * c.C);
      ws.layers.push_back(shared);
    }
  } else {
    for (int64_t l = 0; l < c.L; ++l) ws.layers.push_back(take_layer(arena, c, T, nullptr, adapter, l, false));
  }
  ws.dx = arena.take("backward", T * c.C);
  ws.dh = arena.take("backward", T * c.C);
  ws.dqkv = arena.take("backward", T * c.qkv_width());
  ws.d_o = arena.take("backward", T * c.H * c.D);
  ws.dgate_up = arena.take("backward", T * 2 * c.F);
  ws.dglu = arena.take("backward", T * c.F);
  int64_t widest = 0;
  if (adapter)
    for (int s = 0; s < kSites; ++s) widest = std::max(widest, adapter->widest(Site(s)));
  ws.dlora = widest > 0 ? arena.take("adapter", T * widest) : nullptr;
}

// Segments of the same name become one line.
MemorySegments merge(const MemorySegments& segments) {
  MemorySegments out;
  for (const MemorySegment& s : segments) {
    bool known = false;
    for (MemorySegment& o : out)
      if (o.name == s.name) o.bytes += s.bytes, known = true;
    if (!known) out.push_back(s);
  }
  return out;
}

}  // namespace

Workspace::Workspace(const DecoderConfig& config, int64_t rows, Use use, Recompute recompute, const AdapterLayout* adapter)
    : rows(rows), use(use), recompute(recompute) {
  lay_out(arena_, config, rows, adapter, *this);
  arena_.allocate();
  lay_out(arena_, config, rows, adapter, *this);
}

Workspace::Workspace(Planning, const DecoderConfig& config, int64_t rows, Use use, Recompute recompute, const AdapterLayout* adapter)
    : rows(rows), use(use), recompute(recompute) {
  lay_out(arena_, config, rows, adapter, *this);
}

MemorySegments Workspace::plan(const DecoderConfig& config, int64_t rows, Use use, Recompute recompute, const AdapterLayout* adapter) {
  return merge(Workspace(Planning{}, config, rows, use, recompute, adapter).arena_.segments());
}

}  // namespace exitrl
