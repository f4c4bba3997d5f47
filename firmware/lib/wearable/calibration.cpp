#include "wearable/calibration.h"

#include <algorithm>
#include <cstring>

namespace salus::wearable {
namespace {

constexpr char kKey[] = "calibration";

struct Record {
  std::uint64_t until_ms;
  std::uint8_t consent[kConsentBytes];
};

}  // namespace

void Calibration::load() {
  Record record = {};
  std::size_t size = 0;
  const MutableBytes bytes(reinterpret_cast<std::uint8_t*>(&record), sizeof record);
  // What cannot be read is no consent.
  const bool whole = store_.read(kKey, bytes, size) == StoreStatus::kOk && size == sizeof record;
  until_ms_ = whole ? record.until_ms : 0;
  std::memcpy(consent_, record.consent, sizeof consent_);
}

bool Calibration::set(std::uint64_t until_ms, Bytes consent) {
  until_ms_ = 0;
  if (until_ms != 0 && consent.size() != kConsentBytes) return false;
  Record record = {};
  record.until_ms = until_ms;
  if (!consent.empty()) std::memcpy(record.consent, consent.data(), std::min(consent.size(), sizeof record.consent));
  if (store_.write(kKey, Bytes(reinterpret_cast<const std::uint8_t*>(&record), sizeof record)) != StoreStatus::kOk) {
    return false;
  }
  std::memcpy(consent_, record.consent, sizeof consent_);
  until_ms_ = until_ms;
  return true;
}

}  // namespace salus::wearable
