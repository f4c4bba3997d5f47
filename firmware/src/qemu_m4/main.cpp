// The wearable on the emulated Cortex-M4: everything comes and goes over UART0, MQTT too (`salus hil bridge`).
#include "../version.h"
#include "board_clock.h"
#include "board_flash.h"
#include "board_reset.h"
#include "board_uart.h"
#include "board_vitals.h"
#include "console/console.h"
#include "engine/portable/portable_engine.h"
#include "store/partition_store.h"
#include "wearable/network_serial.h"
#include "wearable/wearable.h"

namespace salus {
namespace {

// As much as an ESP32-S3 has to spare beside its radio. A packet holds a release's offer, the largest thing that comes.
constexpr std::size_t kPacketBytes = 20 * 1024;
constexpr std::size_t kFrameBytes = kPacketBytes + console::kEnvelopeBytes;
constexpr std::size_t kWindowValues = 4096;  // of one window

alignas(16) std::uint8_t front_end[32 * 1024];
alignas(16) std::uint8_t base_arena[32 * 1024];
alignas(16) std::uint8_t personal_arena[8 * 1024];
alignas(16) std::uint8_t input[kWindowValues];
alignas(16) std::uint8_t features[4 * 1024];
alignas(16) std::uint8_t windows[24 * 1024];
alignas(16) std::uint8_t packet[kPacketBytes];
alignas(16) std::uint8_t inbox[kPacketBytes];
std::uint8_t frame[console::FrameReader::memory_bytes(kFrameBytes)];

class UartWriter final : public console::Writer {
 public:
  explicit UartWriter(Uart& uart) : uart_(uart) {}
  [[nodiscard]] bool write(Bytes data) override {
    uart_.write(data);
    return true;
  }

 private:
  Uart& uart_;
};

[[noreturn]] void run() {
  static StackVitals vitals;
  static SysTickClock clock;
  static SystemReset reset;
  static Uart uart;
  static UartWriter writer(uart);
  prepare_flash();
  static FlashPartition store_flash(kStorePlace);
  static FlashPartition ring(kRingPlace);
  static FlashPartition slots(kReleasePlace);
  static PartitionStore store(store_flash);
  const bool mounted = store.mount();
  static PortableEngine base_engine, personal_engine;
  static wearable::NetworkSerial network;
  static const wearable::Parts parts = {kFirmwareVersion, "qemu_m4", clock,   reset,       store,          ring, slots,
                                        network,          vitals,    nullptr, base_engine, personal_engine};
  static const wearable::Memory memory = {front_end, base_arena, personal_arena, input,
                                          features,  windows,    packet,         inbox};
  static wearable::Wearable device(parts, memory);
  static console::Console console(writer, device, frame);
  device.set_console(&console);
  network.set_console(console);
  console.set_carried(&network);
  if (!mounted) (void)console.log(console::Level::kError, "the store's flash does not work", 0);
  device.start();
  for (;;) {
    std::uint8_t received[256];
    const std::size_t size = uart.read(received);
    console.feed(Bytes(received, size));
    device.poll();
    if (size == 0) uart.wait();
  }
}

}  // namespace
}  // namespace salus

int main() { salus::run(); }
