// A small strict JSON reader (RFC 8259, UTF-8) for config.json and safetensors headers, and its writer.
// Duplicate keys, trailing text, NaN, comments and nesting deeper than 64 are errors.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace exitrl::json {

enum class Kind { null, boolean, integer, real, string, array, object };
const char* name(Kind kind);

struct Value {
  using Member = std::pair<std::string, Value>;

  Kind kind = Kind::null;
  bool boolean = false;
  int64_t integer = 0;   // Kind::integer: a number without fraction or exponent that fits 64 bits
  double number = 0;     // integer and real
  std::string string;
  std::vector<Value> items;
  std::vector<Member> members;  // in the order of the text

  bool is_number() const { return kind == Kind::integer || kind == Kind::real; }
  bool is_null() const { return kind == Kind::null; }
  // The member with this key, or null.
  const Value* find(std::string_view key) const;
};

// Throws Error(invalid_file) with `origin`, line and column.
Value parse(std::string_view text, const std::string& origin);

Value text(std::string value);
Value integer(int64_t value);
Value real(double value);
Value boolean(bool value);
Value object(std::vector<Value::Member> members);

// `indent` 0 writes one line.
std::string dump(const Value& value, int indent = 0);

}  // namespace exitrl::json
