#include "models/adapter.h"

#include <algorithm>

#include "core/status.h"
#include "ops/lora/lora.h"
#include "ops/matmul/matmul.h"

namespace exitrl {
namespace {

constexpr size_t kMostTargets = 3;  // q, k and v

// The slab has room for the A of all targets before their B.
void place(AdapterLayout& out, SlabCursor& cursor, AdaptedMatrix& m) {
  const int64_t R = out.config.rank;
  const auto pack = [&](int64_t N, int64_t K) {
    const int64_t at = out.packed_size;
    out.packed_size += packed_weight_size(N, K);
    return at;
  };
  m.a = cursor.take(int64_t(m.targets.size()) * R * m.K);
  m.packed = pack(int64_t(m.targets.size()) * R, m.K);
  for (AdaptedRows& target : m.targets) {
    target.b = cursor.take(target.N * R);
    target.packed = pack(target.N, R);
  }
}

int64_t matrix_offset(const LayerLayout& at, Site site) {
  switch (site) {
    case Site::qkv: return at.qkv;
    case Site::o: return at.o;
    case Site::gate_up: return at.gate_up;
    default: return at.down;
  }
}

}  // namespace

std::shared_ptr<const AdapterLayout> make_adapter_layout(const DecoderConfig& c, AdapterConfig config) {
  check_targets(config, c);
  auto out = std::make_shared<AdapterLayout>();
  out->config = std::move(config);
  out->layers.resize(size_t(c.L));
  out->first_layer = c.L;
  const int64_t R = out->config.rank;
  const auto modules = linear_modules(c);
  const int64_t widths[kSites] = {c.qkv_width(), c.C, 2 * c.F, c.C};
  SlabCursor cursor;
  for (int64_t l = 0; l < c.L; ++l) {
    auto& matrices = out->layers[size_t(l)];
    const std::string layer = "model.layers." + std::to_string(l) + ".";
    std::vector<const LinearModule*> adapted;
    for (const LinearModule& module : modules) {
      if (!out->config.adapts(layer + module.name, l)) continue;
      adapted.push_back(&module);
      AdaptedMatrix& m = matrices[size_t(module.site)];
      m.K = module.K;
      m.width = widths[size_t(module.site)];
      m.targets.push_back({module.row, module.N, 0, 0});
    }
    if (adapted.empty()) continue;
    out->first_layer = std::min(out->first_layer, l);
    for (AdaptedMatrix& m : matrices) place(*out, cursor, m);
    for (const LinearModule* module : adapted) {
      const AdaptedMatrix& m = matrices[size_t(module->site)];
      const auto target = std::find_if(m.targets.begin(), m.targets.end(), [&](const AdaptedRows& t) { return t.row == module->row; });
      const std::string name = "base_model.model." + layer + module->name;
      out->add(name + ".lora_A.weight", {R, m.K}, m.a + (target - m.targets.begin()) * R * m.K, Parameter::Kind::matrix);
      out->add(name + ".lora_B.weight", {module->N, R}, target->b, Parameter::Kind::matrix);
    }
  }
  out->size = cursor.at;
  if (out->parameters.empty())
    fail(ErrorCode::invalid_file,
         out->config.origin + ": target_modules matches no linear layer of the model (such as model.layers.0.self_attn.q_proj)");
  return out;
}

Adapter::Adapter(std::shared_ptr<const AdapterLayout> made) : layout(std::move(made)), slab(layout->size), packed_(layout->packed_size) {}

void Adapter::pack(Pool& pool) {
  const int64_t R = layout->config.rank;
  for (const auto& matrices : layout->layers)
    for (const AdaptedMatrix& m : matrices) {
      if (m.targets.empty()) continue;
      pack_weight(pool, slab.data() + m.a, int64_t(m.targets.size()) * R, m.K, packed_.data() + m.packed);
      for (const AdaptedRows& t : m.targets) pack_weight(pool, slab.data() + t.b, t.N, R, packed_.data() + t.packed);
    }
}

bool Adapter::is_zero() const {
  for (const auto& matrices : layout->layers)
    for (const AdaptedMatrix& m : matrices)
      for (const AdaptedRows& t : m.targets) {
        const float* const b = slab.data() + t.b;
        if (std::any_of(b, b + t.N * layout->config.rank, [](float x) { return x != 0; })) return false;
      }
  return true;
}

void Adapter::multiply_b(float factor) {
  for (const auto& matrices : layout->layers)
    for (const AdaptedMatrix& m : matrices)
      for (const AdaptedRows& t : m.targets)
        for (int64_t i = 0; i < t.N * layout->config.rank; ++i) slab[t.b + i] *= factor;
}

void Adapter::forward(Pool& pool, int64_t l, Site site, int64_t T, const float* x, float* u, float* y) const {
  const AdaptedMatrix& m = layout->at(l, site);
  if (m.targets.empty()) return;
  std::array<LoraTarget, kMostTargets> targets;
  for (size_t i = 0; i < m.targets.size(); ++i)
    targets[i] = {m.targets[i].row, m.targets[i].N, nullptr, packed_.data() + m.targets[i].packed, nullptr};
  lora_forward(pool, {x,
                      packed_.data() + m.packed,
                      {targets.data(), m.targets.size()},
                      u,
                      y,
                      T,
                      m.K,
                      layout->config.rank,
                      m.width,
                      layout->config.scale()});
}

void Adapter::backward(Pool& pool, int64_t l, Site site, int64_t T, const float* dy, const float* u, float* du, float* dx,
                       float* gradients) const {
  const AdaptedMatrix& m = layout->at(l, site);
  if (m.targets.empty()) return;
  std::array<LoraTarget, kMostTargets> targets;
  for (size_t i = 0; i < m.targets.size(); ++i)
    targets[i] = {m.targets[i].row, m.targets[i].N, slab.data() + m.targets[i].b, nullptr, gradients + m.targets[i].b};
  lora_backward(
      pool,
      {dy, u, slab.data() + m.a, {targets.data(), m.targets.size()}, du, dx, T, m.K, layout->config.rank, m.width, layout->config.scale()});
}

void Adapter::backward_a(Pool& pool, int64_t l, Site site, int64_t T, const float* du, const float* x, float* gradients) const {
  const AdaptedMatrix& m = layout->at(l, site);
  if (m.targets.empty()) return;
  lora_backward_a(pool, {du, x, gradients + m.a, T, m.K, layout->width(l, site)});
}

void Adapter::merge_into(Pool& pool, const Layout& base, float* weights) const {
  const int64_t R = layout->config.rank;
  for (size_t l = 0; l < layout->layers.size(); ++l)
    for (int s = 0; s < kSites; ++s) {
      const AdaptedMatrix& m = layout->layers[l][size_t(s)];
      float* const matrix = weights + matrix_offset(base.layers[l], Site(s));
      for (size_t i = 0; i < m.targets.size(); ++i) {
        const AdaptedRows& t = m.targets[i];
        lora_merge(
            pool, {slab.data() + m.a + int64_t(i) * R * m.K, slab.data() + t.b, matrix + t.row * m.K, t.N, m.K, R, layout->config.scale()});
      }
    }
}

}  // namespace exitrl
