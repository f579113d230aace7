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

struct Spec {
  Dtype dtype;
  const char* name;
  size_t size;
};
constexpr Spec kDtypes[] = {{Dtype::f64, "F64", 8},   {Dtype::f32, "F32", 4}, {Dtype::f16, "F16", 2}, {Dtype::bf16, "BF16", 2},
                            {Dtype::i64, "I64", 8},   {Dtype::i32, "I32", 4}, {Dtype::u8, "U8", 1},   {Dtype::boolean, "BOOL", 1}};

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
    const Spec& spec = dtype(name, entry);
    tensor.dtype = spec.dtype;
    tensor.count = shape(name, entry, tensor.shape);
    const auto [begin, end] = offsets(name, entry);
    uint64_t bytes;
    if (__builtin_mul_overflow(uint64_t(tensor.count), uint64_t(spec.size), &bytes) || bytes > uint64_t(INT64_MAX))
      invalid_tensor(name, "shape " + shape_text(tensor.shape) + " is too large");
    if (end - begin != bytes)
      invalid_tensor(name, std::string(spec.name) + shape_text(tensor.shape) + " needs " + std::to_string(bytes) +
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
      if (range.begin > at) invalid_tensor(tensors[range.tensor].name, "a gap of " + std::to_string(range.begin - at) + " bytes lies before its data");
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

  const Spec& dtype(const std::string& name, const json::Value& entry) const {
    const json::Value* value = entry.find("dtype");
    if (!value || value->kind != json::Kind::string) invalid_tensor(name, "dtype is missing");
    for (const Spec& spec : kDtypes)
      if (value->string == spec.name) return spec;
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
      invalid_tensor(name, "its data ends at byte " + std::to_string(end) + " of " + std::to_string(data_size_) + ": the file is truncated or damaged");
    return {begin, end};
  }

  const std::string& path_;
  uint64_t data_size_;
  std::vector<Range> ranges_;
};

}  // namespace

const char* name(Dtype dtype) { return kDtypes[size_t(dtype)].name; }
size_t size_of(Dtype dtype) { return kDtypes[size_t(dtype)].size; }

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

SafetensorsFile::SafetensorsFile(const std::string& path) : file_(path) {
  uint64_t length = 0;
  if (file_.size() < 8) invalid(path, "not a safetensors file: it has " + std::to_string(file_.size()) + " bytes");
  std::memcpy(&length, file_.data(), 8);
  if (length > kMaxHeader) invalid(path, "not a safetensors file: the header would have " + std::to_string(length) + " bytes");
  if (length > file_.size() - 8) invalid(path, "the header ends after the file: the file is truncated");
  const std::string_view text(reinterpret_cast<const char*>(file_.data()) + 8, size_t(length));
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

void write_safetensors(const std::string& path, const std::vector<TensorSource>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  json::Value header = json::object({});
  if (!metadata.empty()) {
    json::Value entries = json::object({});
    for (const auto& [key, value] : metadata) entries.members.emplace_back(key, json::text(value));
    header.members.emplace_back("__metadata__", std::move(entries));
  }
  int64_t at = 0;
  std::vector<size_t> sizes;
  for (const auto& tensor : tensors) {
    int64_t bytes = sizeof(float);
    json::Value shape, offsets;
    shape.kind = offsets.kind = json::Kind::array;
    for (const int64_t size : tensor.shape) {
      bytes *= size;
      shape.items.push_back(json::integer(size));
    }
    offsets.items = {json::integer(at), json::integer(at + bytes)};
    header.members.emplace_back(tensor.name, json::object({{"dtype", json::text("F32")}, {"shape", shape}, {"data_offsets", offsets}}));
    sizes.push_back(size_t(bytes));
    at += bytes;
  }
  std::string text = json::dump(header);
  text.append((8 - text.size() % 8) % 8, ' ');  // keeps the data aligned

  AtomicFile file(path);
  const uint64_t length = text.size();
  file.write(&length, sizeof length);
  file.write(text.data(), text.size());
  for (size_t i = 0; i < tensors.size(); ++i) file.write(tensors[i].data, sizes[i]);
  file.commit();
}

}  // namespace exitrl
