#include "wearable/tally.h"

#include <cstdio>
#include <cstring>
#include <type_traits>

namespace salus::wearable {
namespace {

constexpr char kCountsKey[] = "counts";
constexpr char kTallyKey[] = "tally";

template <typename Record>
bool load_record(const Store& store, const char* key, Record& record) {
  static_assert(std::is_trivially_copyable_v<Record>);
  std::size_t size = 0;
  const MutableBytes bytes(reinterpret_cast<std::uint8_t*>(&record), sizeof record);
  return store.read(key, bytes, size) == StoreStatus::kOk && size == sizeof record;
}

template <typename Record>
bool save_record(Store& store, const char* key, const Record& record) {
  const Bytes bytes(reinterpret_cast<const std::uint8_t*>(&record), sizeof record);
  return store.write(key, bytes) == StoreStatus::kOk;
}

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

void KeptTally::load() {
  Tally tally;
  const bool whole = load_record(store_, kTallyKey, tally);
  now = whole && tally.version_count <= Tally::kVersions && tally.refused.valid() ? tally : Tally{};
  Counts counts;
  if (load_record(store_, kCountsKey, counts)) static_cast<Counts&>(now) = counts;
  saved_packets_ = now.packets;
}

// A failure costs counts only; what fails to keep packets says so elsewhere.
void KeptTally::save() {
  save_counts();
  if (save_record(store_, kTallyKey, now)) saved_packets_ = now.packets;
}

void KeptTally::save_counts() { (void)save_record(store_, kCountsKey, static_cast<const Counts&>(now)); }

void KeptTally::packet_sealed() {
  if (now.packets - saved_packets_ >= kPacketsPerSave) {
    save();
  } else {
    save_counts();
  }
}

void KeptTally::add_version(std::uint32_t version) {
  for (std::uint32_t at = 0; at < now.version_count; ++at) {
    if (now.versions[at] == version) return;
  }
  if (now.version_count == Tally::kVersions) {
    std::memmove(now.versions, now.versions + 1, sizeof now.versions - sizeof now.versions[0]);
    --now.version_count;
  }
  now.versions[now.version_count++] = version;
  save();
}

void KeptTally::erase() {
  now = Tally{};
  saved_packets_ = 0;
  (void)store_.erase(kCountsKey);
  (void)store_.erase(kTallyKey);
}

}  // namespace salus::wearable
