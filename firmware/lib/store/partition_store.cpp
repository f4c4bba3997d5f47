#include "store/partition_store.h"

#include <algorithm>
#include <cstring>

#include "base/crc32.h"

namespace salus {
namespace {

// Header of a half: magic, generation, CRC of both, each 4 bytes little endian; a word to align by.
constexpr std::uint32_t kMagic = 0x31534C53;  // SLS1
constexpr std::size_t kHeaderBytes = 16;
// Header of a record: length of the key, kind, size of the value (2 bytes), CRC of that, the key and the value.
constexpr std::size_t kRecordHeaderBytes = 8;
constexpr std::size_t kCrcAt = 4;
constexpr std::uint8_t kValue = 1, kErased = 2;
constexpr std::size_t kAlignment = 4;
constexpr std::size_t kPieceBytes = 128;

std::size_t aligned(std::size_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

std::uint32_t get_32(const std::uint8_t* from) {
  std::uint32_t value = 0;
  for (int at = 3; at >= 0; --at) value = value << 8 | from[at];
  return value;
}

void put_32(std::uint8_t* to, std::uint32_t value) {
  for (int at = 0; at < 4; ++at) to[at] = static_cast<std::uint8_t>(value >> (8 * at));
}

Bytes bytes_of(const char* key) { return {reinterpret_cast<const std::uint8_t*>(key), std::strlen(key)}; }

bool valid(const char* key) {
  const std::size_t length = std::strlen(key);
  return length > 0 && length <= Store::kMaxKeyLength;
}

}  // namespace

std::size_t PartitionStore::Record::end() const { return aligned(value_at + value_bytes); }

bool PartitionStore::mount() {
  if (half_bytes() < kHeaderBytes + kRecordHeaderBytes || half_bytes() % flash_.sector_bytes() != 0) return false;
  std::uint8_t header[kHeaderBytes];  // a flash that cannot be read is not taken for an empty one
  if (!flash_.read(0, header) || !flash_.read(half_bytes(), header)) return false;
  std::uint32_t first = 0, second = 0;
  const bool has_first = read_generation(0, first), has_second = read_generation(half_bytes(), second);
  if (!has_first && !has_second) {
    return flash_.erase(0, half_bytes()) && put_in_use(0, 1);
  }
  half_ = has_second && (!has_first || second > first) ? half_bytes() : 0;
  generation_ = half_ == 0 ? first : second;
  return load();
}

bool PartitionStore::read_generation(std::size_t half, std::uint32_t& generation) const {
  std::uint8_t header[12];
  if (!flash_.read(half, header) || get_32(header) != kMagic) return false;
  generation = get_32(header + 4);
  return get_32(header + 8) == crc32(0, {header, 8});
}

bool PartitionStore::put_in_use(std::size_t half, std::uint32_t generation) {
  std::uint8_t header[12];
  put_32(header, kMagic);
  put_32(header + 4, generation);
  put_32(header + 8, crc32(0, {header, 8}));
  if (!flash_.program(half, Bytes(header, sizeof header))) return false;
  half_ = half;
  generation_ = generation;
  return load();
}

// Walk the log. At a record that a power cut left torn it ends for good, for flash is not programmed twice.
bool PartitionStore::load() {
  keys_ = 0;
  end_ = half_ + kHeaderBytes;
  for (bool intact = true;;) {
    Record record{};
    if (!read_record(end_, record)) return false;
    if (!record.valid) break;
    if (!check(record, intact)) return false;
    if (!intact) break;
    if (!index(record, end_)) return false;
    end_ = record.end();
  }
  bool blank = false;
  if (!look(end_, half_end(half_), blank)) return false;
  if (!blank) end_ = half_end(half_);
  return true;
}

bool PartitionStore::read_record(std::size_t at, Record& record) const {
  const std::size_t limit = half_end(half_);
  std::uint8_t header[kRecordHeaderBytes];
  record.valid = false;
  if (limit - at < sizeof header) return true;
  if (!flash_.read(at, header)) return false;
  record.key_length = header[0];
  record.erased = header[1] == kErased;
  record.value_bytes = static_cast<std::size_t>(header[2] | header[3] << 8);
  record.crc = get_32(header + kCrcAt);
  record.value_at = at + sizeof header + record.key_length;
  if (record.key_length == 0 || record.key_length > kMaxKeyLength || record.end() > limit) return true;
  if (header[1] != kValue && !record.erased) return true;
  record.valid = true;
  return flash_.read(at + sizeof header, {reinterpret_cast<std::uint8_t*>(record.key), record.key_length});
}

bool PartitionStore::check(const Record& record, bool& intact) const {
  const std::uint8_t start[] = {static_cast<std::uint8_t>(record.key_length), record.erased ? kErased : kValue,
                                static_cast<std::uint8_t>(record.value_bytes),
                                static_cast<std::uint8_t>(record.value_bytes >> 8)};
  std::uint32_t crc = crc32(0, Bytes(start));
  crc = crc32(crc, {reinterpret_cast<const std::uint8_t*>(record.key), record.key_length});
  std::uint8_t piece[kPieceBytes];
  for (std::size_t at = 0; at < record.value_bytes; at += sizeof piece) {
    const std::size_t size = std::min(record.value_bytes - at, sizeof piece);
    if (!flash_.read(record.value_at + at, {piece, size})) return false;
    crc = crc32(crc, {piece, size});
  }
  intact = crc == record.crc;
  return true;
}

bool PartitionStore::look(std::size_t from, std::size_t to, bool& blank) const {
  blank = true;
  std::uint8_t piece[kPieceBytes];
  for (std::size_t at = from; at < to; at += sizeof piece) {
    const std::size_t size = std::min(to - at, sizeof piece);
    if (!flash_.read(at, {piece, size})) return false;
    blank = blank && std::all_of(piece, piece + size, [](std::uint8_t byte) { return byte == 0xFF; });
  }
  return true;
}

bool PartitionStore::index(const Record& record, std::size_t at) {
  char key[kMaxKeyLength + 1] = {};
  std::memcpy(key, record.key, record.key_length);
  std::size_t place = 0;
  if (!find(key, place)) return false;
  if (record.erased) {
    if (place < keys_) records_[place] = records_[--keys_];
    return true;
  }
  if (place == kMaxKeys) return false;
  records_[place] = at;
  if (place == keys_) ++keys_;
  return true;
}

bool PartitionStore::find(const char* key, std::size_t& place) const {
  const std::size_t length = std::strlen(key);
  Record record{};
  for (place = 0; place < keys_; ++place) {
    if (!read_record(records_[place], record)) return false;
    if (record.key_length == length && std::memcmp(record.key, key, length) == 0) break;
  }
  return true;
}

StoreStatus PartitionStore::read(const char* key, MutableBytes out, std::size_t& size) const {
  size = 0;
  if (!valid(key)) return StoreStatus::kFailed;
  std::size_t place = 0;
  if (!find(key, place)) return StoreStatus::kFailed;
  if (place == keys_) return StoreStatus::kMissing;
  Record record{};
  if (!read_record(records_[place], record)) return StoreStatus::kFailed;
  size = record.value_bytes;
  if (size > out.size()) return StoreStatus::kTooLarge;
  return flash_.read(record.value_at, out.first(size)) ? StoreStatus::kOk : StoreStatus::kFailed;
}

StoreStatus PartitionStore::write(const char* key, Bytes value) {
  if (!valid(key)) return StoreStatus::kFailed;
  if (value.size() > kMaxValueBytes) return StoreStatus::kTooLarge;
  std::size_t place = 0;
  if (!find(key, place) || place == kMaxKeys) return StoreStatus::kFailed;
  return put({key, value, false});
}

StoreStatus PartitionStore::erase(const char* key) {
  if (!valid(key)) return StoreStatus::kFailed;
  std::size_t place = 0;
  if (!find(key, place)) return StoreStatus::kFailed;
  if (place == keys_) return StoreStatus::kMissing;
  return put({key, {}, true});
}

StoreStatus PartitionStore::erase_all() {
  const std::size_t old = half_;
  // The old half goes too, for its values may be secrets.
  return compact(nullptr) && flash_.erase(old, half_bytes()) ? StoreStatus::kOk : StoreStatus::kFailed;
}

StoreStatus PartitionStore::put(const Entry& entry) {
  const std::size_t size = aligned(kRecordHeaderBytes + std::strlen(entry.key) + entry.value.size());
  if (half_end(half_) - end_ < size) return compact(&entry) ? StoreStatus::kOk : StoreStatus::kFailed;
  const std::size_t at = end_;
  Record record{};
  if (append(at, entry) && read_record(at, record) && index(record, at)) {
    end_ = record.end();
    return StoreStatus::kOk;
  }
  end_ = half_end(half_);  // what is there may be torn
  return StoreStatus::kFailed;
}

bool PartitionStore::append(std::size_t at, const Entry& entry) {
  const Bytes key = bytes_of(entry.key);
  std::uint8_t start[kRecordHeaderBytes + kMaxKeyLength] = {
      static_cast<std::uint8_t>(key.size()), entry.erased ? kErased : kValue,
      static_cast<std::uint8_t>(entry.value.size()), static_cast<std::uint8_t>(entry.value.size() >> 8)};
  std::memcpy(start + kRecordHeaderBytes, key.data(), key.size());
  const std::uint32_t crc = crc32(crc32(crc32(0, {start, kCrcAt}), key), entry.value);
  put_32(start + kCrcAt, crc);
  const std::size_t start_bytes = kRecordHeaderBytes + key.size();
  return flash_.program(at, {start, start_bytes}) && flash_.program(at + start_bytes, entry.value);
}

bool PartitionStore::compact(const Entry* entry) {
  const std::size_t other = half_ == 0 ? half_bytes() : 0;
  if (!flash_.erase(other, half_bytes())) return false;
  std::size_t to = other + kHeaderBytes, replaced = 0;
  if (entry != nullptr && !find(entry->key, replaced)) return false;
  for (std::size_t place = 0; entry != nullptr && place < keys_; ++place) {
    Record record{};
    if (place == replaced) continue;
    if (!read_record(records_[place], record)) return false;
    const std::size_t size = record.end() - records_[place];
    if (half_end(other) - to < size || !copy(record, records_[place], to)) return false;
    to += size;
  }
  if (entry != nullptr && !entry->erased) {
    const std::size_t size = aligned(kRecordHeaderBytes + std::strlen(entry->key) + entry->value.size());
    if (half_end(other) - to < size || !append(to, *entry)) return false;
  }
  return put_in_use(other, generation_ + 1);
}

bool PartitionStore::copy(const Record& record, std::size_t from, std::size_t to) {
  const std::size_t bytes = record.value_at + record.value_bytes - from;
  std::uint8_t piece[kPieceBytes];
  for (std::size_t at = 0; at < bytes; at += sizeof piece) {
    const std::size_t size = std::min(bytes - at, sizeof piece);
    if (!flash_.read(from + at, {piece, size}) || !flash_.program(to + at, Bytes(piece, size))) return false;
  }
  return true;
}

}  // namespace salus
