#include <algorithm>

#include "link/ring.h"

namespace salus {

using ring::kRecordHeaderBytes;
using ring::kSectorHeaderBytes;

LinkStatus Ring::mount(Partition& partition) {
  *this = Ring();
  partition_ = &partition;
  sector_bytes_ = static_cast<std::uint32_t>(partition.sector_bytes());
  sectors_ = static_cast<std::uint32_t>(partition.size_bytes() / partition.sector_bytes());
  if (sectors_ < kMinSectors || sector_bytes_ % 4 != 0 || sector_bytes_ < kMinSectorBytes) {
    partition_ = nullptr;
    return LinkStatus::kMalformed;
  }
  ring::SectorHeader newest{};
  switch (find_newest(newest)) {
    case Found::kFailed:
      return LinkStatus::kFlashFailed;
    case Found::kNo:
      sound_ = begin(0);
      break;
    case Found::kYes:
      newest_generation_ = newest.generation;
      dropped_ = newest.dropped;
      sound_ = find_oldest() && find_records();
  }
  high_water_ = packets_;
  return sound_ ? LinkStatus::kOk : LinkStatus::kFlashFailed;
}

LinkStatus Ring::format(Partition& partition) {
  *this = Ring();
  if (!partition.erase(0, partition.size_bytes())) return LinkStatus::kFlashFailed;
  return mount(partition);
}

// An empty ring from this sector on. Other sectors are made blank as their turn comes.
bool Ring::begin(std::uint32_t sector) {
  std::uint8_t bytes[kSectorHeaderBytes];
  ring::encode({1, 0, static_cast<std::uint32_t>(kSectorHeaderBytes)}, bytes);
  if (!make_blank(sector) || !make_blank(sector + 1)) return false;
  if (!partition_->program(std::size_t{sector} * sector_bytes_, Bytes(bytes))) return false;
  newest_sector_ = sector;
  newest_generation_ = oldest_generation_ = 1;
  head_ = static_cast<std::uint32_t>(kSectorHeaderBytes);
  first_ = {1, 0};
  return true;
}

Ring::Found Ring::find_newest(ring::SectorHeader& newest) {
  newest.generation = 0;
  for (std::uint32_t sector = 0; sector < sectors_; ++sector) {
    ring::SectorHeader header;
    const Found found = read_sector(sector, header);
    if (found == Found::kFailed) return found;
    if (found == Found::kYes && header.generation > newest.generation) {
      newest = header;
      newest_sector_ = sector;
    }
  }
  return newest.generation != 0 ? Found::kYes : Found::kNo;
}

// Back from the newest, as far as the generations go down one by one; a sector whose header is damaged is passed over.
// The sector after the newest is no part of it: when the power went before that was blank, what it held is counted as
// dropped already.
bool Ring::find_oldest() {
  oldest_generation_ = newest_generation_;
  for (std::uint32_t back = 1; back < sectors_ - 1 && back < newest_generation_; ++back) {
    ring::SectorHeader header;
    const Found found = read_sector(sector_of(newest_generation_ - back), header);
    if (found == Found::kFailed) return false;
    if (found == Found::kNo) continue;
    if (header.generation != newest_generation_ - back) break;
    oldest_generation_ = header.generation;
  }
  return make_blank((newest_sector_ + 1) % sectors_);
}

bool Ring::find_records() {
  head_ = sector_bytes_;
  RingPosition at{oldest_generation_, 0};
  RingPosition end{newest_generation_, 0};
  first_ = {newest_generation_ + 1, 0};
  Record record;
  for (;;) {
    const Found found = next_record(at, record);
    if (found == Found::kFailed) return false;
    if (found == Found::kNo) break;
    if (record.waits && packets_++ == 0) first_ = at;
    if (record.lost) ++lost_;
    if (record.committed) {
      last_boot_ = record.header.boot;
      last_sequence_ = record.header.sequence;
    }
    at = end = end_of(at, record.header.size);
  }
  if (!find_head(end)) return false;
  if (packets_ == 0) first_ = {newest_generation_, head_};
  return true;
}

// The next record begins after the last one, and after whatever a cut has left of another.
bool Ring::find_head(const RingPosition& end) {
  std::uint32_t used = 0;
  if (!used_bytes(newest_sector_, used)) return false;
  std::uint32_t after = end.offset;
  if (end.generation > newest_generation_) {
    after = sector_bytes_;  // it was to go on in a sector that was not begun
  } else if (end.generation < newest_generation_ || end.offset == 0) {
    ring::SectorHeader header;
    if (read_sector(newest_sector_, header) != Found::kYes) return false;
    after = header.first_record;
  }
  head_ = std::max(after, static_cast<std::uint32_t>(ring::padded(used)));
  return true;
}

// Up to where a sector is not blank.
bool Ring::used_bytes(std::uint32_t sector, std::uint32_t& used) const {
  std::uint8_t bytes[64];
  used = 0;
  for (std::uint32_t at = 0; at < sector_bytes_;) {
    const auto count = std::min(static_cast<std::uint32_t>(sizeof(bytes)), sector_bytes_ - at);
    if (!partition_->read(std::size_t{sector} * sector_bytes_ + at, MutableBytes(bytes, count))) return false;
    for (std::uint32_t each = 0; each < count; ++each) {
      if (bytes[each] != 0xFF) used = at + each + 1;
    }
    at += count;
  }
  return true;
}

bool Ring::make_blank(std::uint32_t sector) {
  std::uint32_t used = 0;
  if (!used_bytes(sector, used)) return false;
  return used == 0 || partition_->erase(std::size_t{sector} * sector_bytes_, sector_bytes_);
}

}  // namespace salus
