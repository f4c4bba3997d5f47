// Lines of words from a file in tests/golden that Python made.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "hex.h"

namespace salus {

using Row = std::vector<std::string>;

// The rows of a file in tests/golden whose first word is one of `kinds`, in their order. A test with none has failed.
inline std::vector<Row> golden_rows(const std::string& name, const std::vector<std::string>& kinds) {
  std::ifstream file;
  for (const char* root : {"../", "", "../../"}) {  // PlatformIO runs tests in firmware/
    file.open(root + ("tests/golden/" + name));
    if (file.is_open()) break;
  }
  std::vector<Row> rows;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    Row row;
    for (std::string word; words >> word;) row.push_back(word);
    for (const std::string& kind : kinds) {
      if (!row.empty() && row[0] == kind) rows.push_back(row);
    }
  }
  EXPECT_FALSE(rows.empty()) << "no rows in tests/golden/" << name << ": run the tests in firmware/";
  return rows;
}

// `-` is no byte.
inline std::vector<std::uint8_t> golden_bytes(const std::string& word) {
  return word == "-" ? std::vector<std::uint8_t>() : unhex(word);
}

inline std::uint64_t golden_number(const std::string& word) { return std::stoull(word); }

// Floats as the digits of their four bytes, big endian.
inline std::vector<float> golden_floats(const std::string& word) {
  const std::vector<std::uint8_t> bytes = golden_bytes(word);
  std::vector<float> values;
  for (std::size_t at = 0; at + 3 < bytes.size(); at += 4) {
    const std::uint32_t bits = static_cast<std::uint32_t>(bytes[at]) << 24 |
                               static_cast<std::uint32_t>(bytes[at + 1]) << 16 |
                               static_cast<std::uint32_t>(bytes[at + 2]) << 8 | bytes[at + 3];
    float value = 0;
    std::memcpy(&value, &bits, sizeof(value));
    values.push_back(value);
  }
  return values;
}

}  // namespace salus
