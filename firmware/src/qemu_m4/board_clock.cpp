#include "board_clock.h"

#include "registers.h"

namespace salus {
namespace {

constexpr std::uint32_t kPeriodTicks = kCpuHz / 100;
constexpr std::uint32_t kSysTickPending = 1U << 26;
constexpr std::uint64_t kTicksPerUs = kCpuHz / 1'000'000;

volatile std::uint32_t periods = 0;

}  // namespace

extern "C" void systick_handler() { periods = periods + 1; }

SysTickClock::SysTickClock() {
  register_at(kSysTickReload) = kPeriodTicks - 1;
  register_at(kSysTickCurrent) = 0;
  register_at(kSysTickControl) = 7;  // core clock, interrupt, on
}

std::uint64_t SysTickClock::ticks() const {
  std::uint32_t before, current, pending;
  do {
    before = periods;
    current = register_at(kSysTickCurrent);
    pending = register_at(kInterruptControl) & kSysTickPending;
  } while (before != periods);
  // The counter may have begun anew while its interrupt still waits.
  const std::uint64_t whole = pending != 0 && current > kPeriodTicks / 2 ? before + 1ULL : before;
  const std::uint64_t now = whole * kPeriodTicks + (kPeriodTicks - 1 - current);
  if (now > last_ticks_) last_ticks_ = now;
  return last_ticks_;
}

std::uint64_t SysTickClock::monotonic_us() const { return ticks() / kTicksPerUs; }

std::uint64_t SysTickClock::utc_ms() const {
  return set_utc_ms_ == 0 ? 0 : set_utc_ms_ + (monotonic_us() - set_at_us_) / 1000;
}

void SysTickClock::set_utc_ms(std::uint64_t utc_ms) {
  set_utc_ms_ = utc_ms;
  set_at_us_ = monotonic_us();
}

}  // namespace salus
