#include "io/checkpoint.h"

#include <sys/stat.h>
#include <unordered_set>

#include "core/status.h"
#include "io/json.h"
#include "models/names.h"

namespace exitrl {
namespace {

[[noreturn]] void invalid(const std::string& path, const std::string& what) { fail(ErrorCode::invalid_file, path + ": " + what); }

bool exists(const std::string& path) {
  struct stat info{};
  return stat(path.c_str(), &info) == 0;
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
    if (value.kind != json::Kind::string || file.empty() || file.find_first_of(std::string_view("/\0", 2)) != std::string::npos ||
        file == "." || file == "..")
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
      if (!where) invalid(file->path(), "tensor \"" + tensor.name + "\" is not in the index");
      if (by_name[where->string] != file.get())
        invalid(file->path(), "tensor \"" + tensor.name + "\" is here and in " + where->string + ", where the index has it");
    }
  invalid(index_path, "does not agree with its shards");
}

void check_tensor(const Checkpoint::Entry& entry, const std::vector<int64_t>& shape) {
  const Tensor& tensor = *entry.tensor;
  if (tensor.shape != shape)
    invalid(entry.file->path(),
            "tensor \"" + tensor.name + "\" has shape " + shape_text(tensor.shape) + ", config.json asks for " + shape_text(shape));
  if (!is_float(tensor.dtype))
    invalid(entry.file->path(), "tensor \"" + tensor.name + "\" holds " + name(tensor.dtype) + ", expected floating-point numbers");
}

}  // namespace

Checkpoint::Checkpoint(const std::string& directory) : directory_(directory) {
  const std::string single = directory + "/model.safetensors", index = single + ".index.json";
  if (exists(single)) files_.push_back(std::make_unique<SafetensorsFile>(single));
  else if (exists(index)) files_ = open_shards(directory, index);
  else if (exists(directory + "/pytorch_model.bin") || exists(directory + "/pytorch_model.bin.index.json"))
    fail(ErrorCode::io, directory + ": pytorch_model.bin is not read; save the model again as model.safetensors");
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

std::vector<Checkpoint::Entry> Checkpoint::match(const DecoderConfig& config, const Layout& layout) const {
  std::vector<Entry> found;
  std::unordered_set<std::string_view> wanted;
  for (const Parameter& parameter : layout.parameters) {
    wanted.insert(parameter.name);
    found.push_back(find(parameter.name));
    if (!found.back()) invalid(directory_, "the checkpoint has no tensor \"" + parameter.name + "\", which config.json asks for");
    check_tensor(found.back(), parameter.shape);
  }
  for (const auto& entry : entries()) {
    const std::string& name = entry.tensor->name;
    if (wanted.contains(name) || name.ends_with(config.names->ignored)) continue;
    if (config.tied && name == config.names->head) check_tensor(entry, {config.V, config.C});
    else invalid(entry.file->path(), "tensor \"" + name + "\" belongs to no parameter that config.json describes");
  }
  return found;
}

}  // namespace exitrl
