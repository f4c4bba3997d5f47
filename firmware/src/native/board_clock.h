#pragma once

#include <time.h>

#include "board/board.h"

namespace salus {

// The host's monotonic clock; the time of day is what the console set, as on a board without a clock battery.
class HostClock : public Clock {
 public:
  [[nodiscard]] std::uint64_t utc_ms() const override {
    return set_utc_ms_ == 0 ? 0 : set_utc_ms_ + (monotonic_us() - set_at_us_) / 1000;
  }
  void set_utc_ms(std::uint64_t utc_ms) override {
    set_utc_ms_ = utc_ms;
    set_at_us_ = monotonic_us();
  }
  [[nodiscard]] std::uint64_t monotonic_us() const override {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(now.tv_nsec) / 1000;
  }

 private:
  std::uint64_t set_utc_ms_ = 0;  // 0: nobody has set it
  std::uint64_t set_at_us_ = 0;
};

}  // namespace salus
