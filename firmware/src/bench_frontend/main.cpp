// Runs one front end on samples and tells what each took. `salus bench frontend` puts a job into the board's PSRAM
// before the start, reads the answer from UART0, and counts instructions by SysTick under `-icount shift=0`.
//
// Job, 32-bit little-endian words: "SJOB", bytes of the front end, channels, number of samples; then the serialised
// front end, filled up to a whole word, and the samples as floats. Samples begin at 1,000,000 ms, and come one by one.
// Answer: "SOUT", status, used bytes of memory, ticks of all samples, ticks of the longest one, number of windows; then
// of each window its start (64 bits), its numbers of values and of aux values, its values and its aux values.
#include <cstdint>
#include <cstring>

#include "../qemu_m4/board_exit.h"
#include "../qemu_m4/registers.h"
#include "frontend/front_end.h"

namespace {

using salus::register_at;

constexpr std::uint32_t kJobMagic = 0x424F4A53;     // "SJOB"
constexpr std::uint32_t kAnswerMagic = 0x54554F53;  // "SOUT"
constexpr std::uint32_t kTickMask = 0xFFFFFF;
constexpr std::uintptr_t kJobAt = 0x21000000;
constexpr double kStartMs = 1e6;

struct Job {
  std::uint32_t magic, frontend_bytes, channels, samples;
};

std::uint8_t memory[128 * 1024];
std::uint8_t said[1 << 20];

// What comes out is stored, so that no UART is in the figures.
class Keeper final : public salus::WindowSink {
 public:
  void window(std::uint64_t start_ms, salus::Span<const float> values, salus::Span<const std::int16_t> aux) override {
    const std::uint32_t sizes[2] = {static_cast<std::uint32_t>(values.size()), static_cast<std::uint32_t>(aux.size())};
    put(&start_ms, sizeof start_ms);
    put(sizes, sizeof sizes);
    put(values.data(), values.size() * sizeof(float));
    put(aux.data(), aux.size() * sizeof(std::int16_t));
    ++windows;
  }
  std::size_t used = 0;
  std::uint32_t windows = 0;

 private:
  void put(const void* data, std::size_t size) {
    if (size > sizeof said - used) salus::exit_emulator(3);
    std::memcpy(said + used, data, size);
    used += size;
  }
};

void send(const void* data, std::size_t size) {
  const auto* bytes = static_cast<const std::uint8_t*>(data);
  for (std::size_t i = 0; i < size; ++i) {
    while ((register_at(salus::kUartState) & 1) != 0) {
    }
    register_at(salus::kUartData) = bytes[i];
  }
}

}  // namespace

int main() {
  const auto* const job = reinterpret_cast<const Job*>(kJobAt);
  const auto* const frontend = reinterpret_cast<const std::uint8_t*>(job + 1);
  const auto* const samples = reinterpret_cast<const float*>(frontend + (job->frontend_bytes + 3) / 4 * 4);
  register_at(salus::kUartDivider) = 16;
  register_at(salus::kUartControl) = 1;
  register_at(salus::kSysTickReload) = kTickMask;
  register_at(salus::kSysTickCurrent) = 0;
  register_at(salus::kSysTickControl) = 5;  // core clock, no interrupt, on
  if (job->magic != kJobMagic) salus::exit_emulator(2);

  static salus::FrontEnd front_end;
  Keeper keeper;
  auto status = front_end.configure({frontend, job->frontend_bytes}, job->channels, {memory, sizeof memory});
  std::uint32_t total = 0;
  std::uint32_t longest = 0;
  const double period_ms = 1000.0 / static_cast<double>(front_end.rate_hz());
  for (std::uint32_t i = 0; i < job->samples && status == salus::FrontEndStatus::kOk; ++i) {
    const double t0_ms = kStartMs + i * period_ms;
    const std::uint32_t before = register_at(salus::kSysTickCurrent);
    status = front_end.push({samples + i * job->channels, job->channels}, t0_ms, keeper);
    const std::uint32_t ticks = (before - register_at(salus::kSysTickCurrent)) & kTickMask;  // it counts down
    total += ticks;
    longest = ticks > longest ? ticks : longest;
  }
  const std::uint32_t head[6] = {kAnswerMagic,
                                 static_cast<std::uint32_t>(status),
                                 static_cast<std::uint32_t>(front_end.memory_used_bytes()),
                                 total,
                                 longest,
                                 keeper.windows};
  send(head, sizeof head);
  send(said, keeper.used);
  salus::exit_emulator(0);
}
