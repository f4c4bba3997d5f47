// CRC-32 of IEEE 802.3, as zlib's: reflected polynomial 0xEDB88320, start and end inverted.
#pragma once

#include <cstdint>

#include "base/span.h"

namespace salus::console {

// Start with 0; the result of one call goes into the next.
[[nodiscard]] std::uint32_t crc32(std::uint32_t crc, Bytes data);

}  // namespace salus::console
