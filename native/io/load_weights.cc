#include <algorithm>
#include <cstring>
#include <functional>

#include "core/buffer.h"
#include "core/status.h"
#include "io/checkpoint.h"
#include "models/names.h"

namespace exitrl {
namespace {

constexpr int64_t kChunk = int64_t{1} << 20;  // elements: enough for a task, little beside the weights

// A part of a tensor and where it goes.
struct Piece {
  Checkpoint::Entry from;
  int64_t begin, count;
  int64_t to;  // elements from the start of the slab
};

std::vector<Piece> pieces_of(const std::vector<Checkpoint::Entry>& entries, const Layout& layout) {
  std::vector<Piece> pieces;
  for (size_t i = 0; i < entries.size(); ++i)
    for (int64_t at = 0; at < entries[i].tensor->count; at += kChunk)
      pieces.push_back({entries[i], at, std::min(kChunk, entries[i].tensor->count - at), layout.parameters[i].offset + at});
  // In the order of the files, so that the system reads ahead.
  std::stable_sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) {
    return a.from.file != b.from.file ? std::less<>{}(a.from.file, b.from.file) : a.from.tensor->data < b.from.tensor->data;
  });
  return pieces;
}

// Some exports of tied models repeat the embedding as the head. Fine if it is the same, a contradiction if not.
void check_tied_head(const Checkpoint::Entry& head, const Checkpoint::Entry& embedding) {
  Buffer<float> a(std::min(kChunk, head.tensor->count)), b(a.size());
  for (int64_t at = 0; at < head.tensor->count; at += kChunk) {
    const int64_t count = std::min(kChunk, head.tensor->count - at);
    head.file->read(*head.tensor, at, count, Dtype::f32, reinterpret_cast<std::byte*>(a.data()));
    embedding.file->read(*embedding.tensor, at, count, Dtype::f32, reinterpret_cast<std::byte*>(b.data()));
    head.file->drop(*head.tensor, at, count);
    embedding.file->drop(*embedding.tensor, at, count);
    if (std::memcmp(a.data(), b.data(), size_t(count) * sizeof(float)) != 0)
      fail(ErrorCode::invalid_file,
           head.file->path() + ": " + head.tensor->name + " differs from the embedding, but config.json says tie_word_embeddings");
  }
}

// What save_weights noted: "source_dtype" for all tensors, "source_dtype:NAME" for those that differ.
Dtype source_dtype(const Checkpoint::Entry& entry) {
  const auto& metadata = entry.file->metadata();
  Dtype dtype = entry.tensor->dtype;
  for (const std::string& key : {std::string("source_dtype"), "source_dtype:" + entry.tensor->name})
    if (const auto found = metadata.find(key); found != metadata.end() && !find_dtype(found->second, dtype))
      fail(ErrorCode::invalid_file, entry.file->path() + ": __metadata__." + key + " is not a type: " + found->second);
  return is_float(dtype) && dtype != Dtype::f64 ? dtype : Dtype::f32;
}

}  // namespace

std::vector<Dtype> load_weights(const Checkpoint& checkpoint, const DecoderConfig& config, const Layout& layout, Pool& pool,
                                WeightTarget target) {
  const auto entries = checkpoint.match(config, layout);
  if (const auto head = checkpoint.find(config.names->head); config.tied && head)
    check_tied_head(head, checkpoint.find(config.names->embedding));
  const auto pieces = pieces_of(entries, layout);
  pool.parallel_tasks(int64_t(pieces.size()), [&](int64_t task, int) {
    const Piece& piece = pieces[size_t(task)];
    piece.from.file->read(*piece.from.tensor, piece.begin, piece.count, target.dtype,
                          target.slab + size_t(piece.to) * size_of(target.dtype));
    piece.from.file->drop(*piece.from.tensor, piece.begin, piece.count);
  });
  for (const auto& file : checkpoint.files()) file->check_size();
  std::vector<Dtype> dtypes;
  for (const auto& entry : entries) dtypes.push_back(source_dtype(entry));
  return dtypes;
}

}  // namespace exitrl
