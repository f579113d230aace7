#include "io/json.h"

#include <charconv>
#include <cmath>
#include <unordered_set>

#include "core/status.h"

namespace exitrl::json {
namespace {

constexpr int kMaxDepth = 64;

class Parser {
 public:
  Parser(std::string_view text, const std::string& origin) : text_(text), origin_(origin) {}

  Value document() {
    Value value = parse_value(0);
    skip_space();
    if (at_ != text_.size()) error("text after the end of the document");
    return value;
  }

 private:
  [[noreturn]] void error(const std::string& what) const {
    size_t line = 1, column = 1;
    for (size_t i = 0; i < at_ && i < text_.size(); ++i) {
      if (text_[i] == '\n') ++line, column = 1;
      else ++column;
    }
    fail(ErrorCode::invalid_file,
         origin_ + ":" + std::to_string(line) + ":" + std::to_string(column) + ": not valid JSON: " + what);
  }

  bool done() const { return at_ == text_.size(); }
  char peek() const { return done() ? '\0' : text_[at_]; }
  void skip_space() {
    while (!done() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) ++at_;
  }
  bool take(char c) {
    if (done() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool take_word(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  Value parse_value(int depth) {
    if (depth > kMaxDepth) error("nested deeper than " + std::to_string(kMaxDepth));
    skip_space();
    Value value;
    if (done()) error("unexpected end of the text");
    const char c = text_[at_];
    if (c == '{') {
      parse_object(value, depth);
    } else if (c == '[') {
      parse_array(value, depth);
    } else if (c == '"') {
      value = json::text(parse_string());
    } else if (c == '-' || (c >= '0' && c <= '9')) {
      parse_number(value);
    } else if (take_word("true")) {
      value = json::boolean(true);
    } else if (take_word("false")) {
      value = json::boolean(false);
    } else if (!take_word("null")) {
      error("expected a value");
    }
    return value;
  }

  void parse_object(Value& value, int depth) {
    value.kind = Kind::object;
    ++at_;
    skip_space();
    if (take('}')) return;
    std::unordered_set<std::string> seen;
    for (;;) {
      skip_space();
      if (peek() != '"') error("expected a key in quotes");
      std::string key = parse_string();
      if (!seen.insert(key).second) error("duplicate key \"" + key + "\"");
      skip_space();
      if (!take(':')) error("expected ':' after the key \"" + key + "\"");
      value.members.emplace_back(std::move(key), parse_value(depth + 1));
      skip_space();
      if (take('}')) return;
      if (!take(',')) error("expected ',' or '}'");
    }
  }

  void parse_array(Value& value, int depth) {
    value.kind = Kind::array;
    ++at_;
    skip_space();
    if (take(']')) return;
    for (;;) {
      value.items.push_back(parse_value(depth + 1));
      skip_space();
      if (take(']')) return;
      if (!take(',')) error("expected ',' or ']'");
    }
  }

  void digits(const char* where) {
    if (peek() < '0' || peek() > '9') error(std::string("expected a digit ") + where);
    while (peek() >= '0' && peek() <= '9') ++at_;
  }

  void parse_number(Value& value) {
    const size_t begin = at_;
    bool whole = true;
    take('-');
    if (take('0')) {
      if (peek() >= '0' && peek() <= '9') error("a number may not start with 0");
    } else {
      digits("in a number");
    }
    if (take('.')) whole = false, digits("after the decimal point");
    if (take('e') || take('E')) {
      whole = false;
      if (!take('+')) take('-');
      digits("in the exponent");
    }
    const char* first = text_.data() + begin;
    const char* last = text_.data() + at_;
    if (whole && std::from_chars(first, last, value.integer).ec == std::errc{}) {
      value.kind = Kind::integer;
      value.number = double(value.integer);
      return;
    }
    value.kind = Kind::real;
    value.integer = 0;
    if (std::from_chars(first, last, value.number).ec != std::errc{}) error("number out of range");
  }

  unsigned hex4() {
    unsigned code = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = peek();
      const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
      if (digit < 0) error("expected four hexadecimal digits after \\u");
      code = code * 16 + unsigned(digit);
      ++at_;
    }
    return code;
  }

  void escape(std::string& out) {
    const char c = peek();
    ++at_;
    switch (c) {
      case '"': case '\\': case '/': out += c; return;
      case 'b': out += '\b'; return;
      case 'f': out += '\f'; return;
      case 'n': out += '\n'; return;
      case 'r': out += '\r'; return;
      case 't': out += '\t'; return;
      case 'u': break;
      default: --at_; error("unknown escape in a string");
    }
    unsigned code = hex4();
    if (code >= 0xDC00 && code <= 0xDFFF) error("half of a surrogate pair");
    if (code >= 0xD800 && code <= 0xDBFF) {
      if (!take_word("\\u")) error("half of a surrogate pair");
      const unsigned low = hex4();
      if (low < 0xDC00 || low > 0xDFFF) error("half of a surrogate pair");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    append_utf8(out, code);
  }

  static void append_utf8(std::string& out, unsigned code) {
    if (code < 0x80) {
      out += char(code);
    } else if (code < 0x800) {
      out += char(0xC0 | code >> 6);
      out += char(0x80 | (code & 63));
    } else if (code < 0x10000) {
      out += char(0xE0 | code >> 12);
      out += char(0x80 | (code >> 6 & 63));
      out += char(0x80 | (code & 63));
    } else {
      out += char(0xF0 | code >> 18);
      out += char(0x80 | (code >> 12 & 63));
      out += char(0x80 | (code >> 6 & 63));
      out += char(0x80 | (code & 63));
    }
  }

  // Copies one multi-byte character: no overlong forms, no surrogates, nothing above U+10FFFF.
  void multi_byte(std::string& out) {
    const auto lead = static_cast<unsigned char>(text_[at_]);
    const int extra = lead >= 0xC2 && lead <= 0xDF ? 1 : lead >= 0xE0 && lead <= 0xEF ? 2 : lead >= 0xF0 && lead <= 0xF4 ? 3 : 0;
    if (extra == 0 || text_.size() - at_ <= size_t(extra)) error("not UTF-8");
    for (int i = 1; i <= extra; ++i) {
      const auto byte = static_cast<unsigned char>(text_[at_ + size_t(i)]);
      const bool first = i == 1;
      const int low = first && lead == 0xE0 ? 0xA0 : first && lead == 0xF0 ? 0x90 : 0x80;
      const int high = first && lead == 0xED ? 0x9F : first && lead == 0xF4 ? 0x8F : 0xBF;
      if (byte < low || byte > high) error("not UTF-8");
    }
    out.append(text_.substr(at_, size_t(extra) + 1));
    at_ += size_t(extra) + 1;
  }

  std::string parse_string() {
    std::string out;
    ++at_;
    for (;;) {
      if (done()) error("a string without end");
      const auto c = static_cast<unsigned char>(text_[at_]);
      if (c == '"') {
        ++at_;
        return out;
      }
      if (c < 0x20) error("a control character in a string");
      if (c >= 0x80) {
        multi_byte(out);
      } else {
        ++at_;
        if (c == '\\') escape(out);
        else out += char(c);
      }
    }
  }

  std::string_view text_;
  const std::string& origin_;
  size_t at_ = 0;
};

}  // namespace

const char* name(Kind kind) {
  switch (kind) {
    case Kind::null: return "null";
    case Kind::boolean: return "a boolean";
    case Kind::integer: return "an integer";
    case Kind::real: return "a number";
    case Kind::string: return "a string";
    case Kind::array: return "an array";
    default: return "an object";
  }
}

const Value* Value::find(std::string_view key) const {
  for (const auto& [k, value] : members)
    if (k == key) return &value;
  return nullptr;
}

Value parse(std::string_view text, const std::string& origin) { return Parser(text, origin).document(); }

}  // namespace exitrl::json
