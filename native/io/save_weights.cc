#include <algorithm>
#include <array>
#include <cstdio>

#include "core/status.h"
#include "io/checkpoint.h"
#include "io/json.h"

namespace exitrl {
namespace {

constexpr std::string_view kEnding = ".safetensors";

int64_t bytes_of(const TensorSource& tensor) {
  auto bytes = int64_t(size_of(tensor.dtype));
  for (const int64_t size : tensor.shape) bytes *= size;
  return bytes;
}

using Shard = std::vector<TensorSource>;

std::vector<Shard> shards_of(const ParameterList& list, const float* slab, const SaveSettings& settings) {
  std::vector<Shard> shards(1);
  int64_t bytes = 0;
  for (size_t i = 0; i < list.parameters.size(); ++i) {
    const Parameter& p = list.parameters[i];
    TensorSource tensor{p.name, p.shape, slab + p.offset, settings.dtypes[i]};
    const int64_t size = bytes_of(tensor);
    if (!shards.back().empty() && bytes + size > settings.max_shard_bytes) {
      shards.emplace_back();
      bytes = 0;
    }
    bytes += size;
    shards.back().push_back(std::move(tensor));
  }
  return shards;
}

std::string shard_name(const std::string& stem, size_t i, size_t n) {
  char numbers[64];
  std::snprintf(numbers, sizeof numbers, "-%05zu-of-%05zu", i + 1, n);
  return stem + numbers + std::string(kEnding);
}

// The most frequent type, and the tensors that have another one.
void note_source(std::map<std::string, std::string>& metadata, const ParameterList& list, const std::vector<Dtype>& source) {
  std::array<size_t, size_t(Dtype::boolean) + 1> counts{};
  for (const Dtype dtype : source) ++counts[size_t(dtype)];
  const auto most = Dtype(std::max_element(counts.begin(), counts.end()) - counts.begin());
  metadata["source_dtype"] = name(most);
  for (size_t i = 0; i < source.size(); ++i)
    if (source[i] != most) metadata["source_dtype:" + list.parameters[i].name] = name(source[i]);
}

json::Value index_of(const std::vector<Shard>& shards, const std::vector<std::string>& files, const ParameterList& list) {
  int64_t bytes = 0;
  std::map<std::string, std::string> map;
  for (size_t s = 0; s < shards.size(); ++s)
    for (const auto& tensor : shards[s]) {
      bytes += bytes_of(tensor);
      map[tensor.name] = files[s];
    }
  json::Value names = json::object({});
  for (const auto& [tensor, file] : map) names.members.emplace_back(tensor, json::text(file));
  json::Value metadata = json::object({{"total_parameters", json::integer(list.count)}, {"total_size", json::integer(bytes)}});
  return json::object({{"metadata", std::move(metadata)}, {"weight_map", std::move(names)}});
}

}  // namespace

std::vector<std::string> save_weights(const std::string& path, const ParameterList& list, const float* slab, const SaveSettings& settings) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : path.substr(0, slash + 1), file = path.substr(folder.size());
  std::map<std::string, std::string> metadata{{"format", "pt"}};  // transformers insists on it
  if (!settings.source.empty()) note_source(metadata, list, settings.source);
  const auto shards = shards_of(list, slab, settings);
  if (shards.size() == 1) {
    write_safetensors(path, shards[0], metadata);
    return {file};
  }
  const std::string stem = file.ends_with(kEnding) ? file.substr(0, file.size() - kEnding.size()) : file;
  std::vector<std::string> files;
  std::vector<std::unique_ptr<AtomicFile>> written;
  for (size_t s = 0; s < shards.size(); ++s) {
    files.push_back(shard_name(stem, s, shards.size()));
    written.push_back(std::make_unique<AtomicFile>(folder + files.back()));
    write_safetensors(*written.back(), shards[s], metadata);
  }
  const std::string index = json::dump(index_of(shards, files, list), 2) + "\n";
  files.push_back(file + ".index.json");
  written.push_back(std::make_unique<AtomicFile>(folder + files.back()));
  written.back()->write(index.data(), index.size());
  for (const auto& part : written) part->commit();
  return files;
}

}  // namespace exitrl
