// Golden vectors: tests/golden/engine/models.txt, whose format tests/firmware/golden_engine.py states.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "../hex.h"

namespace salus {

struct Golden {
  std::string name;
  std::vector<std::uint8_t> model;
  std::vector<std::int8_t> input;
  std::vector<std::int8_t> output;
};

// The file, seen from here or from the source's folder.
inline std::filesystem::path golden_file() {
  namespace fs = std::filesystem;
  for (fs::path base : {fs::current_path(), fs::absolute(fs::path(__FILE__)).parent_path()}) {
    for (; base != base.parent_path(); base = base.parent_path()) {
      if (fs::exists(base / "tests/golden/engine/models.txt")) return base / "tests/golden/engine/models.txt";
    }
  }
  return {};
}

inline std::vector<std::int8_t> signed_bytes(const std::string& digits) {
  const std::vector<std::uint8_t> bytes = unhex(digits);
  return {bytes.begin(), bytes.end()};
}

inline const std::vector<Golden>& goldens() {
  static const std::vector<Golden> found = [] {
    std::vector<Golden> all;
    std::ifstream file(golden_file());
    std::string name, model, input, output;
    while (std::getline(file, name) && std::getline(file, model) && std::getline(file, input) &&
           std::getline(file, output)) {
      all.push_back({name, unhex(model), signed_bytes(input), signed_bytes(output)});
    }
    return all;
  }();
  return found;
}

inline const Golden& golden(const std::string& name) {
  for (const Golden& each : goldens()) {
    if (each.name == name) return each;
  }
  static const Golden none;
  return none;
}

}  // namespace salus
