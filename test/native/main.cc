// native_tests [substring | =name ...]: runs the tests whose name contains one of the substrings or is one of the names, or all.
// native_tests --list: "file name" of every test, without running any.
// On a card, and where EXIT_RL_TEST_NAMES is set, every name is printed before its test runs: after a crash or a hang the output
// says where it was.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "check.h"

namespace {

bool names_are_printed() {
#ifdef EXITRL_ON_CARD
  return true;
#else
  return std::getenv("EXIT_RL_TEST_NAMES") != nullptr;
#endif
}

const char* base_name(const char* file) {
  const char* const slash = std::strrchr(file, '/');
  return slash ? slash + 1 : file;
}

bool wanted(const check::Test& test, int argc, char** argv) {
  for (int i = 1; i < argc; ++i)
    if (argv[i][0] == '=' ? std::strcmp(test.name, argv[i] + 1) == 0 : std::strstr(test.name, argv[i]) != nullptr) return true;
  return argc == 1;
}

void run(const check::Test& test) {
  check::failures().clear();
  try {
    test.body();
  } catch (const std::exception& error) {
    check::failures().push_back(std::string("unexpected exception: ") + error.what());
  } catch (...) {
    check::failures().push_back("unexpected exception");
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--list") == 0) {
    for (const auto& test : check::tests()) std::printf("%s %s\n", base_name(test.file), test.name);
    return 0;
  }
  const bool names = names_are_printed();
  // A later line may never come.
  if (names) std::setvbuf(stdout, nullptr, _IOLBF, 0);
  check::machine().prepare();
  int passed = 0, failed = 0;
  for (const auto& test : check::tests()) {
    if (!wanted(test, argc, argv)) continue;
    if (names) std::printf("RUN %s\n", test.name);
    const auto begin = std::chrono::steady_clock::now();
    run(test);
    const bool ok = check::failures().empty();
    ++(ok ? passed : failed);
    if (!ok) std::printf("FAILED %s\n", test.name);
    for (const auto& failure : check::failures()) std::printf("  %s\n", failure.c_str());
    if (ok && names)
      std::printf("ok %s (%.2f s)\n", test.name, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    if (ok) continue;
    std::fflush(stdout);  // a later test may crash
    if (check::machine().is_usable()) continue;
    std::printf("no test after this one can run in this process\n");
    std::fflush(stdout);
    std::_Exit(3);
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
