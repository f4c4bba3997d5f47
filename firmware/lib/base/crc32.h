// CRC-32 of IEEE 802.3, as zlib's. Against accidents, such as a torn write; it keeps nobody out.
#pragma once

#include "base/span.h"

namespace salus {

// Of bytes that come in pieces: begin with 0, and give each result to the next call.
[[nodiscard]] inline std::uint32_t crc32(std::uint32_t crc, Bytes data) {
  // Four bits at a time: 64 bytes of table, a third of the time of one bit at a time.
  static constexpr std::uint32_t kNibbles[16] = {0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4,
                                                 0x4DB26158, 0x5005713C, 0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C,
                                                 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C};
  crc = ~crc;
  for (const std::uint8_t byte : data) {
    crc = (crc >> 4) ^ kNibbles[(crc ^ byte) & 15];
    crc = (crc >> 4) ^ kNibbles[(crc ^ (byte >> 4)) & 15];
  }
  return ~crc;
}

}  // namespace salus
