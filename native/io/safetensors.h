// safetensors (github.com/huggingface/safetensors): 8 bytes header length, JSON header, tensors back to back.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/dtype.h"
#include "io/file.h"

namespace exitrl {

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
  size_t size() const { return file_.size(); }
  const std::vector<Tensor>& tensors() const { return tensors_; }
  const Tensor* find(std::string_view name) const;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  // Elements [begin, begin + count) of a floating-point tensor, converted to `out` (io/dtype.h). Other types, a number that
  // `to` cannot hold and a file that can no longer be read are errors. Any thread.
  void read(const Tensor& tensor, int64_t begin, int64_t count, Dtype to, std::byte* out) const;
  void read(const Tensor& tensor, float* out) const { read(tensor, 0, tensor.count, Dtype::f32, reinterpret_cast<std::byte*>(out)); }
  // The same without conversion, for any type.
  void read_bytes(const Tensor& tensor, std::byte* out) const;
  // The pages of these elements will not be read again.
  void drop(const Tensor& tensor, int64_t begin, int64_t count) const;
  // After reading: throws when the file was cut short or grew meanwhile.
  void check_size() const { file_.check_size(); }

 private:
  MappedFile file_;
  std::vector<Tensor> tensors_;  // in the order of the data
  std::unordered_map<std::string_view, size_t> index_;
  std::map<std::string, std::string> metadata_;
};

struct TensorSource {
  std::string name;
  std::vector<int64_t> shape;
  const float* data;
  Dtype dtype = Dtype::f32;  // as it is written: F32, F16 or BF16
};
// Writes tensors in the given order; a number that its tensor's type cannot hold is an error that names the tensor.
void write_safetensors(AtomicFile& file, const std::vector<TensorSource>& tensors, const std::map<std::string, std::string>& metadata);
// The same to `path`, atomically (io/file.h).
void write_safetensors(const std::string& path, const std::vector<TensorSource>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace exitrl
