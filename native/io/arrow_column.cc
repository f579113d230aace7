#include "io/arrow_column.h"

#include <bit>
#include <charconv>

#include "core/status.h"

namespace exitrl {
namespace {

constexpr int kMaxDepth = 32;
constexpr int64_t kMaxLength = int64_t{1} << 53;

alignas(64) const std::byte kNothing[64]{};

[[noreturn]] void invalid(const std::string& path, const std::string& what) {
  fail(ErrorCode::invalid_argument, (path.empty() ? "the batch" : "column " + path) + ": " + what);
}

struct Plain {
  char format;
  int width;
  const char* name;
};
constexpr Plain kPlain[] = {{'c', 1, "int8"},    {'C', 1, "uint8"},   {'s', 2, "int16"},  {'S', 2, "uint16"},
                            {'i', 4, "int32"},   {'I', 4, "uint32"},  {'l', 8, "int64"},  {'L', 8, "uint64"},
                            {'e', 2, "float16"}, {'f', 4, "float32"}, {'g', 8, "float64"}};

const Plain* plain(const std::string& format) {
  if (format.size() == 1)
    for (const Plain& type : kPlain)
      if (type.format == format[0]) return &type;
  return nullptr;
}

bool is(const std::string& format, std::string_view a, std::string_view b = "") { return format == a || format == b; }
bool is_fixed_list(const std::string& format) { return format.rfind("+w:", 0) == 0; }

int64_t list_size(const std::string& format, const std::string& path) {
  int64_t size = -1;
  const char* end = format.data() + format.size();
  if (std::from_chars(format.data() + 3, end, size).ptr != end || size < 0 || size > INT32_MAX)
    invalid(path, "format " + format + " is not valid");
  return size;
}

}  // namespace

std::string type_name(const ArrowColumn& column) {
  const std::string& format = column.format;
  const std::string item = column.children.empty() ? "?" : type_name(*column.children[0]);
  std::string name = "format \"" + format + "\"";
  if (const Plain* type = plain(format)) name = type->name;
  else if (format == "b") name = "bool";
  else if (is(format, "u", "U")) name = "utf8";
  else if (is(format, "z", "Z")) name = "binary";
  else if (format == "+l") name = "list<" + item + ">";
  else if (format == "+L") name = "large_list<" + item + ">";
  else if (is_fixed_list(format)) name = "fixed_size_list<" + item + ">";
  else if (format == "+s") name = "struct";
  return column.dictionary ? "dictionary<" + type_name(*column.dictionary) + ">" : name;
}

const ArrowColumn* ArrowColumn::find(std::string_view child) const {
  const ArrowColumn* found = nullptr;
  for (const auto& candidate : children) {
    if (candidate->name != child) continue;
    if (found) invalid(std::string(child), "the batch has two columns of that name");
    found = candidate.get();
  }
  return found;
}

void ArrowColumn::validate() {
  validate(name, 0);
  fill_structures();
}

void ArrowColumn::validate(const std::string& path, int depth) {
  if (depth > kMaxDepth) invalid(path, "nested too deep");
  if (length < 0 || length > kMaxLength) invalid(path, "its length is " + std::to_string(length));
  check_nulls(path);
  for (const auto& child : children) {
    const std::string inner = child->name.empty() || child->name == "item" ? path : path.empty() ? child->name : path + "." + child->name;
    child->validate(inner, depth + 1);
  }
  if (dictionary) dictionary->validate(path + " (dictionary)", depth + 1);
  check_values(path);
}

void ArrowColumn::need(size_t buffer, int64_t count, int64_t width, const std::string& path, const char* what) {
  if (buffer >= buffers.size()) invalid(path, std::string("its ") + what + " buffer is missing");
  auto& [data, size] = buffers[buffer];
  int64_t bytes;
  if (__builtin_mul_overflow(count, width, &bytes) || (bytes > 0 && !data) || size < bytes)
    invalid(path, std::string("its ") + what + " buffer has " + std::to_string(data ? size : 0) + " bytes, " + std::to_string(length) +
                      " rows need more" + (data ? "" : "; is it missing, or was its ArrayBuffer detached?"));
  if (!data) data = kNothing;
  if (reinterpret_cast<uintptr_t>(data) % uintptr_t(width) != 0)
    invalid(path, std::string("its ") + what + " buffer is not aligned to " + std::to_string(width) + " bytes");
}

void ArrowColumn::check_nulls(const std::string& path) {
  if (null_count < -1 || null_count > length)
    invalid(path, "its null count is " + std::to_string(null_count) + " of " + std::to_string(length) + " rows");
  if (buffers.empty()) invalid(path, "it has no buffers");
  auto& bitmap = buffers[0];
  if (null_count == 0 || !bitmap.data) {
    if (null_count > 0) invalid(path, "it counts " + std::to_string(null_count) + " nulls but has no validity bitmap");
    bitmap = {};
    null_count = 0;
    return;
  }
  if (bitmap.size < (length + 7) / 8) invalid(path, "its validity bitmap is too short");
  int64_t valid_rows = 0;
  for (int64_t i = 0; i < length / 8; ++i) valid_rows += std::popcount(std::to_integer<unsigned>(bitmap.data[i]));
  for (int64_t i = length / 8 * 8; i < length; ++i) valid_rows += valid(i);
  null_count = length - valid_rows;  // what the bitmap says, whatever was claimed
}

void ArrowColumn::check_values(const std::string& path) {
  if (const Plain* type = plain(format)) {
    need(1, length, type->width, path, "values");
    if (dictionary) check_dictionary(path);
  } else if (format == "b") {
    need(1, (length + 7) / 8, 1, path, "values");
  } else if (is(format, "u", "z")) {
    check_offsets<int32_t>(path, buffers.size() > 2 ? buffers[2].size : 0);
    need(2, 0, 1, path, "values");
  } else if (is(format, "U", "Z")) {
    check_offsets<int64_t>(path, buffers.size() > 2 ? buffers[2].size : 0);
    need(2, 0, 1, path, "values");
  } else {
    check_children(path);
  }
  if (dictionary && !plain(format)) invalid(path, "a dictionary needs integer indices");
}

void ArrowColumn::check_children(const std::string& path) {
  if (format == "+s") {
    for (const auto& child : children)
      if (child->length != length)
        invalid(path.empty() ? child->name : path + "." + child->name,
                "it has " + std::to_string(child->length) + " rows, the batch has " + std::to_string(length));
    return;
  }
  if (!is(format, "+l", "+L") && !is_fixed_list(format)) invalid(path, "Arrow format \"" + format + "\" is not supported");
  if (children.size() != 1) invalid(path, "a list has one child, this one has " + std::to_string(children.size()));
  const int64_t limit = children[0]->length;
  if (format == "+l") return check_offsets<int32_t>(path, limit);
  if (format == "+L") return check_offsets<int64_t>(path, limit);
  int64_t items;
  if (__builtin_mul_overflow(list_size(format, path), length, &items) || items > limit)
    invalid(path, "its child has " + std::to_string(limit) + " values, too few for " + std::to_string(length) + " rows");
}

template <class Offset>
void ArrowColumn::check_offsets(const std::string& path, int64_t limit) {
  static constexpr Offset kZero = 0;
  // A column without rows may come without offsets.
  if (length == 0 && (buffers.size() < 2 || buffers[1].size == 0)) {
    if (buffers.size() < 2) buffers.resize(2);
    buffers[1] = {reinterpret_cast<const std::byte*>(&kZero), sizeof kZero};
  }
  need(1, length + 1, sizeof(Offset), path, "offsets");
  const Offset* offsets = values<Offset>();
  if (offsets[0] < 0) invalid(path, "its first offset is " + std::to_string(offsets[0]));
  for (int64_t row = 0; row < length; ++row)
    if (offsets[row + 1] < offsets[row])
      invalid(path, "row " + std::to_string(row) + ": its offsets run backwards, from " + std::to_string(offsets[row]) + " to " +
                        std::to_string(offsets[row + 1]));
  if (int64_t(offsets[length]) > limit)
    invalid(path, "its offsets end at " + std::to_string(offsets[length]) + ", but there are " + std::to_string(limit) + " values");
}

template <class Index>
void ArrowColumn::check_indices(const std::string& path) const {
  const Index* indices = values<Index>();
  for (int64_t row = 0; row < length; ++row) {
    if (!valid(row)) continue;
    if (indices[row] < Index{0} || uint64_t(indices[row]) >= uint64_t(dictionary->length))
      invalid(path, "row " + std::to_string(row) + ": dictionary index " + std::to_string(indices[row]) + " is outside of " +
                        std::to_string(dictionary->length) + " values");
  }
}

void ArrowColumn::check_dictionary(const std::string& path) const {
  switch (format[0]) {
    case 'c': return check_indices<int8_t>(path);
    case 'C': return check_indices<uint8_t>(path);
    case 's': return check_indices<int16_t>(path);
    case 'S': return check_indices<uint16_t>(path);
    case 'i': return check_indices<int32_t>(path);
    case 'I': return check_indices<uint32_t>(path);
    case 'l': return check_indices<int64_t>(path);
    case 'L': return check_indices<uint64_t>(path);
    default: invalid(path, "a dictionary needs integer indices");
  }
}

void ArrowColumn::fill_structures() {
  for (const Bytes& buffer : buffers) pointers_.push_back(buffer.data);
  for (const auto& child : children) {
    child->fill_structures();
    child_arrays_.push_back(&child->array);
    child_schemas_.push_back(&child->schema);
  }
  array.length = length;
  array.null_count = null_count;
  array.n_buffers = int64_t(pointers_.size());
  array.buffers = pointers_.data();
  array.n_children = schema.n_children = int64_t(children.size());
  array.children = child_arrays_.data();
  array.release = [](ArrowArray* self) { self->release = nullptr; };
  schema.format = format.c_str();
  schema.name = name.c_str();
  schema.flags = null_count > 0 ? ARROW_FLAG_NULLABLE : 0;
  schema.children = child_schemas_.data();
  schema.release = [](ArrowSchema* self) { self->release = nullptr; };
  if (!dictionary) return;
  dictionary->fill_structures();
  array.dictionary = &dictionary->array;
  schema.dictionary = &dictionary->schema;
}

}  // namespace exitrl
