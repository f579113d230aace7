// native_tests [substring...]: runs the tests whose name contains one of the substrings, or all.
#include <cstdio>
#include <cstring>

#include "check.h"

int main(int argc, char** argv) {
  int passed = 0, failed = 0;
  for (const auto& test : check::tests()) {
    bool wanted = argc == 1;
    for (int i = 1; i < argc; ++i) wanted |= std::strstr(test.name, argv[i]) != nullptr;
    if (!wanted) continue;
    check::failures().clear();
    try {
      test.body();
    } catch (const std::exception& error) {
      check::failures().push_back(std::string("unexpected exception: ") + error.what());
    } catch (...) {
      check::failures().push_back("unexpected exception");
    }
    const bool ok = check::failures().empty();
    ++(ok ? passed : failed);
    if (!ok) std::printf("FAILED %s\n", test.name);
    for (const auto& failure : check::failures()) std::printf("  %s\n", failure.c_str());
    if (!ok) std::fflush(stdout);  // a later test may crash
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
