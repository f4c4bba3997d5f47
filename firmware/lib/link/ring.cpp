#include "link/ring.h"

#include <algorithm>

#include "base/crc32.h"

namespace salus {
namespace {

bool is_newer(std::uint32_t boot, std::uint64_t sequence, std::uint32_t than_boot, std::uint64_t than_sequence) {
  return boot != than_boot ? boot > than_boot : sequence > than_sequence;
}

bool is_before(const RingPosition& one, const RingPosition& other) {
  return one.generation != other.generation ? one.generation < other.generation : one.offset < other.offset;
}

}  // namespace

using ring::kRecordHeaderBytes;
using ring::kSectorHeaderBytes;

LinkStatus Ring::append(Kind kind, const Sealed& sealed) {
  if (partition_ == nullptr) return LinkStatus::kFlashFailed;
  if (!sound_ && !mount_again()) return LinkStatus::kFlashFailed;
  if (sealed.payload.empty() || sealed.payload.size() > max_payload_bytes()) return LinkStatus::kTooLarge;
  if (!is_newer(sealed.boot, sealed.sequence, last_boot_, last_sequence_)) return LinkStatus::kMalformed;
  sound_ = write_record(kind, sealed);
  if (!sound_) return LinkStatus::kFlashFailed;
  last_boot_ = sealed.boot;
  last_sequence_ = sealed.sequence;
  high_water_ = std::max(high_water_, ++packets_);
  return LinkStatus::kOk;
}

// After flash has failed, what is there is looked for anew.
bool Ring::mount_again() {
  const std::size_t high_water = high_water_;
  const bool mounted = mount(*partition_) == LinkStatus::kOk;
  high_water_ = std::max(high_water, high_water_);
  return mounted;
}

bool Ring::first(RingPacket& packet) const {
  if (packets_ == 0) return false;
  RingPosition at = first_;
  return next_waiting(at, packet) == Found::kYes;
}

bool Ring::after(const RingPosition& position, RingPacket& packet) const {
  if (packets_ == 0) return false;
  if (is_before(position, first_)) return first(packet);
  RingPosition at = position;
  Record record;
  const Found found = next_record(at, record);
  if (found != Found::kYes) return false;
  const bool same = at.generation == position.generation && at.offset == position.offset;
  if (same) at = end_of(at, record.header.size);
  return next_waiting(at, packet) == Found::kYes;
}

bool Ring::waits(const RingPacket& packet) const {
  if (partition_ == nullptr) return false;
  RingPosition at = packet.at;
  if (at.generation < oldest_generation_ || at.generation > newest_generation_) return false;
  Record record;
  return read_record(at, record) == Found::kYes && record.waits && record.header.boot == packet.boot &&
         record.header.sequence == packet.sequence;
}

LinkStatus Ring::read(const RingPacket& packet, MutableBytes out) {
  if (packet.size > out.size()) return LinkStatus::kTooLarge;
  if (!waits(packet)) return LinkStatus::kGone;
  RingPosition at = packet.at;
  Record record;
  const MutableBytes payload = out.first(packet.size);
  if (read_record(at, record) != Found::kYes || record.header.size != packet.size) return LinkStatus::kGone;
  bool whole = false;
  if (!copy_payload(packet.at, payload, whole)) return LinkStatus::kFlashFailed;
  if (whole && crc32(0, payload) == record.header.payload_crc) return LinkStatus::kOk;
  (void)lose(packet.at);
  return LinkStatus::kGone;
}

std::size_t Ring::acknowledge(const AckRange& range) {
  // Packets lie in the order of their numbers: nothing after the range needs to be looked at.
  std::size_t count = 0;
  RingPosition at = first_;
  RingPacket packet;
  while (packets_ != 0 && next_waiting(at, packet) == Found::kYes) {
    if (is_newer(packet.boot, packet.sequence, range.boot, range.last_sequence)) break;
    if (packet.boot == range.boot && packet.sequence >= range.first_sequence && let_go(at)) ++count;
    at = end_of(at, packet.size);
  }
  if (count != 0) forget_first();
  return count;
}

bool Ring::acknowledge(const AckRefusal& refusal) {
  return acknowledge(AckRange{refusal.boot, refusal.sequence, refusal.sequence}) != 0;
}

bool Ring::drop_oldest() {
  RingPacket oldest;
  if (!first(oldest) || !lose(oldest.at)) return false;
  forget_first();
  return true;
}

std::size_t Ring::free_bytes() const {
  if (partition_ == nullptr) return 0;
  const std::uint32_t live = packets_ != 0 ? first_.generation : newest_generation_;
  const std::size_t sectors = sectors_ - 1 - (newest_generation_ - live + 1);
  const std::size_t here = sector_bytes_ - head_;
  const std::size_t room = (here < kRecordHeaderBytes ? 0 : here) + sectors * (sector_bytes_ - kSectorHeaderBytes);
  return room > kRecordHeaderBytes ? room - kRecordHeaderBytes : 0;
}

std::size_t Ring::max_payload_bytes() const {
  if (partition_ == nullptr) return 0;
  return std::size_t{sectors_ - 2} * (sector_bytes_ - kSectorHeaderBytes);
}

}  // namespace salus
