#include "fixtures.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

std::vector<Fixture> fixtures(const std::string& folder) {
  std::vector<Fixture> files;
  // EXIT_RL_FIXTURES: where they are when the tests run on another machine than they were built on.
  const char* const moved = std::getenv("EXIT_RL_FIXTURES");
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(moved ? moved : EXITRL_FIXTURES) / folder)) {
    std::ifstream file(entry.path(), std::ios::binary);
    files.push_back({entry.path().filename().string(), {std::istreambuf_iterator<char>(file), {}}});
  }
  if (files.empty()) throw std::runtime_error("no files in the fixture folder " + folder);
  std::sort(files.begin(), files.end(), [](const Fixture& a, const Fixture& b) { return a.name < b.name; });
  return files;
}
