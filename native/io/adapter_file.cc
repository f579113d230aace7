#include "io/adapter_file.h"

#include <sys/stat.h>
#include <unordered_set>

#include "core/status.h"
#include "io/safetensors.h"

namespace exitrl {
namespace {

bool exists(const std::string& path) {
  struct stat info{};
  return stat(path.c_str(), &info) == 0;
}

}  // namespace

void load_adapter(const std::string& directory, const AdapterLayout& layout, float* slab) {
  const std::string path = directory + "/adapter_model.safetensors";
  const auto invalid = [&](const std::string& what) { fail(ErrorCode::invalid_file, path + ": " + what); };
  if (!exists(path) && exists(directory + "/adapter_model.bin"))
    fail(ErrorCode::invalid_file, directory + ": adapter_model.bin is not supported; save the adapter as safetensors");
  const SafetensorsFile file(path);
  std::unordered_set<std::string_view> wanted;
  for (const Parameter& p : layout.parameters) {
    wanted.insert(p.name);
    const Tensor* tensor = file.find(p.name);
    if (!tensor) invalid("no tensor \"" + p.name + "\", which adapter_config.json asks for on this model: the adapter of another one?");
    if (tensor->shape != p.shape)
      invalid("tensor \"" + p.name + "\" has shape " + shape_text(tensor->shape) + ", this model and adapter_config.json ask for " +
              shape_text(p.shape) + ": the adapter of another model?");
  }
  for (const Tensor& tensor : file.tensors())
    if (!wanted.contains(tensor.name))
      invalid("tensor \"" + tensor.name + "\" belongs to no layer of this model that adapter_config.json adapts");
  for (const Parameter& p : layout.parameters) file.read(*file.find(p.name), slab + p.offset);
  file.check_size();
}

}  // namespace exitrl
