#include "models/weights.h"

#include "models/names.h"

namespace exitrl {
namespace {

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t next = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = row[j];
      row[j] = next;
    }
  }
  return row[b.size()];
}

}  // namespace

Layout make_layout(const DecoderConfig& c) {
  Layout out;
  SlabCursor cursor;
  using Kind = Parameter::Kind;
  const auto add = [&](const std::string& name, std::vector<int64_t> shape, int64_t offset, Kind kind) {
    out.add(name, std::move(shape), offset, kind);
  };
  const int64_t q = c.H * c.D, kv = c.K * c.D;

  out.embedding = cursor.take(c.V * c.C);
  const NameMap& names = *c.names;
  add(names.embedding, {c.V, c.C}, out.embedding, Kind::embedding);
  for (int64_t l = 0; l < c.L; ++l) {
    LayerLayout at{};
    const auto weight = [&](const char* part) { return names.layer(l, part, "weight"); };
    const auto bias = [&](const char* part) { return names.layer(l, part, "bias"); };
    at.input_norm = cursor.take(c.C);
    add(weight(names.input_norm), {c.C}, at.input_norm, Kind::vector);

    at.qkv = cursor.take(c.qkv_width() * c.C);
    add(weight(names.q), {q, c.C}, at.qkv, Kind::matrix);
    add(weight(names.k), {kv, c.C}, at.qkv + q * c.C, Kind::matrix);
    add(weight(names.v), {kv, c.C}, at.qkv + (q + kv) * c.C, Kind::matrix);
    if (c.qkv_bias) {
      at.qkv_bias = cursor.take(c.qkv_width());
      add(bias(names.q), {q}, at.qkv_bias, Kind::vector);
      add(bias(names.k), {kv}, at.qkv_bias + q, Kind::vector);
      add(bias(names.v), {kv}, at.qkv_bias + q + kv, Kind::vector);
    }
    if (c.qk_norm) {
      at.q_norm = cursor.take(c.D);
      add(weight(names.q_norm), {c.D}, at.q_norm, Kind::vector);
      at.k_norm = cursor.take(c.D);
      add(weight(names.k_norm), {c.D}, at.k_norm, Kind::vector);
    }
    at.o = cursor.take(c.C * q);
    add(weight(names.o), {c.C, q}, at.o, Kind::matrix);
    if (c.output_bias) {
      at.o_bias = cursor.take(c.C);
      add(bias(names.o), {c.C}, at.o_bias, Kind::vector);
    }
    at.post_norm = cursor.take(c.C);
    add(weight(names.post_norm), {c.C}, at.post_norm, Kind::vector);

    at.gate_up = cursor.take(2 * c.F * c.C);
    add(weight(names.gate), {c.F, c.C}, at.gate_up, Kind::matrix);
    add(weight(names.up), {c.F, c.C}, at.gate_up + c.F * c.C, Kind::matrix);
    at.down = cursor.take(c.C * c.F);
    add(weight(names.down), {c.C, c.F}, at.down, Kind::matrix);
    if (c.mlp_bias) {
      at.gate_up_bias = cursor.take(2 * c.F);
      add(bias(names.gate), {c.F}, at.gate_up_bias, Kind::vector);
      add(bias(names.up), {c.F}, at.gate_up_bias + c.F, Kind::vector);
      at.down_bias = cursor.take(c.C);
      add(bias(names.down), {c.C}, at.down_bias, Kind::vector);
    }
    out.layers.push_back(at);
  }
  out.final_norm = cursor.take(c.C);
  add(names.final_norm, {c.C}, out.final_norm, Kind::vector);
  if (c.tied) {
    out.head = out.embedding;
  } else {
    out.head = cursor.take(c.V * c.C);
    add(names.head, {c.V, c.C}, out.head, Kind::head);
  }
  out.size = cursor.at;
  return out;
}

void ParameterList::add(std::string name, std::vector<int64_t> shape, int64_t offset, Parameter::Kind kind) {
  Parameter p{std::move(name), std::move(shape), offset, 1, kind};
  for (int64_t n : p.shape) p.size *= n;
  count += p.size;
  parameters.push_back(std::move(p));
}

const Parameter& ParameterList::find(std::string_view name) const {
  const Parameter* closest = nullptr;
  size_t best = name.size() + 1;
  for (const Parameter& p : parameters) {
    if (p.name == name) return p;
    if (const size_t d = edit_distance(name, p.name); d < best) best = d, closest = &p;
  }
  fail(ErrorCode::invalid_argument, "no parameter named \"" + std::string(name) + "\"" +
                                        (closest ? " (did you mean \"" + closest->name + "\"?)" : std::string()));
}

namespace {

int64_t packed_floats(Precision precision, int64_t N, int64_t K) {
  return precision == Precision::bf16 ? packed_bf16_size(N, K) / 2 : packed_weight_size(N, K);
}

}  // namespace

int64_t PackedWeights::bytes(const DecoderConfig& c) {
  const auto floats = [&](int64_t N, int64_t K) { return packed_floats(c.precision, N, K); };
  const int64_t layer = floats(c.qkv_width(), c.C) + floats(c.C, c.H * c.D) + floats(2 * c.F, c.C) + floats(c.C, c.F);
  return (c.L * layer + floats(c.V, c.C)) * int64_t(sizeof(float));
}

PackedWeights::PackedWeights(const DecoderConfig& config, const Layout& layout)
    : config_(config), layout_(layout), data_(bytes(config) / int64_t(sizeof(float))) {
  float* at = data_.data();
  const auto take = [&](int64_t N, int64_t K) {
    const PackedWeight p = config.precision == Precision::bf16 ? PackedWeight(reinterpret_cast<uint16_t*>(at)) : PackedWeight(at);
    at += packed_floats(config.precision, N, K);
    return p;
  };
  const DecoderConfig& c = config;
  for (int64_t l = 0; l < c.L; ++l) {
    PackedLayer layer;
    layer.qkv = take(c.qkv_width(), c.C);
    layer.o = take(c.C, c.H * c.D);
    layer.gate_up = take(2 * c.F, c.C);
    layer.down = take(c.C, c.F);
    layers.push_back(layer);
  }
  head = take(c.V, c.C);
}

// `to` points into data_.
void PackedWeights::fill(Pool& pool, const float* w, int64_t N, int64_t K, PackedWeight to) {
  if (to.bf16) pack_weight(pool, w, N, K, const_cast<uint16_t*>(to.bf16));
  else pack_weight(pool, w, N, K, const_cast<float*>(to.f32));
}

void PackedWeights::pack(Pool& pool, const float* slab) {
  const DecoderConfig& c = config_;
  for (int64_t l = 0; l < c.L; ++l) {
    const LayerLayout& at = layout_.layers[size_t(l)];
    const PackedLayer& to = layers[size_t(l)];
    fill(pool, slab + at.qkv, c.qkv_width(), c.C, to.qkv);
    fill(pool, slab + at.o, c.C, c.H * c.D, to.o);
    fill(pool, slab + at.gate_up, 2 * c.F, c.C, to.gate_up);
    fill(pool, slab + at.down, c.C, c.F, to.down);
  }
  fill(pool, slab + layout_.head, c.V, c.C, head);
}

}  // namespace exitrl
