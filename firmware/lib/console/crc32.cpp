#include "console/crc32.h"

#include <array>

namespace salus::console {
namespace {

// By half bytes: 64 bytes of table, where 1 KB of it would be twice as fast, and the UART a hundred times slower.
constexpr std::array<std::uint32_t, 16> make_table() {
  std::array<std::uint32_t, 16> table{};
  for (std::uint32_t i = 0; i < 16; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 4; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
    table[i] = crc;
  }
  return table;
}

constexpr std::array<std::uint32_t, 16> kTable = make_table();

}  // namespace

std::uint32_t crc32(std::uint32_t crc, Bytes data) {
  crc = ~crc;
  for (const std::uint8_t byte : data) {
    crc ^= byte;
    crc = (crc >> 4) ^ kTable[crc & 15U];
    crc = (crc >> 4) ^ kTable[crc & 15U];
  }
  return ~crc;
}

}  // namespace salus::console
