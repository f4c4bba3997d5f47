#include "link/counters.h"

#include <cstring>
#include <limits>

#include "crypto/crypto.h"
#include "link/big_endian.h"
#include "link/keys.h"

namespace salus {
namespace {

constexpr std::size_t kIdAt = 0;
constexpr std::size_t kBootAt = 16;
constexpr std::size_t kHeardAt = 20;
constexpr std::size_t kPositionBytes = 12;

bool is_newer(std::uint32_t boot, std::uint64_t sequence, std::uint32_t than_boot, std::uint64_t than_sequence) {
  return boot != than_boot ? boot > than_boot : sequence > than_sequence;
}

}  // namespace

LinkStatus Counters::enrol(Bytes secret) {
  if (secret.size() != kLinkSecretBytes) return LinkStatus::kMalformed;
  Record record{};
  const LinkStatus status = load(secret, record);
  if (status != LinkStatus::kNotEnrolled) return status;  // counts for this secret already, or cannot be known
  started_ = false;
  record = Record{};
  identify(secret, record);
  return save(record);
}

LinkStatus Counters::start(Bytes secret) {
  started_ = false;
  if (secret.size() != kLinkSecretBytes) return LinkStatus::kMalformed;
  Record record{};
  LinkStatus status = load(secret, record);
  if (status != LinkStatus::kOk) return status;
  if (record.boot == std::numeric_limits<std::uint32_t>::max()) return LinkStatus::kUsedUp;
  ++record.boot;
  status = save(record);
  started_ = status == LinkStatus::kOk;
  return status;
}

LinkStatus Counters::accept(Kind kind, std::uint32_t boot, std::uint64_t sequence) {
  if (!started_) return LinkStatus::kNotEnrolled;
  if (!is_downward(kind)) return LinkStatus::kMalformed;
  const std::size_t which = static_cast<std::size_t>(kind) - static_cast<std::size_t>(Kind::kRelease);
  const Position& newest = record_.heard[which];
  if (!is_newer(boot, sequence, newest.boot, newest.sequence)) return LinkStatus::kReplayed;
  if (sequence > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return LinkStatus::kMalformed;
  Record record = record_;
  record.heard[which] = {boot, sequence};
  return save(record);
}

void Counters::identify(Bytes secret, Record& record) {
  const Digest digest = signed_digest("salus/1 counters", secret);
  std::memcpy(record.id, digest.data(), kIdBytes);
}

LinkStatus Counters::load(Bytes secret, Record& record) const {
  std::uint8_t bytes[kRecordBytes];
  std::size_t size = 0;
  switch (store_.read(kKey, MutableBytes(bytes), size)) {
    case StoreStatus::kOk:
      break;
    case StoreStatus::kFailed:
      return LinkStatus::kStoreFailed;
    case StoreStatus::kMissing:
    case StoreStatus::kTooLarge:
      return LinkStatus::kNotEnrolled;
  }
  identify(secret, record);
  if (size != kRecordBytes || std::memcmp(bytes + kIdAt, record.id, kIdBytes) != 0) return LinkStatus::kNotEnrolled;
  record.boot = get_big_endian<std::uint32_t>(bytes + kBootAt);
  const std::uint8_t* at = bytes + kHeardAt;
  for (Position& each : record.heard) {
    each = {get_big_endian<std::uint32_t>(at), get_big_endian<std::uint64_t>(at + 4)};
    at += kPositionBytes;
  }
  return LinkStatus::kOk;
}

LinkStatus Counters::save(const Record& record) {
  std::uint8_t bytes[kRecordBytes];
  std::memcpy(bytes + kIdAt, record.id, kIdBytes);
  put_big_endian(bytes + kBootAt, record.boot);
  std::uint8_t* at = bytes + kHeardAt;
  for (const Position& each : record.heard) {
    put_big_endian(at, each.boot);
    put_big_endian(at + 4, each.sequence);
    at += kPositionBytes;
  }
  if (store_.write(kKey, Bytes(bytes)) != StoreStatus::kOk) return LinkStatus::kStoreFailed;
  record_ = record;
  return LinkStatus::kOk;
}

}  // namespace salus
