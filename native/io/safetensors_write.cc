#include <algorithm>

#include "core/buffer.h"
#include "core/status.h"
#include "io/json.h"
#include "io/safetensors.h"

namespace exitrl {
namespace {

constexpr int64_t kChunk = int64_t{1} << 18;  // elements converted at a time

std::string header_of(const std::vector<TensorSource>& tensors, const std::map<std::string, std::string>& metadata) {
  json::Value header = json::object({});
  if (!metadata.empty()) {
    json::Value entries = json::object({});
    for (const auto& [key, value] : metadata) entries.members.emplace_back(key, json::text(value));
    header.members.emplace_back("__metadata__", std::move(entries));
  }
  int64_t at = 0;
  for (const auto& tensor : tensors) {
    auto bytes = int64_t(size_of(tensor.dtype));
    json::Value shape, offsets;
    shape.kind = offsets.kind = json::Kind::array;
    for (const int64_t size : tensor.shape) {
      bytes *= size;
      shape.items.push_back(json::integer(size));
    }
    offsets.items = {json::integer(at), json::integer(at + bytes)};
    header.members.emplace_back(tensor.name,
                                json::object({{"dtype", json::text(name(tensor.dtype))}, {"shape", shape}, {"data_offsets", offsets}}));
    at += bytes;
  }
  std::string text = json::dump(header);
  text.append((8 - text.size() % 8) % 8, ' ');  // keeps the data aligned
  return text;
}

}  // namespace

void write_safetensors(AtomicFile& file, const std::vector<TensorSource>& tensors, const std::map<std::string, std::string>& metadata) {
  const std::string header = header_of(tensors, metadata);
  const uint64_t length = header.size();
  file.write(&length, sizeof length);
  file.write(header.data(), header.size());
  Buffer<std::byte> converted;
  for (const auto& tensor : tensors) {
    int64_t count = 1;
    for (const int64_t size : tensor.shape) count *= size;
    if (tensor.dtype == Dtype::f32) {
      file.write(tensor.data, size_t(count) * sizeof(float));
      continue;
    }
    if (!converted) converted = Buffer<std::byte>(kChunk * int64_t(sizeof(float)));
    for (int64_t at = 0; at < count; at += kChunk) {
      const int64_t part = std::min(kChunk, count - at);
      if (!convert(Dtype::f32, reinterpret_cast<const std::byte*>(tensor.data + at), tensor.dtype, converted.data(), part))
        fail(ErrorCode::invalid_argument, "cannot write " + file.path() + ": tensor \"" + tensor.name + "\" has a number that " +
                                              name(tensor.dtype) + " cannot hold; choose another type");
      file.write(converted.data(), size_t(part) * size_of(tensor.dtype));
    }
  }
}

void write_safetensors(const std::string& path, const std::vector<TensorSource>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  AtomicFile file(path);
  write_safetensors(file, tensors, metadata);
  file.commit();
}

}  // namespace exitrl
