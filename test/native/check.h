// The test harness: TEST(name) { CHECK(...); } registers itself, main.cc runs them.
#pragma once
#include <cmath>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

namespace check {

struct Test {
  const char* name;
  const char* file;
  void (*body)();
};

inline std::vector<Test>& tests() {
  static std::vector<Test> list;
  return list;
}

// Failed checks of the running test; main.cc prints them.
inline std::vector<std::string>& failures() {
  static std::vector<std::string> list;
  return list;
}

// What main.cc calls before the first test (a card is opened then, not for --list), and after a failed one: whether another can run.
struct Machine {
  void (*prepare)() = [] {};
  bool (*is_usable)() = [] { return true; };
};
inline Machine& machine() {
  static Machine machine;
  return machine;
}

struct Register {
  Register(const char* name, const char* file, void (*body)()) { tests().push_back({name, file, body}); }
};

inline void failed(const char* file, int line, const std::string& what) {
  failures().push_back(std::string(file) + ":" + std::to_string(line) + ": " + what);
}

inline void near(double a, double b, double tolerance, const char* text, const char* file, int line) {
  if (std::abs(a - b) <= tolerance) return;  // false for NaN
  std::ostringstream out;
  out.precision(17);
  out << text << ": " << a << " and " << b << " differ by " << std::abs(a - b) << ", allowed " << tolerance;
  failed(file, line, out.str());
}

// The message of what `body` throws; empty when it throws nothing.
inline std::string thrown(const std::function<void()>& body) {
  try {
    body();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

}  // namespace check

#define TEST(name)                                                                        \
  static void check_body_##name();                                                        \
  static const check::Register check_register_##name(#name, __FILE__, check_body_##name); \
  static void check_body_##name()
#define CHECK(...) ((__VA_ARGS__) ? void() : check::failed(__FILE__, __LINE__, #__VA_ARGS__))
#define CHECK_NEAR(a, b, tolerance) check::near(a, b, tolerance, #a ", " #b, __FILE__, __LINE__)
// The statement throws an exception whose message contains `part`.
#define CHECK_THROWS(statement, part)                                                                     \
  do {                                                                                                    \
    const std::string check_message = check::thrown([&] { statement; });                                  \
    if (check_message.empty()) check::failed(__FILE__, __LINE__, #statement " threw nothing");            \
    else if (check_message.find(part) == std::string::npos)                                               \
      check::failed(__FILE__, __LINE__, #statement " threw \"" + check_message + "\", not: " + (part));   \
  } while (0)
