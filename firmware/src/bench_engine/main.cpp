// Runs one model on many inputs and tells what each run took. `salus bench device` puts a job into the board's PSRAM
// before the start, reads the answer from UART0, and counts instructions by SysTick under `-icount shift=0`.
//
// Job, 32-bit little-endian words: "SJOB", bytes of the arena, of the model, of one input, number of inputs; then the
// model, filled up to a whole word, and the inputs behind each other.
// Answer: "SOUT", status, used bytes of the arena, bytes of one output; then for each input the ticks and the output.
#include <cstdint>
#include <cstring>

#include "../qemu_m4/board_exit.h"
#include "../qemu_m4/registers.h"
#include "engine/portable/portable_engine.h"

namespace {

using salus::register_at;

constexpr std::uint32_t kJobMagic = 0x424F4A53;     // "SJOB"
constexpr std::uint32_t kAnswerMagic = 0x54554F53;  // "SOUT"
constexpr std::uint32_t kTickMask = 0xFFFFFF;
constexpr std::uintptr_t kPsram = 0x21000000;  // 16 MB: job below, arena and output above
constexpr std::uintptr_t kArenaAt = kPsram + 0x800000;
constexpr std::uintptr_t kOutputAt = kPsram + 0xC00000;
constexpr std::uint32_t kRoomBytes = 0x400000;  // of either

struct Job {
  std::uint32_t magic, arena_bytes, model_bytes, input_bytes, inputs;
};

void send(const void* data, std::size_t size) {
  const auto* bytes = static_cast<const std::uint8_t*>(data);
  for (std::size_t i = 0; i < size; ++i) {
    while ((register_at(salus::kUartState) & 1) != 0) {
    }
    register_at(salus::kUartData) = bytes[i];
  }
}

void send_word(std::uint32_t word) { send(&word, sizeof word); }

}  // namespace

int main() {
  const auto* const job = reinterpret_cast<const Job*>(kPsram);
  const auto* const model = reinterpret_cast<const std::uint8_t*>(job + 1);
  const auto* input = reinterpret_cast<const std::int8_t*>(model + (job->model_bytes + 3) / 4 * 4);
  register_at(salus::kUartDivider) = 16;
  register_at(salus::kUartControl) = 1;
  register_at(salus::kSysTickReload) = kTickMask;
  register_at(salus::kSysTickCurrent) = 0;
  register_at(salus::kSysTickControl) = 5;  // core clock, no interrupt, on
  if (job->magic != kJobMagic || job->arena_bytes > kRoomBytes) salus::exit_emulator(2);

  auto* const arena = reinterpret_cast<std::uint8_t*>(kArenaAt);
  auto* const output = reinterpret_cast<std::int8_t*>(kOutputAt);
  salus::PortableEngine engine;
  const salus::EngineStatus status = engine.load({model, job->model_bytes}, {arena, job->arena_bytes});
  const std::size_t output_bytes = engine.output().bytes;
  if (output_bytes > kRoomBytes) salus::exit_emulator(2);
  send_word(kAnswerMagic);
  send_word(static_cast<std::uint32_t>(status));
  send_word(static_cast<std::uint32_t>(engine.arena_used_bytes()));
  send_word(static_cast<std::uint32_t>(output_bytes));
  for (std::uint32_t i = 0; i < job->inputs; ++i, input += job->input_bytes) {
    const std::uint32_t before = register_at(salus::kSysTickCurrent);
    if (engine.run({input, job->input_bytes}, {output, output_bytes}) != salus::EngineStatus::kOk) break;
    send_word((before - register_at(salus::kSysTickCurrent)) & kTickMask);  // it counts down
    send(output, output_bytes);
  }
  salus::exit_emulator(0);
}
