#include "io/checkpoint.h"

#include <numeric>

#include "check.h"
#include "core/status.h"
#include "io/json.h"
#include "models/initialise.h"
#include "temporary.h"

using namespace exitrl;

namespace {

const char* kConfig = R"({"model_type":"qwen3","hidden_act":"silu","hidden_size":32,"intermediate_size":48,"vocab_size":96,"head_dim":16,
  "num_attention_heads":4,"num_hidden_layers":2,"num_key_value_heads":2,"max_position_embeddings":64,"rms_norm_eps":1e-06,"tie_word_embeddings":)";

struct Model {
  DecoderConfig config;
  Layout layout;
  std::vector<float> slab;
  explicit Model(bool tied = true)
      : config(parse_config(kConfig + std::string(tied ? "true}" : "false}"), "config.json")), layout(make_layout(config)) {
    slab.resize(size_t(layout.size));
    Pool pool(1);
    initialise(pool, config, layout, 7, slab.data());
  }
  SaveSettings as(Dtype dtype) const { return {std::vector<Dtype>(layout.parameters.size(), dtype), {}, 5'000'000'000}; }
};

struct Loaded {
  std::vector<float> slab;
  std::vector<Dtype> dtypes;
};

Loaded load(const TemporaryFolder& folder, const Model& model, int threads = 2) {
  Pool pool(threads);
  Loaded out{std::vector<float>(size_t(model.layout.size)), {}};
  out.dtypes = load_weights(Checkpoint(folder.path.string()), model.config, model.layout, pool,
                            {Dtype::f32, reinterpret_cast<std::byte*>(out.slab.data())});
  return out;
}

}  // namespace

TEST(initial_weights_do_not_depend_on_threads) {
  std::string text = kConfig + std::string("true}");
  text.replace(text.find("96"), 2, "3001");
  const DecoderConfig config = parse_config(text, "config.json");
  const Layout layout = make_layout(config);
  std::vector<float> slabs[2];
  for (int i = 0; i < 2; ++i) {
    Pool pool(i == 0 ? 1 : 3);
    slabs[i].resize(size_t(layout.size));
    initialise(pool, config, layout, 7, slabs[i].data());
  }
  CHECK(slabs[0] == slabs[1]);
}

TEST(checkpoint_round_trip) {
  const Model model;
  for (const int threads : {1, 2, 5}) {
    TemporaryFolder folder;
    CHECK((save_weights(folder.file("model.safetensors"), model.layout, model.slab.data(), model.as(Dtype::f32)) ==
           std::vector<std::string>{"model.safetensors"}));
    const Loaded loaded = load(folder, model, threads);
    CHECK(loaded.slab == model.slab);
    CHECK(loaded.dtypes == model.as(Dtype::f32).dtypes);
    CHECK(folder.count() == 1);
  }
}

// Types are kept per tensor: what was rounded once comes back with the same bits, and so does the file.
TEST(checkpoint_keeps_types) {
  const Model model;
  TemporaryFolder folder;
  SaveSettings mixed = model.as(Dtype::bf16);
  for (size_t i = 0; i < mixed.dtypes.size(); ++i)
    if (model.layout.parameters[i].kind == Parameter::Kind::vector) mixed.dtypes[i] = i % 2 ? Dtype::f32 : Dtype::f16;
  save_weights(folder.file("model.safetensors"), model.layout, model.slab.data(), mixed);
  const Loaded loaded = load(folder, model);
  CHECK(loaded.dtypes == mixed.dtypes);
  save_weights(folder.file("again.safetensors"), model.layout, loaded.slab.data(), {loaded.dtypes, {}, 5'000'000'000});
  CHECK(read_file(folder.file("model.safetensors")) == read_file(folder.file("again.safetensors")));

  // Training goes on from F32, and still knows what the source had.
  SaveSettings master = model.as(Dtype::f32);
  master.source = loaded.dtypes;
  save_weights(folder.file("model.safetensors"), model.layout, loaded.slab.data(), master);
  const Loaded trained = load(folder, model);
  CHECK(trained.slab == loaded.slab);
  CHECK(trained.dtypes == mixed.dtypes);
}

TEST(checkpoint_other_targets) {
  const Model model;
  TemporaryFolder folder;
  save_weights(folder.file("model.safetensors"), model.layout, model.slab.data(), model.as(Dtype::f32));
  Pool pool(2);
  std::vector<uint16_t> narrow(size_t(model.layout.size)), expected(narrow.size());
  load_weights(Checkpoint(folder.path.string()), model.config, model.layout, pool,
               {Dtype::bf16, reinterpret_cast<std::byte*>(narrow.data())});
  CHECK(convert(Dtype::f32, reinterpret_cast<const std::byte*>(model.slab.data()), Dtype::bf16,
                reinterpret_cast<std::byte*>(expected.data()), model.layout.size));
  CHECK(narrow == expected);
}

TEST(checkpoint_shards) {
  const Model model(false);
  TemporaryFolder folder;
  SaveSettings settings = model.as(Dtype::bf16);
  settings.max_shard_bytes = 10'000;
  const auto files = save_weights(folder.file("model.safetensors"), model.layout, model.slab.data(), settings);
  CHECK(files.size() > 3 && files.size() == folder.count());
  CHECK(files.front() == "model-00001-of-0000" + std::to_string(files.size() - 1) + ".safetensors");
  CHECK(files.back() == "model.safetensors.index.json");
  const json::Value index = json::parse(read_file(folder.file(files.back())), "index");
  CHECK(index.find("metadata")->find("total_size")->integer == 2 * model.layout.count);
  CHECK(index.find("weight_map")->members.size() == model.layout.parameters.size());
  for (size_t f = 0; f + 1 < files.size(); ++f) {
    const SafetensorsFile shard(folder.file(files[f]));
    int64_t bytes = 0;
    for (const Tensor& tensor : shard.tensors()) bytes += 2 * tensor.count;
    CHECK(bytes <= 10'000 || shard.tensors().size() == 1);
    CHECK(shard.metadata().at("format") == "pt");
  }
  const Loaded loaded = load(folder, model);
  std::vector<float> rounded(model.slab.size());
  std::vector<uint16_t> narrow(rounded.size());
  convert(Dtype::f32, reinterpret_cast<const std::byte*>(model.slab.data()), Dtype::bf16, reinterpret_cast<std::byte*>(narrow.data()),
          model.layout.size);
  convert(Dtype::bf16, reinterpret_cast<const std::byte*>(narrow.data()), Dtype::f32, reinterpret_cast<std::byte*>(rounded.data()),
          model.layout.size);
  CHECK(loaded.slab == rounded);
}

// A number that does not fit stops the second shard: the first one must not be left behind.
TEST(checkpoint_shards_all_or_nothing) {
  Model model(false);
  TemporaryFolder folder;
  model.slab[size_t(model.layout.find("lm_head.weight").offset)] = 1e6f;
  SaveSettings settings = model.as(Dtype::f16);
  settings.max_shard_bytes = 10'000;
  CHECK_THROWS(save_weights(folder.file("model.safetensors"), model.layout, model.slab.data(), settings),
               "\"lm_head.weight\" has a number that F16 cannot hold");
  CHECK(folder.count() == 0);
}

TEST(checkpoint_tied_head) {
  const Model tied, untied(false);
  TemporaryFolder folder;
  std::vector<float> slab = untied.slab;
  const Parameter &embedding = untied.layout.find("model.embed_tokens.weight"), &head = untied.layout.find("lm_head.weight");
  std::copy_n(slab.begin() + embedding.offset, embedding.size, slab.begin() + head.offset);
  save_weights(folder.file("model.safetensors"), untied.layout, slab.data(), untied.as(Dtype::f32));
  const Loaded loaded = load(folder, tied);
  CHECK(std::equal(loaded.slab.begin(), loaded.slab.begin() + embedding.size, slab.begin()));
  slab[size_t(head.offset) + 5] += 1;
  save_weights(folder.file("model.safetensors"), untied.layout, slab.data(), untied.as(Dtype::f32));
  CHECK_THROWS(load(folder, tied), "lm_head.weight differs from the embedding");
}

TEST(checkpoint_refuses) {
  const Model model;
  const auto refuses = [&](const std::string& message, auto change, bool index = false) {
    TemporaryFolder folder;
    SaveSettings settings = model.as(Dtype::f32);
    if (index) settings.max_shard_bytes = 20'000;
    save_weights(folder.file("model.safetensors"), model.layout, model.slab.data(), settings);
    change(folder);
    CHECK_THROWS(load(folder, model), message);
  };
  const auto write = [](const TemporaryFolder& folder, const std::string& name, std::vector<TensorSource> tensors,
                        std::map<std::string, std::string> metadata = {}) { write_safetensors(folder.file(name), tensors, metadata); };
  std::vector<float> zeros(1 << 16);
  const std::string norm = "model.norm.weight";
  refuses("found neither model.safetensors nor", [](const auto& f) { std::filesystem::remove(f.file("model.safetensors")); });
  refuses("pytorch_model.bin is not read", [](const auto& f) {
    std::filesystem::remove(f.file("model.safetensors"));
    f.write("pytorch_model.bin", "PK");
  });
  refuses("has no tensor \"model.embed_tokens.weight\"", [&](const auto& f) {
    write(f, "model.safetensors", {{norm, {32}, zeros.data()}});
  });
  refuses("__metadata__.source_dtype is not a type: F7", [&](const auto& f) {
    std::vector<TensorSource> all;
    for (const Parameter& p : model.layout.parameters) all.push_back({p.name, p.shape, model.slab.data() + p.offset});
    write(f, "model.safetensors", all, {{"source_dtype", "F7"}});
  });
  const std::string second = "model-00002-of-0000";
  const auto find_second = [&](const auto& f) {
    for (const auto& entry : std::filesystem::directory_iterator(f.path))
      if (entry.path().filename().string().rfind(second, 0) == 0) return entry.path().filename().string();
    return std::string();
  };
  refuses("the shard " + second, [&](const auto& f) { std::filesystem::remove(f.file(find_second(f))); }, true);
  refuses("but it does not", [&](const auto& f) { write(f, find_second(f), {{norm, {32}, zeros.data()}}); }, true);
  refuses("\"model.embed_tokens.weight\" is here and in model-00001-of-", [&](const auto& f) {
    const std::string name = find_second(f);
    std::vector<TensorSource> tensors{{"model.embed_tokens.weight", {96, 32}, zeros.data()}};
    const SafetensorsFile shard(f.file(name));
    for (const Tensor& tensor : shard.tensors()) tensors.push_back({tensor.name, tensor.shape, zeros.data()});
    write(f, name, tensors);
  }, true);
  refuses("\"stranger\" is not in the index", [&](const auto& f) {
    const std::string name = find_second(f);
    std::vector<TensorSource> tensors{{"stranger", {1}, zeros.data()}};
    const SafetensorsFile shard(f.file(name));
    for (const Tensor& tensor : shard.tensors()) tensors.push_back({tensor.name, tensor.shape, zeros.data()});
    write(f, name, tensors);
  }, true);
}
