#include "board_reset.h"

#include "registers.h"

namespace salus {
namespace {

constexpr std::uint32_t kRequestedMark = 0x5A105001;
constexpr std::uint32_t kCrashMark = 0x5A105002;
constexpr std::uint32_t kSystemResetRequest = 0x05FA0004;

// Outlives a reset but not the emulator: whatever else it holds means that the power came on.
__attribute__((section(".noinit"))) volatile std::uint32_t mark;

[[noreturn]] void reset_with(std::uint32_t cause) {
  mark = cause;
  __asm volatile("dsb" ::: "memory");
  register_at(kResetControl) = kSystemResetRequest;
  for (;;) {
  }
}

}  // namespace

extern "C" void crash_handler() { reset_with(kCrashMark); }

SystemReset::SystemReset()
    : cause_(mark == kRequestedMark ? ResetCause::kRequested
             : mark == kCrashMark   ? ResetCause::kCrash
                                    : ResetCause::kPowerOn) {
  mark = 0;
}

void SystemReset::restart() { reset_with(kRequestedMark); }

}  // namespace salus
