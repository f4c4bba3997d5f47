// Until when raw windows may leave the wearable, and under which consent. Kept through a reset.
#pragma once

#include <cstdint>

#include "base/span.h"
#include "board/board.h"
#include "link/messages.h"

namespace salus::wearable {

class Calibration {
 public:
  explicit Calibration(Store& store) : store_(store) {}

  void load();
  // Begin, go on until another time, or stop (until_ms 0). False: the store failed, and nothing may leave.
  [[nodiscard]] bool set(std::uint64_t until_ms, Bytes consent);
  [[nodiscard]] bool stop() { return until_ms_ == 0 || set(0, {}); }

  // Whether something that ends at `end_ms` is covered.
  [[nodiscard]] bool covers(std::uint64_t end_ms) const { return end_ms <= until_ms_; }
  [[nodiscard]] std::uint64_t until_ms() const { return until_ms_; }
  [[nodiscard]] Bytes consent() const { return Bytes(consent_, until_ms_ != 0 ? kConsentBytes : 0); }

 private:
  Store& store_;
  std::uint64_t until_ms_ = 0;
  std::uint8_t consent_[kConsentBytes] = {};
};

}  // namespace salus::wearable
