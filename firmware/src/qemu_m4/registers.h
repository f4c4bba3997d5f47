// The few registers that this board uses (ARM DDI 0403, "Application Note AN386", CMSDK's APB UART).
#pragma once

#include <cstddef>
#include <cstdint>

namespace salus {

inline volatile std::uint32_t& register_at(std::uintptr_t address) {
  return *reinterpret_cast<volatile std::uint32_t*>(address);
}

constexpr std::uint32_t kCpuHz = 25'000'000;

constexpr std::uintptr_t kSysTickControl = 0xE000E010;
constexpr std::uintptr_t kSysTickReload = 0xE000E014;
constexpr std::uintptr_t kSysTickCurrent = 0xE000E018;
constexpr std::uintptr_t kInterruptEnable = 0xE000E100;
constexpr std::uintptr_t kInterruptControl = 0xE000ED04;
constexpr std::uintptr_t kResetControl = 0xE000ED0C;

constexpr std::uintptr_t kUart0 = 0x40004000;
constexpr std::uintptr_t kUartData = kUart0;
constexpr std::uintptr_t kUartState = kUart0 + 0x04;
constexpr std::uintptr_t kUartControl = kUart0 + 0x08;
constexpr std::uintptr_t kUartInterrupt = kUart0 + 0x0C;
constexpr std::uintptr_t kUartDivider = kUart0 + 0x10;

}  // namespace salus
