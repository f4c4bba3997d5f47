// Time by SysTick, which counts the core's 25 MHz down and interrupts every 10 ms.
#pragma once

#include "board/board.h"

namespace salus {

class SysTickClock : public Clock {
 public:
  SysTickClock();  // starts the counter
  [[nodiscard]] std::uint64_t utc_ms() const override;
  void set_utc_ms(std::uint64_t utc_ms) override;
  [[nodiscard]] std::uint64_t monotonic_us() const override;

  // Ticks of 40 ns since the start. Under `-icount shift=0` an instruction takes 1 ns: 40 of them a tick.
  [[nodiscard]] std::uint64_t ticks() const;

 private:
  std::uint64_t set_utc_ms_ = 0;  // 0: nobody has set it
  std::uint64_t set_at_us_ = 0;
  mutable std::uint64_t last_ticks_ = 0;
};

}  // namespace salus
