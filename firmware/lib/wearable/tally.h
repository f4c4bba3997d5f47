// What the wearable counts: some since the start, some since enrolment.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/span.h"
#include "board/board.h"

namespace salus::wearable {

// How many inferences took from 2^i to below 2^(i+1) microseconds.
class LatencyHistogram {
 public:
  static constexpr std::size_t kBuckets = 32;

  void add(std::uint64_t duration_us);
  [[nodiscard]] std::uint64_t count() const;
  [[nodiscard]] const std::uint32_t (&buckets() const)[kBuckets] { return buckets_; }

 private:
  std::uint32_t buckets_[kBuckets] = {};
};

// Counts by a short name, as many as there is room for; a name too many is counted as "other".
class NamedCounts {
 public:
  static constexpr std::size_t kNames = 20;
  static constexpr std::size_t kMaxNameLength = 27;

  struct Entry {
    char name[kMaxNameLength + 1];
    std::uint32_t count;
  };

  void add(const char* name, std::uint32_t amount = 1);
  [[nodiscard]] Span<const Entry> entries() const { return Span<const Entry>(entries_, size_); }
  // Whether this, read from somewhere, can be.
  [[nodiscard]] bool valid() const { return size_ <= kNames + 1; }

 private:
  Entry entries_[kNames + 1] = {};
  std::uint32_t size_ = 0;
};

// Since enrolment. Trivial types: they are stored as they lie in memory.
struct Counts {
  static constexpr std::size_t kKinds = 5;  // state, feature, window, event, label

  std::uint64_t features = 0;
  std::uint64_t windows = 0;
  std::uint64_t raw_window_bytes = 0;
  std::uint64_t packets = 0;
  std::uint64_t alarms = 0;
  std::uint64_t sent_bytes[kKinds] = {};
};

struct Tally : Counts {
  static constexpr std::size_t kVersions = 16;  // that were active, oldest first

  std::uint32_t versions[kVersions] = {};
  std::uint32_t version_count = 0;
  std::uint32_t unused = 0;  // no padding whose bytes nobody set
  NamedCounts refused;
};

// Keeps the tally in the store. A write wears the flash: the counts are 80 bytes, and worth one for each packet; who
// was refused is not, or else anybody at the broker could wear it out: a power cut loses what was counted since the
// last.
class KeptTally {
 public:
  static constexpr std::uint64_t kPacketsPerSave = 64;

  explicit KeptTally(Store& store) : store_(store) {}

  // What an earlier start kept; zeros when there is nothing that can be read.
  void load();
  void save();
  // A packet was sealed: its counts are kept.
  void packet_sealed();
  // `version` became active; the oldest is forgotten when there is no room.
  void add_version(std::uint32_t version);
  void erase();

  Tally now;

 private:
  void save_counts();

  Store& store_;
  std::uint64_t saved_packets_ = 0;
};

}  // namespace salus::wearable
