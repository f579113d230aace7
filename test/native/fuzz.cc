#include "fuzz.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "check.h"
#include "core/rng.h"
#include "core/status.h"

using exitrl::json::Kind;
using exitrl::json::Value;

namespace fuzz {

uint64_t Random::bits() {
  const auto block = exitrl::philox(stream_, input_, drawn_++);
  return uint64_t(block[0]) << 32 | block[1];
}

int64_t edge(Random& random) {
  static const std::vector<int64_t> edges{0,
                                          1,
                                          2,
                                          3,
                                          7,
                                          8,
                                          15,
                                          16,
                                          63,
                                          64,
                                          127,
                                          128,
                                          255,
                                          256,
                                          4095,
                                          65535,
                                          65536,
                                          INT32_MAX,
                                          int64_t{INT32_MAX} + 1,
                                          UINT32_MAX,
                                          int64_t{1} << 32,
                                          int64_t{1} << 40,
                                          int64_t{1} << 53,
                                          int64_t{1} << 62,
                                          INT64_MAX,
                                          INT64_MIN};
  const int64_t value = random.of(edges);
  switch (random.below(4)) {
    case 0: return value == INT64_MIN ? value : -value;
    case 1: return value == INT64_MIN ? value : value - 1;
    default: return value;
  }
}

namespace {

const std::vector<std::string> kWords{"{",
                                      "}",
                                      "[",
                                      "]",
                                      ",",
                                      ":",
                                      "\"",
                                      "\\",
                                      "null",
                                      "true",
                                      "false",
                                      "0",
                                      "-1",
                                      "1e999",
                                      "1e-999",
                                      "-0.0",
                                      "0.5",
                                      "18446744073709551615",
                                      "9223372036854775808",
                                      "\\u0000",
                                      "\\ud800",
                                      "\\udc00",
                                      "\xff",
                                      "\xc0\x80",
                                      "\xed\xa0\x80",
                                      "F32",
                                      "BF16",
                                      "I64",
                                      "F8_E4M3",
                                      "__metadata__",
                                      "data_offsets",
                                      "shape",
                                      "dtype",
                                      "[]",
                                      "{}",
                                      "\"\"",
                                      "\n",
                                      " ",
                                      std::string(1, '\0'),
                                      std::string(70, '[')};

void mutate_once(std::string& bytes, Random& random) {
  const size_t n = bytes.size(), at = random.below(n + 1), length = random.below(n - at + 1);
  switch (random.below(9)) {
    case 0: if (at < n) bytes[at] = char(bytes[at] ^ (1 << random.below(8))); break;
    case 1: if (at < n) bytes[at] = char(random.bits()); break;
    case 2: bytes.erase(at, random.below(std::min<size_t>(length, 8) + 1)); break;
    case 3: bytes.insert(at, random.of(kWords)); break;
    case 4: bytes.insert(at, bytes.substr(at, std::min<size_t>(length, 64))); break;
    case 5: bytes.resize(at); break;
    case 6: {
      const std::string moved = bytes.substr(at, std::min<size_t>(length, 32));
      bytes.erase(at, moved.size());
      bytes.insert(random.below(bytes.size() + 1), moved);
      break;
    }
    case 7: {  // a number in binary, as in headers and offsets
      const int64_t value = edge(random);
      const size_t width = size_t{1} << random.below(4);
      if (at + width <= n) std::memcpy(bytes.data() + at, &value, width);
      break;
    }
    default: {  // a number in digits
      const size_t first = bytes.find_first_of("0123456789", at);
      if (first == std::string::npos) break;
      size_t last = first;
      while (last < n && bytes[last] >= '0' && bytes[last] <= '9') ++last;
      bytes.replace(first, last - first, std::to_string(edge(random)));
    }
  }
}

void collect(Value& value, std::vector<Value*>& nodes) {
  nodes.push_back(&value);
  for (Value& item : value.items) collect(item, nodes);
  for (auto& member : value.members) collect(member.second, nodes);
}

Value scalar(Random& random) {
  switch (random.below(6)) {
    case 0: return {};
    case 1: return exitrl::json::boolean(random.chance(2));
    case 2: return exitrl::json::real(double(edge(random)) * 0.5);
    case 3: return exitrl::json::text(random.of(kWords));
    default: return exitrl::json::integer(edge(random));
  }
}

void tweak(Value& value, Random& random) {
  switch (value.kind) {
    case Kind::integer: {
      const uint64_t step = random.below(3);
      value = exitrl::json::integer(random.chance(3) ? edge(random)
                                                     : int64_t(uint64_t(value.integer) + (random.chance(2) ? step : 0 - step)));
      break;
    }
    case Kind::real: value = exitrl::json::real(random.chance(2) ? -value.number : value.number * double(random.below(1000))); break;
    case Kind::string: mutate_once(value.string, random); break;
    case Kind::boolean: value.boolean = !value.boolean; break;
    case Kind::array:
      if (value.items.empty() || random.chance(3)) value.items.push_back(scalar(random));
      else if (random.chance(2)) value.items.erase(value.items.begin() + ptrdiff_t(random.below(value.items.size())));
      else value.items.push_back(random.of(value.items));
      break;
    case Kind::object: {
      if (value.members.empty()) break;
      auto& member = value.members[random.below(value.members.size())];
      if (random.chance(3)) value.members.erase(value.members.begin() + (&member - value.members.data()));
      else if (random.chance(2)) mutate_once(member.first, random);
      else value.members.push_back(Value::Member(random.chance(2) ? member.first : member.first + "2", member.second));
      break;
    }
    default: value = scalar(random);
  }
}

int64_t input_count() {
  const char* text = std::getenv("EXIT_RL_FUZZ");
  return text ? std::max(int64_t{1}, int64_t(std::atoll(text))) : 2000;
}

}  // namespace

void mutate_bytes(std::string& bytes, Random& random) {
  for (uint64_t i = 0, n = 1 + random.below(6); i < n; ++i) mutate_once(bytes, random);
}

void mutate_tree(Value& root, Random& random) {
  for (uint64_t i = 0, n = 1 + random.below(4); i < n; ++i) {
    std::vector<Value*> nodes;
    collect(root, nodes);
    Value& node = *random.of(nodes);
    switch (random.below(6)) {
      case 0: node = scalar(random); break;
      case 1: {
        const Value other = *random.of(nodes);  // a copy: it may hold the node, or lie in it
        node = other;
        break;
      }
      default: tweak(node, random);
    }
  }
}

void run(const char* target, uint64_t stream, const std::function<bool(Random&)>& body) {
  const int64_t count = input_count();
  int64_t taken = 0;
  for (int64_t input = 0; input < count; ++input) {
    Random random(stream, uint64_t(input));
    try {
      taken += body(random);
    } catch (const exitrl::Error&) {
    } catch (const std::exception& error) {
      check::failed(__FILE__, __LINE__, std::string(target) + ", input " + std::to_string(input) + ": " + error.what());
      return;
    }
  }
  std::printf("fuzz %s: %lld inputs, %lld taken, %lld refused\n", target, static_cast<long long>(count), static_cast<long long>(taken),
              static_cast<long long>(count - taken));
  if (count >= 1000 && (taken * 100 < count || taken == count))
    check::failed(__FILE__, __LINE__, std::string(target) + ": the mutations say nothing");
}

}  // namespace fuzz
