// Bytes written as hexadecimal digits in a test.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/span.h"

namespace salus {

inline std::vector<std::uint8_t> unhex(const std::string& digits) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t at = 0; at + 1 < digits.size(); at += 2) {
    bytes.push_back(static_cast<std::uint8_t>(std::stoul(digits.substr(at, 2), nullptr, 16)));
  }
  return bytes;
}

inline std::string hex(Bytes bytes) {
  static const char kDigits[] = "0123456789abcdef";
  std::string digits;
  for (const std::uint8_t byte : bytes) {
    digits += kDigits[byte >> 4];
    digits += kDigits[byte & 15];
  }
  return digits;
}

inline Bytes view(const std::vector<std::uint8_t>& bytes) { return {bytes.data(), bytes.size()}; }
inline MutableBytes view(std::vector<std::uint8_t>& bytes) { return {bytes.data(), bytes.size()}; }
inline Bytes text(const char* characters) {
  return {reinterpret_cast<const std::uint8_t*>(characters), std::string(characters).size()};
}

}  // namespace salus
