#include "io/checkpoint.h"

#include <sys/stat.h>
#include <unordered_set>

#include "core/buffer.h"
#include "core/status.h"
#include "io/json.h"

namespace exitrl {
namespace {

[[noreturn]] void invalid(const std::string& path, const std::string& what) { fail(ErrorCode::invalid_file, path + ": " + what); }

bool exists(const std::string& path) {
  struct stat info{};
  return stat(path.c_str(), &info) == 0;
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// One shard per distinct file name of the weight map, after checking that map and shards agree.
std::vector<std::unique_ptr<SafetensorsFile>> open_shards(const std::string& directory, const std::string& index_path) {
  const json::Value index = json::parse(read_file(index_path), index_path);
  const json::Value* map = index.find("weight_map");
  if (!map || map->kind != json::Kind::object) invalid(index_path, "weight_map is missing");
  std::vector<std::unique_ptr<SafetensorsFile>> files;
  std::unordered_map<std::string, const SafetensorsFile*> by_name;
  size_t listed = 0;
  for (const auto& [tensor, value] : map->members) {
    const std::string& file = value.string;
    if (value.kind != json::Kind::string || file.empty() || file.find('/') != std::string::npos || file == "." || file == "..")
      invalid(index_path, "weight_map[\"" + tensor + "\"] must name a file of this folder, it is " +
                              (value.kind == json::Kind::string ? "\"" + file + "\"" : std::string(json::name(value.kind))));
    auto& shard = by_name[file];
    if (!shard) {
      if (!exists(directory + "/" + file)) invalid(index_path, "the shard " + file + " is not there");
      files.push_back(std::make_unique<SafetensorsFile>(directory + "/" + file));
      shard = files.back().get();
    }
    if (!shard->find(tensor)) invalid(index_path, "says that " + file + " holds \"" + tensor + "\", but it does not");
    ++listed;
  }
  size_t held = 0;
  for (const auto& file : files) held += file->tensors().size();
  if (held == listed) return files;
  for (const auto& file : files)
    for (const Tensor& tensor : file->tensors()) {
      const json::Value* where = map->find(tensor.name);
      if (!where || by_name[where->string] != file.get()) invalid(file->path(), "tensor \"" + tensor.name + "\" is not in the index");
    }
  invalid(index_path, "does not agree with its shards");
}

void check_shape(const Checkpoint::Entry& entry, const Parameter& parameter) {
  if (entry.tensor->shape != parameter.shape)
    invalid(entry.file->path(), "tensor \"" + entry.tensor->name + "\" has shape " + shape_text(entry.tensor->shape) +
                                    ", config.json asks for " + shape_text(parameter.shape));
}

// Some exports of tied models repeat the embedding as the head. Fine if it is the same, a contradiction if not.
void check_tied_head(const Checkpoint::Entry& head, const Parameter& embedding, const float* slab) {
  check_shape(head, embedding);
  Buffer<float> values(embedding.size);
  read_floats(*head.tensor, head.file->path(), values.data());
  for (int64_t i = 0; i < embedding.size; ++i)
    if (values[i] != slab[embedding.offset + i])
      invalid(head.file->path(), "lm_head.weight differs from the embedding, but config.json says tie_word_embeddings");
}

std::vector<TensorSource> sources(const ParameterList& list, const float* slab, const std::string& prefix) {
  std::vector<TensorSource> tensors;
  for (const Parameter& p : list.parameters) tensors.push_back({prefix + p.name, p.shape, slab + p.offset});
  return tensors;
}

}  // namespace

Checkpoint::Checkpoint(const std::string& directory) : directory_(directory) {
  const std::string single = directory + "/model.safetensors", index = single + ".index.json";
  if (exists(single)) files_.push_back(std::make_unique<SafetensorsFile>(single));
  else if (exists(index)) files_ = open_shards(directory, index);
  else fail(ErrorCode::io, directory + ": found neither model.safetensors nor model.safetensors.index.json");
}

Checkpoint::Entry Checkpoint::find(std::string_view name) const {
  for (const auto& file : files_)
    if (const Tensor* tensor = file->find(name)) return {tensor, file.get()};
  return {};
}

std::vector<Checkpoint::Entry> Checkpoint::entries() const {
  std::vector<Entry> all;
  for (const auto& file : files_)
    for (const Tensor& tensor : file->tensors()) all.push_back({&tensor, file.get()});
  return all;
}

void load_weights(const std::string& directory, const DecoderConfig& config, const Layout& layout, float* slab) {
  const Checkpoint checkpoint(directory);
  std::unordered_set<std::string_view> wanted;
  for (const Parameter& parameter : layout.parameters) {
    wanted.insert(parameter.name);
    const auto entry = checkpoint.find(parameter.name);
    if (!entry) invalid(directory, "the checkpoint has no tensor \"" + parameter.name + "\", which config.json asks for");
    check_shape(entry, parameter);
  }
  for (const auto& entry : checkpoint.entries()) {
    const std::string& name = entry.tensor->name;
    if (wanted.contains(name) || ends_with(name, "rotary_emb.inv_freq") || (config.tied && name == "lm_head.weight")) continue;
    invalid(entry.file->path(), "tensor \"" + name + "\" belongs to no parameter that config.json describes");
  }
  for (const Parameter& parameter : layout.parameters) {
    const auto entry = checkpoint.find(parameter.name);
    read_floats(*entry.tensor, entry.file->path(), slab + parameter.offset);
  }
  if (const auto head = checkpoint.find("lm_head.weight"); config.tied && head)
    check_tied_head(head, layout.find("model.embed_tokens.weight"), slab);
}

void save_weights(const std::string& path, const ParameterList& list, const float* slab) {
  write_safetensors(path, sources(list, slab, ""), {{"format", "pt"}});
}

void save_state(const std::string& path, const ParameterList& list, const TrainingState& state) {
  std::vector<TensorSource> tensors;
  const auto add = [&](const char* part, const float* slab) {
    if (slab) for (auto& tensor : sources(list, slab, std::string(part) + ".")) tensors.push_back(std::move(tensor));
  };
  add("exp_avg", state.exp_avg);
  add("exp_avg_sq", state.exp_avg_sq);
  add("reference", state.reference);
  std::map<std::string, std::string> metadata{{"format", "exit-rl state 1"}, {"step", std::to_string(state.step)}};
  if (state.reference_is_base) metadata["reference"] = "base";
  write_safetensors(path, tensors, metadata);
}

StateFile::StateFile(const std::string& path, const ParameterList& list) : list_(list), file_(path) {
  const auto& metadata = file_.metadata();
  const auto format = metadata.find("format"), step = metadata.find("step");
  if (format == metadata.end() || format->second != "exit-rl state 1") invalid(path, "not a training state of this version");
  if (step == metadata.end() || step->second.empty() || step->second.size() > 18 || step->second.find_first_not_of("0123456789") != std::string::npos)
    invalid(path, "the step is missing or not a number");
  step_ = std::stoll(step->second);
  const auto reference = metadata.find("reference");
  reference_is_base_ = reference != metadata.end() && reference->second == "base";
  size_t known = 0;
  for (const char* part : {"exp_avg", "exp_avg_sq", "reference"}) {
    if (!has(part)) continue;
    for (const Parameter& parameter : list.parameters) {
      const Tensor* tensor = file_.find(std::string(part) + "." + parameter.name);
      if (!tensor) invalid(path, std::string("no tensor \"") + part + "." + parameter.name + "\": the state of another model?");
      check_shape({tensor, &file_}, parameter);
      if (tensor->dtype != Dtype::f32) invalid(path, "tensor \"" + tensor->name + "\" holds " + name(tensor->dtype) + ", expected F32");
      ++known;
    }
  }
  if (known != file_.tensors().size()) invalid(path, "it holds tensors of another model");
  if (has("exp_avg") != has("exp_avg_sq") || (step_ > 0 && !has("exp_avg"))) invalid(path, "optimizer moments are missing");
}

bool StateFile::has(const std::string& part) const {
  return !list_.parameters.empty() && file_.find(part + "." + list_.parameters.front().name);
}

void StateFile::read(const std::string& part, float* slab) const {
  for (const Parameter& p : list_.parameters)
    read_floats(*file_.find(part + "." + p.name), file_.path(), slab + p.offset);
}

}  // namespace exitrl
