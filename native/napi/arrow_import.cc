#include "napi/arrow_import.h"

#include "napi/napi_support.h"

namespace exitrl {
namespace {

constexpr int kMaxDepth = 32;

class Importer {
 public:
  Importer(ImportedColumn& out, const Blocks& blocks) : out_(out), blocks_(blocks) {}

  void fill(ArrowColumn& column, const Napi::Value& description, int depth) {
    require(depth <= kMaxDepth, "a column is nested too deep");
    const Fields fields(description, depth == 0 ? "the batch (made by describeBatch)" : "a column description");
    column.name = fields.string("name");
    column.format = fields.string("format");
    column.length = fields.integer("length", INT64_MIN, kMaxSafeInteger);
    column.null_count = fields.integer("nullCount", INT64_MIN, kMaxSafeInteger);
    each(fields, "buffers", [&](const Napi::Value& value) { column.buffers.push_back(bytes(value, column.name)); });
    each(fields, "children", [&](const Napi::Value& value) {
      column.children.push_back(std::make_unique<ArrowColumn>());
      fill(*column.children.back(), value, depth + 1);
    });
    if (const Napi::Value dictionary = fields.value("dictionary"); !dictionary.IsNull() && !dictionary.IsUndefined()) {
      column.dictionary = std::make_unique<ArrowColumn>();
      fill(*column.dictionary, dictionary, depth + 1);
    }
  }

 private:
  template <class Body>
  static void each(const Fields& fields, const char* key, Body body) {
    const Napi::Value value = fields.value(key);
    if (!value.IsArray()) fields.invalid(key, "must be an array, it is " + describe(value));
    const auto array = value.As<Napi::Array>();
    for (uint32_t i = 0, n = array.Length(); i < n; ++i) body(Napi::Value(array[i]));
  }

  ArrowColumn::Bytes bytes(const Napi::Value& value, const std::string& column) {
    if (value.IsNull() || value.IsUndefined()) return {};
    if (!value.IsTypedArray())
      fail(ErrorCode::invalid_argument, "column " + column + ": a buffer must be a typed array or null, it is " + describe(value));
    // Not through Napi::ArrayBuffer: the view may lie on a SharedArrayBuffer.
    void* data = nullptr;
    size_t offset = 0;
    napi_value buffer = nullptr;
    const napi_status status = napi_get_typedarray_info(value.Env(), value, nullptr, nullptr, &data, &buffer, &offset);
    if (status != napi_ok) throw Napi::Error::New(value.Env());
    out_.pins.emplace_back(value.Env(), buffer);
    if (auto block = data ? blocks_.find(static_cast<std::byte*>(data) - offset) : nullptr) out_.blocks.push_back(std::move(block));
    return {static_cast<const std::byte*>(data), int64_t(value.As<Napi::TypedArray>().ByteLength())};
  }

  ImportedColumn& out_;
  const Blocks& blocks_;
};

}  // namespace

ImportedColumn import_column(const Napi::Value& description, const Blocks& blocks) {
  ImportedColumn out;
  out.column = std::make_shared<ArrowColumn>();
  Importer(out, blocks).fill(*out.column, description, 0);
  out.column->validate();
  return out;
}

}  // namespace exitrl
