#include "wearable/tally.h"

#include <cstdio>
#include <cstring>
#include <type_traits>

namespace salus::wearable {
namespace {

constexpr char kKey[] = "tally";

}  // namespace

void LatencyHistogram::add(std::uint64_t duration_us) {
  std::size_t bucket = 0;
  while (duration_us > 1 && bucket + 1 < kBuckets) {
    duration_us >>= 1;
    ++bucket;
  }
  ++buckets_[bucket];
}

std::uint64_t LatencyHistogram::count() const {
  std::uint64_t sum = 0;
  for (const std::uint32_t bucket : buckets_) sum += bucket;
  return sum;
}

void NamedCounts::add(const char* name, std::uint32_t amount) {
  for (std::uint32_t at = 0; at < size_; ++at) {
    if (std::strncmp(entries_[at].name, name, kMaxNameLength) == 0) {
      entries_[at].count += amount;
      return;
    }
  }
  Entry& entry = entries_[size_ < kNames ? size_ : kNames];
  size_ = size_ < kNames ? size_ + 1 : kNames + 1;
  std::snprintf(entry.name, sizeof entry.name, "%s", size_ <= kNames ? name : "other");
  entry.count += amount;
}

void add_version(Tally& tally, std::uint32_t version) {
  for (std::uint32_t at = 0; at < tally.version_count; ++at) {
    if (tally.versions[at] == version) return;
  }
  if (tally.version_count == Tally::kVersions) {
    std::memmove(tally.versions, tally.versions + 1, sizeof tally.versions - sizeof tally.versions[0]);
    --tally.version_count;
  }
  tally.versions[tally.version_count++] = version;
}

void KeptTally::load() {
  static_assert(std::is_trivially_copyable_v<Tally>);
  Tally kept;
  std::size_t size = 0;
  const MutableBytes bytes(reinterpret_cast<std::uint8_t*>(&kept), sizeof kept);
  const bool whole = store_.read(kKey, bytes, size) == StoreStatus::kOk && size == sizeof kept;
  now = whole && kept.version_count <= Tally::kVersions && kept.refused.valid() ? kept : Tally{};
  saved_packets_ = now.packets;
}

void KeptTally::save() {
  // A failure costs counts only; what fails to keep packets says so elsewhere.
  const Bytes bytes(reinterpret_cast<const std::uint8_t*>(&now), sizeof now);
  if (store_.write(kKey, bytes) == StoreStatus::kOk) saved_packets_ = now.packets;
}

void KeptTally::save_when_due() {
  if (now.packets - saved_packets_ >= kPacketsPerSave) save();
}

void KeptTally::erase() {
  now = Tally{};
  saved_packets_ = 0;
  (void)store_.erase(kKey);
}

}  // namespace salus::wearable
