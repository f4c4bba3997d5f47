// The wearable as a program of this machine: UART0 is a pseudo terminal, flash and store are files, MQTT is real.
//
//   salus-wearable --state DIR [--serial LINK] [--network mqtt|serial]
//
// It runs until SIGTERM or SIGINT, and then says goodbye. Everything else comes by the console, as on a board.
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "../version.h"
#include "board_clock.h"
#include "board_partition.h"
#include "board_random.h"
#include "board_reset.h"
#include "board_store.h"
#include "console/console.h"
#include "engine/portable/portable_engine.h"
#include "network_mosquitto.h"
#include "serial_pty.h"
#include "wearable/network_serial.h"
#include "wearable/wearable.h"

namespace salus::native {
namespace {

constexpr std::size_t kRingBytes = 4 << 20;
constexpr std::size_t kSlotsBytes = 2 << 20;
constexpr std::size_t kHeapBudgetBytes = 16 << 20;  // what a program of this kind may take
constexpr long kLongestWaitMs = 1000;

// No more than a board of this kind has, so that what runs here runs there.
alignas(16) std::uint8_t front_end[64 * 1024];
alignas(16) std::uint8_t base_arena[64 * 1024];
alignas(16) std::uint8_t personal_arena[16 * 1024];
alignas(16) std::uint8_t input[8 * 1024];
alignas(16) std::uint8_t features[16 * 1024];
alignas(16) std::uint8_t windows[48 * 1024];
alignas(16) std::uint8_t packet[32 * 1024];
alignas(16) std::uint8_t inbox[32 * 1024];
std::uint8_t frame[console::FrameReader::memory_bytes(sizeof packet + console::kEnvelopeBytes)];

volatile std::sig_atomic_t stop_wanted = 0;
void want_stop(int) { stop_wanted = 1; }

class HostVitals final : public wearable::Vitals {
 public:
  [[nodiscard]] std::uint32_t free_heap_bytes() const override {
    // What the allocator has taken from the system: how much of it libmosquitto holds at the moment is of no matter.
    const struct mallinfo2 heap = mallinfo2();
    const std::size_t used = heap.arena + heap.hblkhd;
    const auto free = static_cast<std::uint32_t>(kHeapBudgetBytes - std::min(used, kHeapBudgetBytes));
    low_water_bytes_ = std::min(low_water_bytes_, free);
    return free;
  }
  [[nodiscard]] std::uint32_t heap_low_water_bytes() const override {
    (void)free_heap_bytes();
    return low_water_bytes_;
  }
  [[nodiscard]] std::uint32_t stack_low_water_bytes() const override { return 0; }

 private:
  mutable std::uint32_t low_water_bytes_ = kHeapBudgetBytes;
};

struct Options {
  std::string state;
  std::string serial;
  bool carried = false;
  int device_side = -1;  // of a terminal that the program before a reset left open
  int host_side = -1;
};

bool parse(int count, char** arguments, Options& options) {
  for (int at = 1; at + 1 < count; at += 2) {
    const std::string name = arguments[at], value = arguments[at + 1];
    if (name == "--state") {
      options.state = value;
    } else if (name == "--serial") {
      options.serial = value;
    } else if (name == "--network" && (value == "mqtt" || value == "serial")) {
      options.carried = value == "serial";
    } else if (name != "--terminal" ||
               std::sscanf(value.c_str(), "%d,%d", &options.device_side, &options.host_side) != 2) {
      return false;
    }
  }
  if (options.serial.empty()) options.serial = options.state + "/serial";
  return count % 2 == 1 && !options.state.empty();
}

int fail(const char* what) {
  std::fprintf(stderr, "salus-wearable: %s: %s\n", what, std::strerror(errno));
  return EXIT_FAILURE;
}

// Wait for the terminal, the broker or the next deadline; a signal that wants the program to stop ends the wait.
void wait(const SerialPty& serial, const NetworkMosquitto& mqtt, std::uint64_t due_us, const Clock& clock,
          const sigset_t& signals) {
  pollfd files[2] = {{serial.device_side(), POLLIN, 0}, {mqtt.socket(), POLLIN, 0}};
  if (mqtt.wants_write()) files[1].events |= POLLOUT;
  const std::uint64_t now_us = clock.monotonic_us();
  const long wait_ms =
      due_us <= now_us ? 0 : static_cast<long>(std::min<std::uint64_t>((due_us - now_us) / 1000 + 1, kLongestWaitMs));
  const timespec timeout = {wait_ms / 1000, wait_ms % 1000 * 1'000'000};
  (void)::ppoll(files, 2, &timeout, &signals);
}

// As after a reset: the same terminal, nothing else of this process.
int start_anew(SerialPty& serial, char** arguments, const Options& options) {
  int device_side = -1, host_side = -1;
  serial.leave(device_side, host_side);
  const std::string ends = std::to_string(device_side) + "," + std::to_string(host_side);
  const char* const network = options.carried ? "serial" : "mqtt";
  ::execl("/proc/self/exe", arguments[0], "--state", options.state.c_str(), "--serial", options.serial.c_str(),
          "--network", network, "--terminal", ends.c_str(), nullptr);
  return fail("cannot start anew");
}

int run(char** arguments, const Options& options) {
  HostClock clock;
  HostRandom random;
  HostReset reset(options.state);
  FileStore store(options.state + "/store");
  FilePartition ring(options.state + "/ring.bin", kRingBytes);
  FilePartition slots(options.state + "/slots.bin", kSlotsBytes);
  if (!ring.ready() || !slots.ready()) return fail(options.state.c_str());
  SerialPty serial(clock);
  if (options.device_side >= 0) {
    serial.adopt(options.device_side, options.host_side, options.serial);
  } else if (!serial.open(options.serial)) {
    return fail(options.serial.c_str());
  }
  NetworkMosquitto mqtt(options.state, clock, random);
  wearable::NetworkSerial carried;
  HostVitals vitals;
  static PortableEngine base_engine, personal_engine;
  Network& network = options.carried ? static_cast<Network&>(carried) : mqtt;
  const wearable::Parts parts = {kFirmwareVersion, "native", clock,   reset,       store,          ring, slots,
                                 network,          vitals,   nullptr, base_engine, personal_engine};
  const wearable::Memory memory = {front_end, base_arena, personal_arena, input, features, windows, packet, inbox};
  static wearable::Wearable device(parts, memory);
  console::Console console(serial, device, frame);
  device.set_console(&console);
  carried.set_console(console);
  if (options.carried) console.set_carried(&carried);

  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigaddset(&blocked, SIGINT);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  sigdelset(&before, SIGTERM);
  sigdelset(&before, SIGINT);
  std::signal(SIGTERM, want_stop);
  std::signal(SIGINT, want_stop);

  device.start();
  while (!device.left()) {
    wait(serial, mqtt, std::min(device.due_us(), mqtt.due_us()), clock, before);
    if (stop_wanted != 0) device.leave();
    std::uint8_t received[4096];
    const std::size_t size = serial.read(received);
    console.feed(Bytes(received, size));
    device.poll();
  }
  return reset.requested() && stop_wanted == 0 ? start_anew(serial, arguments, options) : EXIT_SUCCESS;
}

}  // namespace
}  // namespace salus::native

int main(int count, char** arguments) {
  salus::native::Options options;
  if (!salus::native::parse(count, arguments, options)) {
    std::fprintf(stderr, "usage: salus-wearable --state DIR [--serial LINK] [--network mqtt|serial]\n");
    return EXIT_FAILURE;
  }
  if (::mkdir(options.state.c_str(), S_IRWXU) != 0 && errno != EEXIST)
    return salus::native::fail(options.state.c_str());
  // Two programs on one state would seal under the same nonces. The lock ends with the program.
  const int lock = ::open((options.state + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (lock < 0 || ::flock(lock, LOCK_EX | LOCK_NB) != 0) return salus::native::fail((options.state + "/lock").c_str());
  return salus::native::run(arguments, options);
}
