#include "napi/columns.h"

#include <cstring>

#include "napi/environment.h"

namespace exitrl {
namespace {

int64_t padded(int64_t bytes) { return (bytes + 63) & ~int64_t{63}; }

int64_t bytes_of(const ColumnLayout& column) {
  return column.format == 'c' ? column.length : column.format == 'b' ? (column.length + 7) / 8 : column.length * 4;
}

// The completion's tokens are trained on, the prompt's are not.
void fill_loss_mask(const Generated& g, int64_t rows, std::byte* bits) {
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t k = g.offsets[size_t(row)] + g.prompt_length[size_t(row)]; k < g.offsets[size_t(row) + 1]; ++k)
      bits[k >> 3] |= std::byte(1 << (k & 7));
}

}  // namespace

Columns make_columns(const Generated& g, const std::shared_ptr<BlockCounts>& counts) {
  Columns out;
  out.rows = int64_t(g.prompt_length.size());
  const auto tokens = int64_t(g.tokens.size());
  out.layout = {{"tokens", 'i', true, 0, tokens},        {"loss_mask", 'b', true, 0, tokens},
                {"logprob", 'f', true, 0, tokens},       {"raw_logprob", 'f', true, 0, tokens},
                {"prompt_length", 'i', false, 0, out.rows}, {"finish_reason", 'c', false, 0, out.rows}};
  const void* sources[] = {g.tokens.data(),       nullptr, g.logprob.data(), g.raw_logprob.data(), g.prompt_length.data(),
                           g.finish_reason.data()};
  int64_t size = padded((out.rows + 1) * 4);
  for (auto& column : out.layout) {
    column.offset = size;
    size += padded(bytes_of(column));
  }
  out.block = std::make_shared<Block>(size, counts);
  std::byte* data = out.block->data();
  std::memcpy(data, g.offsets.data(), g.offsets.size() * 4);
  for (size_t i = 0; i < out.layout.size(); ++i) {
    const ColumnLayout& column = out.layout[i];
    if (column.format == 'b') fill_loss_mask(g, out.rows, data + column.offset);
    else if (column.length > 0) std::memcpy(data + column.offset, sources[i], size_t(bytes_of(column)));
  }
  return out;
}

Napi::Object to_js(Napi::Env env, const Columns& columns) {
  auto list = Napi::Array::New(env, columns.layout.size());
  for (uint32_t i = 0; i < columns.layout.size(); ++i) {
    const ColumnLayout& column = columns.layout[i];
    auto entry = Napi::Object::New(env);
    entry.Set("name", column.name);
    entry.Set("format", std::string(1, column.format));
    entry.Set("list", column.list);
    entry.Set("byteOffset", double(column.offset));
    entry.Set("length", double(column.length));
    list[i] = entry;
  }
  auto out = Napi::Object::New(env);
  out.Set("buffer", Blocks::to_array_buffer(env, environment(env).blocks, columns.block));
  out.Set("rows", double(columns.rows));
  out.Set("columns", list);
  out.Set("offsetsByteOffset", double(columns.offsets));
  return out;
}

Napi::Float32Array floats_view(Napi::ArrayBuffer buffer, int64_t byte_offset, int64_t count) {
  return Napi::Float32Array::New(buffer.Env(), size_t(count), buffer, size_t(byte_offset));
}

}  // namespace exitrl
