// The sampler on the emulated device against the CPU's with the same random numbers, and its log-probabilities against the
// trainer's (head_rows), bit for bit.
#include <algorithm>
#include <map>
#include <numeric>

#include "core/rng.h"
#include "device_check.h"
#include "fixtures.h"
#include "io/safetensors.h"
#include "ops/sample/sample.h"
#include "temporary.h"

using namespace exitrl;
using namespace check;

namespace {

constexpr uint64_t kSeed = 0x123456789abcdefULL;

struct Rows {
  int64_t R, V;
  Floats logits;                   // (R, V)
  std::vector<int64_t> sequence;   // (R)
  std::vector<int32_t> length;     // (R)
  int64_t stride = 0;
  std::vector<int32_t> history;    // (R, stride)

  Rows(int64_t R, int64_t V, Floats logits) : R(R), V(V), logits(std::move(logits)) {
    for (int64_t r = 0; r < R; ++r) sequence.push_back(1000003 * r), length.push_back(int32_t(3 + r));
    stride = R + 3;
    for (int64_t i = 0; i < R * stride; ++i) history.push_back(int32_t(i * 7 % (V + 2)) - 1);  // repeats, ids that are none
  }
};

struct Sampled {
  std::vector<int32_t> token;
  Floats logprob, raw;
};

Sampled on_device(const Rows& rows, const SamplingSettings& s) {
  Numbers logits(Precision::f32, rows.logits), logprob(Precision::f32, rows.R), raw(Precision::f32, rows.R);
  Sampled out;
  out.token.assign(size_t(rows.R), -7);
  std::vector<int32_t> slot, history = rows.history;
  for (int64_t r = 0; r < rows.R; ++r) slot.push_back(int32_t(rows.R - 1 - r));
  for (int64_t r = 0; r < rows.R; ++r)
    std::copy_n(rows.history.begin() + r * rows.stride, rows.stride, history.begin() + slot[size_t(r)] * rows.stride);
  const std::vector<uint64_t> seed{kSeed};
  cuda::sample(device_context(), {static_cast<const float*>(logits.data()), rows.sequence.data(), rows.length.data(), history.data(),
                                  slot.data(), out.token.data(), static_cast<float*>(logprob.data()), static_cast<float*>(raw.data()),
                                  rows.R, rows.V, rows.stride, seed.data(), s});
  CHECK(same_bits(logits.floats(), rows.logits));
  out.logprob = logprob.floats(), out.raw = raw.floats();
  return out;
}

Sampled in_both(const Rows& rows, const SamplingSettings& s) {
  Sampled out;
  in_both_orders([&] {
    out = on_device(rows, s);
    Floats all = out.logprob;
    all.insert(all.end(), out.raw.begin(), out.raw.end());
    for (const int32_t t : out.token) all.push_back(float(t));
    return all;
  });
  return out;
}

Floats row_of(const Rows& rows, int64_t r) { return {rows.logits.begin() + r * rows.V, rows.logits.begin() + (r + 1) * rows.V}; }

// The CPU's distribution, and which token its cumulative sums give for the row's random number; `margin`: distance to the next border.
int32_t expected(const Rows& rows, int64_t r, const SamplingSettings& s, Floats& p, double& margin) {
  SampleScratch scratch;
  Floats logits = row_of(rows, r);
  p.assign(size_t(rows.V), 0);
  filtered_distribution(logits.data(), rows.V, s, rows.history.data() + r * rows.stride, rows.length[size_t(r)], scratch, p.data());
  const auto random = philox(kSeed, uint64_t(rows.sequence[size_t(r)]), uint64_t(rows.length[size_t(r)]));
  const double u = uniform53(random[0], random[1]);
  double sum = 0;
  for (int64_t v = 0; v < rows.V; ++v) {
    const double next = sum + p[size_t(v)];
    if (next > u) {
      margin = std::min(u - sum, next - u);
      return int32_t(v);
    }
    sum = next;
  }
  margin = 0;
  return int32_t(rows.V - 1);
}

int compared = 0;  // tokens with a clear margin

void compare(const Rows& rows, const SamplingSettings& s, const std::string& what) {
  const Sampled got = in_both(rows, s);
  for (int64_t r = 0; r < rows.R; ++r) {
    Floats p;
    double margin;
    const int32_t want = expected(rows, r, s, p, margin), token = got.token[size_t(r)];
    const std::string where = what + " V=" + std::to_string(rows.V) + " row " + std::to_string(r) + ": token " + std::to_string(token) +
                              ", expected " + std::to_string(want);
    if (token < 0 || token >= rows.V || !(p[size_t(token)] > 0)) {
      failed(__FILE__, __LINE__, where + ", has no probability");
      continue;
    }
    if (margin > 1e-6 && ++compared && token != want) failed(__FILE__, __LINE__, where);
    SampleScratch scratch;
    Floats logits = row_of(rows, r);
    const auto random = philox(kSeed, uint64_t(rows.sequence[size_t(r)]), uint64_t(rows.length[size_t(r)]));
    const auto cpu = sample_row(logits.data(), rows.V, s, uniform53(random[0], random[1]), rows.history.data() + r * rows.stride,
                                rows.length[size_t(r)], scratch);
    if (cpu.token != token) continue;
    if (std::abs(got.logprob[size_t(r)] - cpu.logprob) > 4e-6 || std::abs(got.raw[size_t(r)] - cpu.raw_logprob) > 4e-6)
      failed(__FILE__, __LINE__,
             where + ", log-probabilities " + std::to_string(got.logprob[size_t(r)]) + " and " + std::to_string(got.raw[size_t(r)]) +
                 ", expected " + std::to_string(cpu.logprob) + " and " + std::to_string(cpu.raw_logprob));
  }
}

const SamplingSettings kAll{.temperature = 1.5f, .top_k = 40, .top_p = 0.9f, .min_p = 0.05f, .repetition_penalty = 1.2f};

}  // namespace

TEST(device_sample_agrees_with_the_cpu) {
  const SamplingSettings settings[] = {{},
                                       {.temperature = 0.7f},
                                       {.temperature = 0.0f},
                                       {.top_k = 1},
                                       {.top_k = 12},
                                       {.top_k = 5000},
                                       {.top_p = 0.85f},
                                       {.top_p = 0.999f},
                                       {.top_p = 0.0f},
                                       {.min_p = 0.07f},
                                       {.min_p = 2.0f},
                                       {.repetition_penalty = 1.3f},
                                       {.temperature = 0.0f, .repetition_penalty = 1.3f},
                                       {.temperature = 0.8f, .top_k = 12, .top_p = 0.85f},
                                       {.temperature = 3, .top_k = 200, .top_p = 0.99f},
                                       kAll};
  compared = 0;
  for (const auto& s : settings) {
    for (const auto& [R, V] : {std::pair<int64_t, int64_t>{0, 5}, {1, 1}, {1, 2}, {5, 17}, {2, 320}, {1, 1001}})
      compare({R, V, random_floats(R * V, uint32_t(V), 6)}, s, "settings " + std::to_string(&s - settings));
  }
  CHECK(compared > 120);
}

// More than one block width of logits, segments of more than one vector.
TEST(device_sample_of_long_rows) {
  for (const int64_t V : {4999, 5000})
    for (const auto& s : {SamplingSettings{}, SamplingSettings{.temperature = 0.8f, .top_k = 600}, kAll})
      compare({1, V, random_floats(V, uint32_t(V), 6)}, s, "long");
  compare({1, 70000, random_floats(70000, 5, 6)}, {.top_p = 0.95f}, "longer");
}

TEST(device_sample_reports_the_trainers_bits) {
  for (const int64_t V : {1, 5, 256, 300, 1001, 4992, 5003})
    for (const float temperature : {1.0f, 0.6f}) {
      const Rows rows(2, V, random_floats(2 * V, uint32_t(V), 5));
      const Sampled got = on_device(rows, {.temperature = temperature});
      const auto trainer = [&](float inverse) {
        Floats logprob(2), entropy(2), max(2), log_sum(2);
        Numbers logits(Precision::f32, rows.logits);
        cuda::head_rows(device_context(), {static_cast<const float*>(logits.data()), got.token.data(), logprob.data(), entropy.data(),
                                           max.data(), log_sum.data(), 2, V, inverse});
        return logprob;
      };
      CHECK(same_bits(got.logprob, trainer(1.0f / temperature)));
      CHECK(same_bits(got.raw, trainer(1.0f)));
    }
}

// A row alone, among others, and again.
TEST(device_sample_does_not_depend_on_the_batch) {
  const Rows five(5, 300, random_floats(1500, 8, 6));
  Rows one(1, 300, row_of(five, 3));
  one.sequence[0] = five.sequence[3], one.length[0] = five.length[3];
  one.stride = five.stride;
  one.history.assign(five.history.begin() + 3 * five.stride, five.history.begin() + 4 * five.stride);
  for (const auto& s : {SamplingSettings{}, kAll}) {
    const Sampled many = on_device(five, s), alone = on_device(one, s);
    CHECK(many.token[3] == alone.token[0] && many.logprob[3] == alone.logprob[0] && many.raw[3] == alone.raw[0]);
  }
}

TEST(device_sample_filters_as_the_golden_files) {
  std::map<std::string, std::string> files;
  for (const Fixture& file : fixtures("golden/generate")) files[file.name] = file.content;
  const TemporaryFolder folder;
  const SafetensorsFile file(folder.write("filters.safetensors", files.at("filters.safetensors")));
  const auto floats = [&](const std::string& name) {
    const Tensor& tensor = *file.find(name);
    Floats out(size_t(tensor.count));
    file.read(tensor, out.data());
    return out;
  };
  // Settings as in manifest.json.
  const std::pair<const char*, SamplingSettings> cases[] = {
      {"temperature", {.temperature = 0.8f}}, {"top_k", {.top_k = 12}}, {"top_p", {.top_p = 0.85f}}, {"min_p", {.min_p = 0.07f}},
      {"repetition_penalty", {.repetition_penalty = 1.3f}}, {"temperature_top_k_top_p", {.temperature = 0.8f, .top_k = 12, .top_p = 0.85f}},
      {"temperature_top_p_min_p", {.temperature = 0.8f, .top_p = 0.85f, .min_p = 0.07f}},
      {"all", {.temperature = 0.8f, .top_k = 12, .top_p = 0.85f, .min_p = 0.07f, .repetition_penalty = 1.3f}}};
  const Floats logits = floats("logits");
  const int64_t R = 6, V = int64_t(logits.size()) / R;
  const Tensor& ids = *file.find("context_ids");
  Rows rows(R, V, logits);
  rows.stride = ids.count / R;
  rows.history.resize(size_t(ids.count));
  file.read_bytes(ids, reinterpret_cast<std::byte*>(rows.history.data()));
  rows.length.assign(size_t(R), int32_t(rows.stride));
  for (const auto& [name, s] : cases) {
    const Floats probability = floats(std::string(name) + ".probability");
    for (int round = 0; round < 2; ++round) {
      for (int64_t& key : rows.sequence) key += 17;
      const Sampled got = on_device(rows, s);
      // The probability of one kept token tells the mass of all kept tokens.
      for (int64_t r = 0; r < R; ++r) {
        const double want = probability[size_t(r * V + got.token[size_t(r)])];
        if (!(want > 0) || std::abs(std::exp(got.logprob[size_t(r)]) - want) > 1e-6)
          failed(__FILE__, __LINE__,
                 std::string(name) + " row " + std::to_string(r) + ": probability " + std::to_string(std::exp(got.logprob[size_t(r)])) +
                     ", expected " + std::to_string(want));
      }
    }
  }
}

TEST(device_sample_ties) {
  // Equal logits: the k-th best's ties stay, the lower ids are better for top-p.
  const int64_t V = 8, R = 24;
  const Rows equal(R, V, Floats(size_t(R * V), 1.0f));
  std::vector<int> seen(8);
  Sampled got = on_device(equal, {.top_k = 3});
  for (int64_t r = 0; r < R; ++r) CHECK_NEAR(got.logprob[size_t(r)], std::log(0.125), 1e-6);
  got = on_device(equal, {.top_p = 0.5f});
  for (int64_t r = 0; r < R; ++r) {
    CHECK_NEAR(got.logprob[size_t(r)], std::log(0.25), 1e-6);
    ++seen[size_t(got.token[size_t(r)])];
  }
  for (size_t v = 0; v < 8; ++v) CHECK((seen[v] > 0) == (v < 4));
  // Ties among smaller ones: 0.5 in one token, 100 others share the rest; 51 of these stay.
  Floats logits(101, 0.0f);
  logits[70] = std::log(100.0f);
  compare({1, 101, logits}, {.top_p = 0.7525f}, "ties below");
  // Greedy: the lowest id.
  Floats best = {1, 5, 2, 5, 5};
  CHECK(on_device({1, 5, best}, {.temperature = 0}).token[0] == 1);
  // -0 and 0 are equal.
  Floats zeros = {-0.0f, 0.0f, -1, -0.0f};
  CHECK_NEAR(on_device({1, 4, zeros}, {.top_k = 1}).logprob[0], std::log(1.0 / 3), 1e-6);
}

TEST(device_sample_never_picks_what_has_no_probability) {
  for (const int64_t V : {20, 300}) {
    Floats logits(size_t(3 * V), -INFINITY);
    const int64_t only[] = {0, V / 2, V - 1};
    for (int64_t r = 0; r < 3; ++r) logits[size_t(r * V + only[r])] = -50;
    for (const auto& s : {SamplingSettings{}, SamplingSettings{.top_k = 4}, SamplingSettings{.top_p = 0.5f},
                          SamplingSettings{.min_p = 0.1f}, SamplingSettings{.temperature = 0}}) {
      const Sampled got = on_device({3, V, logits}, s);
      for (int64_t r = 0; r < 3; ++r) CHECK(got.token[size_t(r)] == only[r] && got.logprob[size_t(r)] == 0);
    }
  }
}

TEST(device_sample_survives_bad_rows) {
  const int64_t V = 40;
  Floats logits(size_t(4 * V), 1.0f);
  logits[17] = kNan, logits[size_t(V + 17)] = INFINITY;
  std::fill_n(logits.begin() + 2 * V, V, -INFINITY);
  for (const auto& s :
       {SamplingSettings{}, SamplingSettings{.temperature = 0}, SamplingSettings{.temperature = 2, .top_k = 3, .top_p = 0.5f}, kAll}) {
    const Sampled got = in_both({4, V, logits}, s);
    for (size_t r = 0; r < 3; ++r) CHECK(got.token[r] == 0 && std::isnan(got.logprob[r]) && std::isnan(got.raw[r]));
    CHECK(std::isfinite(got.logprob[3]));
  }
}

TEST(device_sample_follows_the_distribution) {
  const Floats weights = {0.02f, 0.3f, 0.08f, 0.25f, 0.05f, 0.2f, 0.1f};
  const int64_t R = 1500, V = 7;
  Floats logits;
  for (int64_t r = 0; r < R; ++r)
    for (const float w : weights) logits.push_back(std::log(w));
  const Sampled got = on_device({R, V, logits}, {});
  std::vector<double> count(7);
  for (const int32_t t : got.token) ++count[size_t(t)];
  double chi = 0;
  for (size_t v = 0; v < 7; ++v) chi += std::pow(count[v] - double(R) * weights[v], 2) / (double(R) * weights[v]);
  CHECK(chi < 22.46);  // 6 degrees of freedom, 0.1 %
}

TEST(device_sample_names_what_does_not_fit) {
  Rows rows(0, 4, {});
  rows.V = int64_t{4} << 20;
  CHECK_THROWS(on_device(rows, {.repetition_penalty = 2}), "sample: the repetition penalty over 4194304 tokens");
}
