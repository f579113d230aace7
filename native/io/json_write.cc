#include <charconv>
#include <cmath>

#include "core/status.h"
#include "io/json.h"

namespace exitrl::json {
namespace {

void write_string(std::string& out, const std::string& value) {
  out += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      constexpr const char* hex = "0123456789abcdef";
      out += "\\u00";
      out += hex[c >> 4];
      out += hex[c & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

void write_integer(std::string& out, int64_t value) {
  char text[24];
  out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

// The fewest digits that read as the same number, with an exponent where Python writes one: 1000000.0, 1e-06.
void write_real(std::string& out, double value) {
  if (!std::isfinite(value)) fail(ErrorCode::internal, "JSON has no infinities and no NaN");
  const double size = std::abs(value);
  const auto format = size == 0 || (size >= 1e-4 && size < 1e16) ? std::chars_format::fixed : std::chars_format::scientific;
  char text[40];
  const size_t begin = out.size();
  out.append(text, std::to_chars(text, text + sizeof text, value, format).ptr);
  if (out.find_first_of(".e", begin) == std::string::npos) out += ".0";  // stays a real when read again
}

void write(std::string& out, const Value& value, int indent, int depth) {
  const auto line = [&](int level) {
    if (indent > 0) out.append("\n").append(size_t(indent * level), ' ');
  };
  switch (value.kind) {
    case Kind::null: out += "null"; break;
    case Kind::boolean: out += value.boolean ? "true" : "false"; break;
    case Kind::integer: write_integer(out, value.integer); break;
    case Kind::real: write_real(out, value.number); break;
    case Kind::string: write_string(out, value.string); break;
    case Kind::array:
      out += '[';
      for (size_t i = 0; i < value.items.size(); ++i) {
        if (i > 0) out += ',';
        line(depth + 1);
        write(out, value.items[i], indent, depth + 1);
      }
      if (!value.items.empty()) line(depth);
      out += ']';
      break;
    case Kind::object:
      out += '{';
      for (size_t i = 0; i < value.members.size(); ++i) {
        if (i > 0) out += ',';
        line(depth + 1);
        write_string(out, value.members[i].first);
        out += indent > 0 ? ": " : ":";
        write(out, value.members[i].second, indent, depth + 1);
      }
      if (!value.members.empty()) line(depth);
      out += '}';
      break;
  }
}

}  // namespace

Value text(std::string value) {
  Value v;
  v.kind = Kind::string;
  v.string = std::move(value);
  return v;
}

Value integer(int64_t value) {
  Value v;
  v.kind = Kind::integer;
  v.integer = value;
  v.number = double(value);
  return v;
}

Value real(double value) {
  Value v;
  v.kind = Kind::real;
  v.number = value;
  return v;
}

Value boolean(bool value) {
  Value v;
  v.kind = Kind::boolean;
  v.boolean = value;
  return v;
}

Value object(std::vector<Value::Member> members) {
  Value v;
  v.kind = Kind::object;
  v.members = std::move(members);
  return v;
}

std::string dump(const Value& value, int indent) {
  std::string out;
  write(out, value, indent, 0);
  return out;
}

}  // namespace exitrl::json
