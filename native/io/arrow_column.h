// An Arrow column over memory that somebody else owns, as C Data Interface structures. validate() is what makes it safe
// to read: after it, no offset, index or length reaches outside a buffer.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/arrow_abi.h"

namespace exitrl {

struct ArrowColumn {
  struct Bytes {
    const std::byte* data = nullptr;
    int64_t size = 0;
  };
  std::string format, name;
  int64_t length = 0;
  int64_t null_count = 0;
  std::vector<Bytes> buffers;  // in the order of the C Data Interface
  std::vector<std::unique_ptr<ArrowColumn>> children;
  std::unique_ptr<ArrowColumn> dictionary;

  // The structures; they point into this object, which must outlive them. Their release callbacks free nothing.
  ArrowArray array{};
  ArrowSchema schema{};

  ArrowColumn() = default;
  ArrowColumn(const ArrowColumn&) = delete;
  ArrowColumn& operator=(const ArrowColumn&) = delete;

  // Checks lengths, buffer sizes, alignment, offsets and dictionary indices of the whole tree, replaces missing empty
  // buffers by an address that may be formed, and fills `array` and `schema`. Errors name the column.
  void validate();

  bool valid(int64_t row) const {
    return buffers[0].data == nullptr || (std::to_integer<unsigned>(buffers[0].data[row >> 3]) >> (row & 7) & 1);
  }
  template <class T>
  const T* values(size_t buffer = 1) const {
    return reinterpret_cast<const T*>(buffers[buffer].data);
  }
  // The child with this name, or null. Two of that name are an error.
  const ArrowColumn* find(std::string_view child) const;

 private:
  void validate(const std::string& path, int depth);
  void check_nulls(const std::string& path);
  void check_values(const std::string& path);
  template <class Offset>
  void check_offsets(const std::string& path, int64_t limit);
  template <class Index>
  void check_indices(const std::string& path) const;
  void check_dictionary(const std::string& path) const;
  void check_children(const std::string& path);
  void need(size_t buffer, int64_t count, int64_t width, const std::string& path, const char* what);
  void fill_structures();
  std::vector<const void*> pointers_;
  std::vector<ArrowArray*> child_arrays_;
  std::vector<ArrowSchema*> child_schemas_;
};

// "list<int32>" for messages.
std::string type_name(const ArrowColumn& column);

}  // namespace exitrl
