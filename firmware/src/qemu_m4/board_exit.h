// The end of a program that is run for its output alone, such as a benchmark: QEMU ends with this exit code when it was
// started with `-semihosting-config enable=on,target=native`.
#pragma once

#include <cstdint>

namespace salus {

[[noreturn]] inline void exit_emulator(int code) {
  constexpr std::uint32_t kExitExtended = 0x20, kApplicationExit = 0x20026;
  const std::uint32_t arguments[] = {kApplicationExit, static_cast<std::uint32_t>(code)};
  register std::uint32_t operation __asm("r0") = kExitExtended;
  register const std::uint32_t* parameters __asm("r1") = arguments;
  __asm volatile("bkpt 0xAB" : "+r"(operation) : "r"(parameters) : "memory");
  for (;;) {
  }
}

}  // namespace salus
