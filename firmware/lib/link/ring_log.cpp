#include <algorithm>

#include "base/crc32.h"
#include "link/ring.h"

namespace salus {

using ring::kRecordHeaderBytes;
using ring::kSectorHeaderBytes;

std::uint32_t Ring::sector_of(std::uint32_t generation) const {
  const std::uint32_t back = newest_generation_ - generation;  // less than sectors_
  return (newest_sector_ + sectors_ - back) % sectors_;
}

std::size_t Ring::address(const RingPosition& at) const {
  return std::size_t{sector_of(at.generation)} * sector_bytes_ + at.offset;
}

Ring::Found Ring::read_sector(std::uint32_t sector, ring::SectorHeader& header) const {
  std::uint8_t bytes[kSectorHeaderBytes];
  if (!partition_->read(std::size_t{sector} * sector_bytes_, MutableBytes(bytes))) return Found::kFailed;
  return ring::decode(bytes, header) ? Found::kYes : Found::kNo;
}

// The record at `at`. When there is none, `at` moves on to where the next may begin: torn headers and damage are
// passed over by 4 bytes, blank flash by a header's length.
Ring::Found Ring::read_record(RingPosition& at, Record& record) const {
  std::uint8_t bytes[kRecordHeaderBytes];
  if (!partition_->read(address(at), MutableBytes(bytes))) return Found::kFailed;
  if (ring::decode(bytes, record.header) && record.header.size - 1 < max_payload_bytes()) {
    record.lost = ring::is_set(bytes, ring::kLost);
    record.committed = ring::is_set(bytes, ring::kCommitted);
    record.waits = record.committed && !record.lost && !ring::is_set(bytes, ring::kAcknowledged);
    return Found::kYes;
  }
  const bool blank = std::all_of(bytes, bytes + sizeof(bytes), [](std::uint8_t byte) { return byte == 0xFF; });
  at.offset += blank ? static_cast<std::uint32_t>(kRecordHeaderBytes) : 4;
  return Found::kNo;
}

// The first record at `at` or after, to which `at` moves. An offset of 0 stands for a sector's first record.
Ring::Found Ring::next_record(RingPosition& at, Record& record) const {
  if (at.generation < oldest_generation_) at = {oldest_generation_, 0};
  while (at.generation <= newest_generation_) {
    if (at.offset == 0) {
      ring::SectorHeader header;
      const Found found = read_sector(sector_of(at.generation), header);
      if (found == Found::kFailed) return found;
      at.offset = found == Found::kYes ? header.first_record : static_cast<std::uint32_t>(kSectorHeaderBytes);
    }
    const std::uint32_t end = at.generation == newest_generation_ ? head_ : sector_bytes_;
    if (at.offset > end || end - at.offset < kRecordHeaderBytes) {
      at = {at.generation + 1, 0};
      continue;
    }
    const Found found = read_record(at, record);
    if (found != Found::kNo) return found;
  }
  return Found::kNo;
}

Ring::Found Ring::next_waiting(RingPosition& at, RingPacket& packet) const {
  Record record;
  for (;;) {
    const Found found = next_record(at, record);
    if (found != Found::kYes) return found;
    if (record.waits) {
      packet = {at, record.header.kind, record.header.boot, record.header.sequence, record.header.size};
      return Found::kYes;
    }
    at = end_of(at, record.header.size);
  }
}

RingPosition Ring::end_of(const RingPosition& at, std::size_t size) const {
  const std::size_t end = at.offset + kRecordHeaderBytes + ring::padded(size);
  // Of a record that goes on, the next sectors say where its end is.
  return end < sector_bytes_ ? RingPosition{at.generation, static_cast<std::uint32_t>(end)}
                             : RingPosition{at.generation + 1, 0};
}

// Not `whole`: it went on in a sector that is not there any more.
bool Ring::copy_payload(RingPosition at, MutableBytes out, bool& whole) const {
  at.offset += static_cast<std::uint32_t>(kRecordHeaderBytes);
  whole = false;
  while (!out.empty()) {
    if (at.generation > newest_generation_) return true;
    const std::size_t count = std::min<std::size_t>(out.size(), sector_bytes_ - at.offset);
    if (!partition_->read(address(at), out.first(count))) return false;
    out = out.from(count);
    at = {at.generation + 1, static_cast<std::uint32_t>(kSectorHeaderBytes)};
  }
  whole = true;
  return true;
}

// Header, payload, and the flag that makes it one: in this order, each durable before the next.
bool Ring::write_record(Kind kind, const Sealed& sealed) {
  if (sector_bytes_ - head_ < kRecordHeaderBytes && !enter_next_sector(0)) return false;
  std::uint8_t bytes[ring::kRecordFieldBytes];
  const auto size = static_cast<std::uint32_t>(sealed.payload.size());
  ring::encode({kind, size, sealed.boot, sealed.sequence, crc32(0, sealed.payload)}, bytes);
  const RingPosition at{newest_generation_, head_};
  if (!partition_->program(address(at), Bytes(bytes))) return false;
  head_ += static_cast<std::uint32_t>(kRecordHeaderBytes);
  if (!write_payload(sealed.payload) || !mark(at, ring::kCommitted)) return false;
  if (packets_ == 0) first_ = at;
  return true;
}

bool Ring::write_payload(Bytes payload) {
  for (;;) {
    const std::size_t count = std::min<std::size_t>(payload.size(), sector_bytes_ - head_);
    const RingPosition at{newest_generation_, head_};
    if (count != 0 && !partition_->program(address(at), payload.first(count))) return false;
    head_ += static_cast<std::uint32_t>(ring::padded(count));
    payload = payload.from(count);
    if (payload.empty()) return true;
    if (!enter_next_sector(payload.size())) return false;
  }
}

// Go on in the sector after the newest, which is blank, and make the one after that blank.
bool Ring::enter_next_sector(std::size_t record_bytes_left) {
  const bool full = newest_generation_ + 1 - oldest_generation_ == sectors_ - 1;
  std::size_t waiting = 0;
  std::size_t lost = 0;
  if (full && !count_oldest_sector(waiting, lost)) return false;

  const std::size_t room = sector_bytes_ - kSectorHeaderBytes;
  const std::size_t first = kSectorHeaderBytes + ring::padded(std::min(record_bytes_left, room));
  std::uint8_t bytes[kSectorHeaderBytes];
  ring::encode({newest_generation_ + 1, dropped_ + waiting + lost, static_cast<std::uint32_t>(first)}, bytes);
  const std::uint32_t next = (newest_sector_ + 1) % sectors_;
  if (!partition_->program(std::size_t{next} * sector_bytes_, Bytes(bytes))) return false;

  newest_sector_ = next;
  ++newest_generation_;
  head_ = static_cast<std::uint32_t>(kSectorHeaderBytes);
  if (full) {
    ++oldest_generation_;
    dropped_ += waiting + lost;
    lost_ -= lost;
    packets_ -= waiting;
    if (first_.generation < oldest_generation_) first_ = {oldest_generation_, 0};
  }
  return make_blank((next + 1) % sectors_);
}

bool Ring::count_oldest_sector(std::size_t& waiting, std::size_t& lost) const {
  RingPosition at{oldest_generation_, 0};
  Record record;
  for (;;) {
    const Found found = next_record(at, record);
    if (found == Found::kFailed) return false;
    if (found == Found::kNo || at.generation != oldest_generation_) return true;
    waiting += record.waits ? 1 : 0;
    lost += record.lost ? 1 : 0;
    at = end_of(at, record.header.size);
  }
}

bool Ring::mark(const RingPosition& at, std::uint32_t flag) {
  const std::uint8_t set = 0;
  return partition_->program(address(at) + flag, Bytes(&set, 1));
}

// An acknowledged packet leaves. False when flash does not say so: it stays, and is sent again.
bool Ring::let_go(const RingPosition& at) {
  if (!mark(at, ring::kAcknowledged)) return false;
  --packets_;
  return true;
}

// A packet leaves that the gateway does not have: that is counted in its record, until its sector is erased.
bool Ring::lose(const RingPosition& at) {
  if (!mark(at, ring::kLost)) return false;
  ++lost_;
  --packets_;
  return true;
}

void Ring::forget_first() {
  RingPacket packet;
  RingPosition at = first_;
  if (next_waiting(at, packet) != Found::kFailed) first_ = at;
}

}  // namespace salus
