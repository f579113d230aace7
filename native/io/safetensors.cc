#include "io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/status.h"
#include "io/json.h"

namespace exitrl {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian");

constexpr uint64_t kMaxHeader = 100'000'000;  // the reference implementation's limit

[[noreturn]] void invalid(const std::string& path, const std::string& what) { fail(ErrorCode::invalid_file, path + ": " + what); }

struct Range {
  uint64_t begin, end;
  size_t tensor;
};

class HeaderReader {
 public:
  HeaderReader(const std::string& path, uint64_t data_size) : path_(path), data_size_(data_size) {}

  Tensor tensor(const std::string& name, const json::Value& entry, const std::byte* data) {
    if (entry.kind != json::Kind::object) invalid_tensor(name, "its header entry is not an object");
    for (const auto& [key, value] : entry.members)
      if (key != "dtype" && key != "shape" && key != "data_offsets") invalid_tensor(name, "unknown key \"" + key + "\"");
    Tensor tensor;
    tensor.name = name;
    tensor.dtype = dtype(name, entry);
    tensor.count = shape(name, entry, tensor.shape);
    const auto [begin, end] = offsets(name, entry);
    uint64_t bytes;
    if (__builtin_mul_overflow(uint64_t(tensor.count), uint64_t(size_of(tensor.dtype)), &bytes) || bytes > uint64_t(INT64_MAX))
      invalid_tensor(name, "shape " + shape_text(tensor.shape) + " is too large");
    if (end - begin != bytes)
      invalid_tensor(name, std::string(exitrl::name(tensor.dtype)) + shape_text(tensor.shape) + " needs " + std::to_string(bytes) +
                               " bytes, data_offsets give " + std::to_string(end - begin));
    tensor.data = data + begin;
    ranges_.push_back({begin, end, ranges_.size()});
    return tensor;
  }

  // The tensors must cover the data exactly: returns their order.
  std::vector<size_t> order(const std::vector<Tensor>& tensors) {
    std::stable_sort(ranges_.begin(), ranges_.end(), [](const Range& a, const Range& b) {
      return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
    });
    std::vector<size_t> order;
    uint64_t at = 0;
    for (const Range& range : ranges_) {
      if (range.begin < at) invalid_tensor(tensors[range.tensor].name, "its data overlaps the tensor before it");
      if (range.begin > at)
        invalid_tensor(tensors[range.tensor].name, "a gap of " + std::to_string(range.begin - at) + " bytes lies before its data");
      at = range.end;
      order.push_back(range.tensor);
    }
    if (at != data_size_) invalid(path_, std::to_string(data_size_ - at) + " bytes after the last tensor belong to none");
    return order;
  }

 private:
  [[noreturn]] void invalid_tensor(const std::string& name, const std::string& what) const {
    invalid(path_, "tensor \"" + name + "\": " + what);
  }

  Dtype dtype(const std::string& name, const json::Value& entry) const {
    const json::Value* value = entry.find("dtype");
    if (!value || value->kind != json::Kind::string) invalid_tensor(name, "dtype is missing");
    Dtype found;
    if (find_dtype(value->string, found) && value->string == exitrl::name(found)) return found;
    invalid_tensor(name, "dtype " + value->string + " is not supported (F64, F32, F16, BF16, I64, I32, U8, BOOL are)");
  }

  int64_t shape(const std::string& name, const json::Value& entry, std::vector<int64_t>& shape) const {
    const json::Value* value = entry.find("shape");
    if (!value || value->kind != json::Kind::array) invalid_tensor(name, "shape is missing");
    int64_t count = 1;
    for (const auto& item : value->items) {
      if (item.kind != json::Kind::integer || item.integer < 0) invalid_tensor(name, "shape has an entry that is not a size");
      shape.push_back(item.integer);
    }
    for (const int64_t size : shape)
      if (__builtin_mul_overflow(count, size, &count)) invalid_tensor(name, "shape " + shape_text(shape) + " is too large");
    return count;
  }

  std::pair<uint64_t, uint64_t> offsets(const std::string& name, const json::Value& entry) const {
    const json::Value* value = entry.find("data_offsets");
    if (!value || value->kind != json::Kind::array || value->items.size() != 2) invalid_tensor(name, "data_offsets must be [begin, end]");
    for (const auto& item : value->items)
      if (item.kind != json::Kind::integer || item.integer < 0) invalid_tensor(name, "data_offsets must be two sizes");
    const auto begin = uint64_t(value->items[0].integer), end = uint64_t(value->items[1].integer);
    if (begin > end) invalid_tensor(name, "data_offsets run backwards");
    if (end > data_size_)
      invalid_tensor(name, "its data ends at byte " + std::to_string(end) + " of " + std::to_string(data_size_) +
                               ": the file is truncated or damaged");
    return {begin, end};
  }

  const std::string& path_;
  uint64_t data_size_;
  std::vector<Range> ranges_;
};

}  // namespace

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

SafetensorsFile::SafetensorsFile(const std::string& path) : file_(path) {
  uint64_t length = 0;
  if (file_.size() < 8) invalid(path, "not a safetensors file: it has " + std::to_string(file_.size()) + " bytes");
  file_.read([&] { std::memcpy(&length, file_.data(), 8); });
  if (length > kMaxHeader) invalid(path, "not a safetensors file: the header would have " + std::to_string(length) + " bytes");
  if (length > file_.size() - 8) invalid(path, "the header ends after the file: the file is truncated");
  std::string text(size_t(length), '\0');
  file_.read([&] { std::memcpy(text.data(), file_.data() + 8, text.size()); });
  if (text.empty() || text[0] != '{') invalid(path, "not a safetensors file: the header does not start with {");
  const json::Value header = json::parse(text, path + " (header)");

  const std::byte* data = file_.data() + 8 + length;
  HeaderReader reader(path, file_.size() - 8 - length);
  std::vector<Tensor> listed;
  for (const auto& [key, entry] : header.members) {
    if (key != "__metadata__") {
      listed.push_back(reader.tensor(key, entry, data));
      continue;
    }
    if (entry.kind != json::Kind::object) invalid(path, "__metadata__ is not an object");
    for (const auto& [field, value] : entry.members) {
      if (value.kind != json::Kind::string) invalid(path, "__metadata__." + field + " is not a string");
      metadata_.emplace(field, value.string);
    }
  }
  for (const size_t i : reader.order(listed)) tensors_.push_back(std::move(listed[i]));
  for (size_t i = 0; i < tensors_.size(); ++i) index_.emplace(tensors_[i].name, i);
}

const Tensor* SafetensorsFile::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

void SafetensorsFile::read(const Tensor& tensor, int64_t begin, int64_t count, Dtype to, std::byte* out) const {
  if (!is_float(tensor.dtype))
    invalid(path(), "tensor \"" + tensor.name + "\" holds " + name(tensor.dtype) + ", expected floating-point numbers");
  const std::byte* in = tensor.data + size_t(begin) * size_of(tensor.dtype);
  bool fits = true;
  file_.read([&] { fits = convert(tensor.dtype, in, to, out, count); });
  if (!fits) invalid(path(), "tensor \"" + tensor.name + "\" has a number that " + name(to) + " cannot hold");
}

void SafetensorsFile::read_bytes(const Tensor& tensor, std::byte* out) const {
  const size_t bytes = size_t(tensor.count) * size_of(tensor.dtype);
  if (bytes > 0) file_.read([&] { std::memcpy(out, tensor.data, bytes); });
}

void SafetensorsFile::drop(const Tensor& tensor, int64_t begin, int64_t count) const {
  file_.drop(tensor.data + size_t(begin) * size_of(tensor.dtype), size_t(count) * size_of(tensor.dtype));
}

}  // namespace exitrl
