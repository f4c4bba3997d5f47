#include "board_uart.h"

#include "registers.h"

namespace salus {
namespace {

constexpr std::uint32_t kTransmitFull = 1, kReceiveFull = 2;
constexpr std::uint32_t kTransmitOn = 1, kReceiveOn = 2, kReceiveInterrupt = 8;
constexpr std::uint32_t kReceiveInterruptBit = 2;
constexpr std::uint32_t kUart0ReceiveLine = 1;

// A power of two, so that the indices may run over.
constexpr std::uint32_t kRingBytes = 4096;
std::uint8_t ring[kRingBytes];
volatile std::uint32_t written = 0;
volatile std::uint32_t taken = 0;

}  // namespace

// While the ring is full the byte stays in the UART with the interrupt off, and QEMU holds back what comes after it:
// nothing is lost.
extern "C" void uart0_receive_handler() {
  register_at(kUartInterrupt) = kReceiveInterruptBit;
  while ((register_at(kUartState) & kReceiveFull) != 0) {
    if (written - taken == kRingBytes) {
      register_at(kUartControl) = kTransmitOn | kReceiveOn;
      return;
    }
    ring[written % kRingBytes] = static_cast<std::uint8_t>(register_at(kUartData));
    written = written + 1;
  }
}

Uart::Uart() {
  register_at(kUartDivider) = kCpuHz / 115'200;
  register_at(kUartControl) = kTransmitOn | kReceiveOn | kReceiveInterrupt;
  register_at(kInterruptEnable) = kUart0ReceiveLine;
}

std::size_t Uart::read(MutableBytes out) {
  std::size_t size = 0;
  while (size < out.size() && taken != written) {
    out[size++] = ring[taken % kRingBytes];
    taken = taken + 1;
  }
  if ((register_at(kUartControl) & kReceiveInterrupt) == 0 && written - taken < kRingBytes) {
    __asm volatile("cpsid i" ::: "memory");
    register_at(kUartControl) = kTransmitOn | kReceiveOn | kReceiveInterrupt;
    uart0_receive_handler();  // the byte that waited raises no second interrupt
    __asm volatile("cpsie i" ::: "memory");
  }
  return size;
}

void Uart::write(Bytes data) {
  for (const std::uint8_t byte : data) {
    while ((register_at(kUartState) & kTransmitFull) != 0) {
    }
    register_at(kUartData) = byte;
  }
}

void Uart::wait() {
  __asm volatile("cpsid i" ::: "memory");
  if (taken == written) __asm volatile("wfi");  // wakes by an interrupt though it is masked
  __asm volatile("cpsie i" ::: "memory");
}

}  // namespace salus
