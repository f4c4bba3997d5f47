// Says hello and echoes what comes over UART0.
#include <cstring>

#include "board_clock.h"
#include "board_flash.h"
#include "board_reset.h"
#include "board_uart.h"

int main() {
  using namespace salus;
  static SysTickClock clock;
  static SystemReset reset;
  static Uart uart;
  prepare_flash();
  SeededRandom random;
  std::uint8_t byte = 0;
  const char* hello = random.fill({&byte, 1}) ? "salus qemu_m4\r\n" : "salus qemu_m4 (no seed)\r\n";
  uart.write({reinterpret_cast<const std::uint8_t*>(hello), std::strlen(hello)});
  for (;;) {
    std::uint8_t buffer[64];
    const std::size_t size = uart.read({buffer, sizeof buffer});
    uart.write({buffer, size});
    if (size == 0) uart.wait();
  }
}
