#include "io/training_state.h"

#include <map>

#include "core/status.h"

namespace exitrl {
namespace {

[[noreturn]] void invalid(const std::string& path, const std::string& what) { fail(ErrorCode::invalid_file, path + ": " + what); }

}  // namespace

void save_state(const std::string& path, const ParameterList& list, const TrainingState& state) {
  std::vector<TensorSource> tensors;
  const auto add = [&](const char* part, const float* slab) {
    if (slab) for (const Parameter& p : list.parameters) tensors.push_back({std::string(part) + "." + p.name, p.shape, slab + p.offset});
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
  if (step == metadata.end() || step->second.empty() || step->second.size() > 18 ||
      step->second.find_first_not_of("0123456789") != std::string::npos)
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
      if (tensor->shape != parameter.shape)
        invalid(path, "tensor \"" + tensor->name + "\" has shape " + shape_text(tensor->shape) + ", the model's is " +
                          shape_text(parameter.shape));
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
  for (const Parameter& p : list_.parameters) {
    const Tensor& tensor = *file_.find(part + "." + p.name);
    file_.read(tensor, slab + p.offset);
    file_.drop(tensor, 0, tensor.count);
  }
  file_.check_size();
}

}  // namespace exitrl
