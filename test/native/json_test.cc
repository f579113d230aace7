#include "io/json.h"

#include "check.h"
#include "core/status.h"

using namespace exitrl;

namespace {

std::string round_trip(const std::string& text) { return json::dump(json::parse(text, "t")); }

}  // namespace

TEST(json_round_trip) {
  for (const char* text : {"null", "true", "[]", "{}", "[1,-2,0]", "{\"a\":{\"b\":[null,false,\"x\"]}}", "9223372036854775807",
                           "-9223372036854775808", "1.5", "1e-05", "\"\\\"\\\\\"", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""})
    CHECK(round_trip(text) == text);
  CHECK(round_trip(" { \"a\" : 1 ,\n\t\"b\" : [ ] } ") == "{\"a\":1,\"b\":[]}");
  for (const char* text : {"100.0", "1000000.0", "1e-05", "0.0001", "-0.0", "123456789012345.6", "1e+16", "1.7976931348623157e+308"})
    CHECK(round_trip(text) == text);
  CHECK(json::dump(json::parse("{\"a\":[1],\"b\":{}}", "t"), 2) == "{\n  \"a\": [\n    1\n  ],\n  \"b\": {}\n}");
}

TEST(json_escapes) {
  CHECK(json::parse(R"("\u00e9\u20ac\ud83d\ude00\n\/")", "t").string == "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\n/");
  CHECK(round_trip(R"("\u0001")") == "\"\\u0001\"");
}

TEST(json_numbers) {
  const auto number = json::parse("[1e-06, 10000.0, 18446744073709551616]", "t");
  CHECK(number.items[0].number == 1e-6);
  CHECK(number.items[1].kind == json::Kind::real);
  CHECK(number.items[2].kind == json::Kind::real);  // does not fit 64 bits
}

TEST(json_refuses) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "unexpected end"}, {"{", "expected a key"}, {"[1,]", "expected a value"}, {"{\"a\":1,}", "expected a key"},
      {"[1 2]", "expected ',' or ']'"}, {"{\"a\" 1}", "expected ':'"}, {"01", "start with 0"}, {"1.", "after the decimal point"},
      {"1e", "exponent"}, {"-", "digit"}, {"+1", "expected a value"}, {"NaN", "expected a value"}, {"Infinity", "expected a value"},
      {"1e999", "out of range"}, {"tru", "expected a value"}, {"'a'", "expected a value"}, {"\"a", "without end"},
      {"\"\n\"", "control character"}, {"\"\\x\"", "unknown escape"}, {"\"\\u12g4\"", "hexadecimal"}, {"\"\\ud800\"", "surrogate"},
      {"\"\\udc00\"", "surrogate"}, {"\"\\ud800\\u0041\"", "surrogate"}, {"\"\xff\"", "UTF-8"}, {"\"\xc0\x80\"", "UTF-8"},
      {"\"\xed\xa0\x80\"", "UTF-8"}, {"\"\xf4\x90\x80\x80\"", "UTF-8"}, {"\"\xe2\x82", "UTF-8"}, {"1 2", "after the end"},
      {"{\"a\":1,\"a\":2}", "duplicate key \"a\""}, {"// x", "expected a value"}};
  for (const auto& [text, message] : cases) CHECK_THROWS(json::parse(text, "t"), message);
  CHECK_THROWS(json::parse("{\n \"a\": ?}", "some.json"), "some.json:2:7:");
  CHECK_THROWS(json::parse(std::string(100'000, '['), "t"), "nested deeper");
  json::parse(std::string(60, '[') + std::string(60, ']'), "t");
}

TEST(json_error_code) {
  try {
    json::parse("]", "t");
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.code == ErrorCode::invalid_file);
  }
}
