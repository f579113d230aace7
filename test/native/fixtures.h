// Files of test/fixtures.
#pragma once
#include <string>
#include <vector>

struct Fixture {
  std::string name, content;
};
// Every file of a folder, by name.
std::vector<Fixture> fixtures(const std::string& folder);
