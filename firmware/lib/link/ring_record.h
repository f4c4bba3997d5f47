// How the ring's sectors and records lie in flash. Integers are big endian; what is programmed later stays 0xFF.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/span.h"
#include "link/topics.h"

namespace salus::ring {

// At the start of each sector: magic (4) ‖ generation (4) ‖ dropped (8) ‖ first record (4) ‖ CRC-32 of these (4).
constexpr std::size_t kSectorHeaderBytes = 24;
struct SectorHeader {
  std::uint32_t generation;    // 1 for the first, 1 more for each
  std::uint64_t dropped;       // packets lost with all sectors that were erased before this one was begun
  std::uint32_t first_record;  // its offset: before it lies the end of a record that began earlier
};

// At the start of each record: magic (2) ‖ kind (1) ‖ 0 (1) ‖ size (4) ‖ boot (4) ‖ sequence (8) ‖ CRC-32 of the
// payload (4) ‖ CRC-32 of these (4), then four flags of one byte each. The payload follows, to the next multiple of 4,
// through as many sectors as it needs.
constexpr std::size_t kRecordHeaderBytes = 32;
constexpr std::size_t kRecordFieldBytes = 28;
struct RecordHeader {
  Kind kind;
  std::uint32_t size;
  std::uint32_t boot;
  std::uint64_t sequence;
  std::uint32_t payload_crc;
};

// A flag is set by clearing its byte; a cut may leave part of that done, which counts as done.
constexpr std::uint32_t kCommitted = 28;     // the payload is whole
constexpr std::uint32_t kAcknowledged = 29;  // the gateway has it, or never wants it
constexpr std::uint32_t kLost = 30;          // it was dropped, or its payload found damaged
[[nodiscard]] inline bool is_set(const std::uint8_t* record, std::uint32_t flag) { return record[flag] != 0xFF; }

[[nodiscard]] constexpr std::size_t padded(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

void encode(const SectorHeader& header, std::uint8_t (&to)[kSectorHeaderBytes]);
void encode(const RecordHeader& header, std::uint8_t (&to)[kRecordFieldBytes]);
// False when the bytes are none.
[[nodiscard]] bool decode(const std::uint8_t* from, SectorHeader& header);
[[nodiscard]] bool decode(const std::uint8_t* from, RecordHeader& header);

}  // namespace salus::ring
