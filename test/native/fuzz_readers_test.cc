// JSON, config.json, safetensors, the index of shards and training state, mutated (fuzz.h).
#include <algorithm>
#include <cstring>
#include <fstream>

#include "check.h"
#include "core/status.h"
#include "fixtures.h"
#include "fuzz.h"
#include "io/checkpoint.h"
#include "io/training_state.h"
#include "temporary.h"

using namespace exitrl;

namespace {

std::vector<std::string> corpus(const std::string& folder) {
  std::vector<std::string> contents;
  for (const Fixture& file : fixtures(folder)) contents.push_back(file.content);
  return contents;
}

// A changed document: of its values, or of its letters.
std::string changed_json(const std::string& text, fuzz::Random& random) {
  if (random.chance(3)) {
    std::string bytes = text;
    fuzz::mutate_bytes(bytes, random);
    return bytes;
  }
  json::Value root = json::parse(text, "corpus");
  fuzz::mutate_tree(root, random);
  return json::dump(root, int(random.below(3)));
}

// A changed file: header and data each on its own with the right length before them, or any bytes.
std::string changed_safetensors(const std::string& file, fuzz::Random& random) {
  std::string bytes = file;
  if (random.chance(3)) {
    fuzz::mutate_bytes(bytes, random);
    return bytes;
  }
  uint64_t length = 0;
  std::memcpy(&length, file.data(), 8);
  std::string header = file.substr(8, length), data = file.substr(8 + length);
  if (!random.chance(4)) header = changed_json(header, random);
  if (random.chance(4)) fuzz::mutate_bytes(data, random);
  length = header.size();
  std::memcpy(bytes.data(), &length, 8);
  return bytes.substr(0, 8) + header + data;
}

// The model of the corpus: its tensors have at most four numbers.
const DecoderConfig& tiny() {
  static const DecoderConfig config = parse_config(
      R"({"model_type":"llama","hidden_act":"silu","hidden_size":2,"intermediate_size":1,"vocab_size":2,"num_attention_heads":1,
          "num_hidden_layers":1,"max_position_embeddings":4,"tie_word_embeddings":true})", "tiny");
  return config;
}

void overwrite(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

}  // namespace

TEST(fuzz_json) {
  const auto seeds = corpus("corpus/json");
  fuzz::run("json", 1, [&](fuzz::Random& random) {
    const std::string text = changed_json(random.of(seeds), random);
    const json::Value value = json::parse(text, "x");
    const std::string written = json::dump(value);
    if (json::dump(json::parse(written, "written")) != written)
      throw std::runtime_error("what is written does not read the same: " + written);
    return true;
  });
}

TEST(fuzz_config) {
  const auto seeds = corpus("configs");
  fuzz::run("config.json", 2, [&](fuzz::Random& random) {
    const DecoderConfig config = parse_config(changed_json(random.of(seeds), random), "config.json");
    if (parse_config(config.json, "written").json != config.json) throw std::runtime_error("what is written does not read the same");
    if (config_json(config, "bfloat16").empty() || config.windows.size() != size_t(config.L)) throw std::runtime_error("windows");
    if (config.L > 64) return true;
    const Layout layout = make_layout(config);
    int64_t end = 0;
    for (const Parameter& p : layout.parameters) {
      if (p.size < 1 || p.offset < 0 || p.offset + p.size > layout.size) throw std::runtime_error(p.name + " lies outside of the slab");
      end = std::max(end, p.offset + p.size);
    }
    if (end > layout.size || layout.count > layout.size) throw std::runtime_error("layout");
    return true;
  });
}

TEST(fuzz_safetensors) {
  const auto seeds = corpus("corpus/safetensors");
  const TemporaryFolder folder;
  const Layout layout = make_layout(tiny());
  std::vector<float> slab(size_t(layout.size));
  Pool pool(1);
  fuzz::run("safetensors", 3, [&](fuzz::Random& random) {
    const std::string path = folder.file("model.safetensors");
    overwrite(path, changed_safetensors(random.of(seeds), random));
    const SafetensorsFile file(path);
    size_t bytes = 0;
    for (const Tensor& tensor : file.tensors()) {
      std::vector<std::byte> raw(size_t(tensor.count) * size_of(tensor.dtype));
      file.read_bytes(tensor, raw.data());
      bytes += raw.size();
      std::vector<float> values(size_t(tensor.count));
      try {
        file.read(tensor, values.data());
      } catch (const Error&) {  // no numbers, or too large ones
      }
      file.drop(tensor, 0, tensor.count);
      if (file.find(tensor.name) != &tensor) throw std::runtime_error("a tensor is not found by its name");
    }
    if (bytes > file.size()) throw std::runtime_error("tensors are larger than their file");
    // The same file as weights and as training state: most are neither, which each has to notice.
    try {
      load_weights(Checkpoint(folder.path.string()), tiny(), layout, pool, {Dtype::f32, reinterpret_cast<std::byte*>(slab.data())});
    } catch (const Error&) {
    }
    try {
      const StateFile state(path, layout);
      for (const char* part : {"exp_avg", "exp_avg_sq", "reference"})
        if (state.has(part)) state.read(part, slab.data());
    } catch (const Error&) {
    }
    return true;
  });
}

TEST(fuzz_shard_index) {
  const TemporaryFolder folder;
  const std::vector<float> x{1, 2};
  write_safetensors(folder.file("x.safetensors"), {{"a", {2}, x.data()}, {"b", {1}, x.data()}});
  write_safetensors(folder.file("y.safetensors"), {{"c", {2}, x.data()}});
  std::string index;
  for (const Fixture& file : fixtures("corpus/json"))
    if (file.name == "index.json") index = file.content;
  fuzz::run("index of shards", 4, [&](fuzz::Random& random) {
    const std::string text = changed_json(index, random);
    overwrite(folder.file("model.safetensors.index.json"), text);
    const Checkpoint checkpoint(folder.path.string());
    const json::Value parsed = json::parse(text, "index");
    for (const auto& [name, file] : parsed.find("weight_map")->members)
      if (!checkpoint.find(name)) throw std::runtime_error(name + " is not in the shards");
    return true;
  });
}
