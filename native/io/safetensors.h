// safetensors (github.com/huggingface/safetensors): 8 bytes header length, JSON header, tensors back to back.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/file.h"

namespace exitrl {

enum class Dtype { f64, f32, f16, bf16, i64, i32, u8, boolean };
const char* name(Dtype dtype);  // as the header spells it: F64, F32, ...
size_t size_of(Dtype dtype);

struct Tensor {
  std::string name;
  Dtype dtype;
  std::vector<int64_t> shape;
  int64_t count = 0;               // product of the shape; 1 for a scalar
  const std::byte* data = nullptr; // any alignment
};
std::string shape_text(const std::vector<int64_t>& shape);  // "[2, 3]"

// A mapped file, validated completely when opened. Errors name the file and the tensor.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::string& path);
  const std::string& path() const { return file_.path(); }
  const std::vector<Tensor>& tensors() const { return tensors_; }
  const Tensor* find(std::string_view name) const;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  MappedFile file_;
  std::vector<Tensor> tensors_;  // in the order of the data
  std::unordered_map<std::string_view, size_t> index_;
  std::map<std::string, std::string> metadata_;
};

// Widens F16, BF16 and F32 exactly to `out` (count floats); F64 is rounded. Other types are an error.
void read_floats(const Tensor& tensor, const std::string& path, float* out);

struct TensorSource {
  std::string name;
  std::vector<int64_t> shape;
  const float* data;
};
// Writes F32 tensors in the given order, atomically (io/file.h).
void write_safetensors(const std::string& path, const std::vector<TensorSource>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace exitrl
