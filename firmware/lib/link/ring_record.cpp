#include "link/ring_record.h"

#include "base/crc32.h"
#include "link/big_endian.h"

namespace salus::ring {
namespace {

constexpr std::uint32_t kSectorMagic = 0x53414C31;  // "SAL1"
constexpr std::uint16_t kRecordMagic = 0x5052;      // "PR"

void seal(std::uint8_t* bytes, std::size_t size) { put_big_endian(bytes + size - 4, crc32(0, Bytes(bytes, size - 4))); }

bool is_sealed(const std::uint8_t* bytes, std::size_t size) {
  return get_big_endian<std::uint32_t>(bytes + size - 4) == crc32(0, Bytes(bytes, size - 4));
}

}  // namespace

void encode(const SectorHeader& header, std::uint8_t (&to)[kSectorHeaderBytes]) {
  put_big_endian(to, kSectorMagic);
  put_big_endian(to + 4, header.generation);
  put_big_endian(to + 8, header.dropped);
  put_big_endian(to + 16, header.first_record);
  seal(to, sizeof(to));
}

void encode(const RecordHeader& header, std::uint8_t (&to)[kRecordFieldBytes]) {
  put_big_endian(to, kRecordMagic);
  to[2] = static_cast<std::uint8_t>(header.kind);
  to[3] = 0;
  put_big_endian(to + 4, header.size);
  put_big_endian(to + 8, header.boot);
  put_big_endian(to + 12, header.sequence);
  put_big_endian(to + 20, header.payload_crc);
  seal(to, sizeof(to));
}

bool decode(const std::uint8_t* from, SectorHeader& header) {
  if (get_big_endian<std::uint32_t>(from) != kSectorMagic || !is_sealed(from, kSectorHeaderBytes)) return false;
  header.generation = get_big_endian<std::uint32_t>(from + 4);
  header.dropped = get_big_endian<std::uint64_t>(from + 8);
  header.first_record = get_big_endian<std::uint32_t>(from + 16);
  return true;
}

bool decode(const std::uint8_t* from, RecordHeader& header) {
  if (get_big_endian<std::uint16_t>(from) != kRecordMagic || !is_sealed(from, kRecordFieldBytes)) return false;
  if (from[2] >= kKinds) return false;
  header.kind = static_cast<Kind>(from[2]);
  header.size = get_big_endian<std::uint32_t>(from + 4);
  header.boot = get_big_endian<std::uint32_t>(from + 8);
  header.sequence = get_big_endian<std::uint64_t>(from + 12);
  header.payload_crc = get_big_endian<std::uint32_t>(from + 20);
  return true;
}

}  // namespace salus::ring
