// Arbitrary bytes as a front end, then as samples: refused with a status, or every window is of the shape that it says.
// The first byte chooses the channels and how much memory there is. ASan sees any access outside of it.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "frontend/front_end.h"

namespace {

constexpr std::size_t kMemoryBytes = 64 * 1024;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

class Checker final : public salus::WindowSink {
 public:
  explicit Checker(const salus::FrontEnd& front_end) : front_end_(front_end) {}
  void window(std::uint64_t, salus::Span<const float> values, salus::Span<const std::int16_t> aux) override {
    require(values.size() == front_end_.rows() * front_end_.channels(), "a window of another shape");
    require(aux.size() == front_end_.aux_values(), "other aux values");
    std::unique_ptr<std::int8_t[]> out(new std::int8_t[values.size()]);
    salus::quantise(values, 0.05F, 3, {out.get(), values.size()});
  }

 private:
  const salus::FrontEnd& front_end_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3 || size > 8192) return 0;
  const std::size_t channels = data[0] & 15;
  const std::size_t memory_bytes = kMemoryBytes >> (data[0] >> 5);
  const std::size_t length = (static_cast<std::size_t>(data[1]) << 8 | data[2]) % (size - 2);
  const std::unique_ptr<std::uint8_t[]> memory(new std::uint8_t[memory_bytes]);
  std::memset(memory.get(), 0xA5, memory_bytes);
  salus::FrontEnd front_end;
  front_end.set_wrist(salus::Wrist::kRight);
  if (front_end.configure({data + 3, length}, channels, {memory.get(), memory_bytes}) != salus::FrontEndStatus::kOk) {
    return 0;
  }
  Checker checker(front_end);
  double t0_ms = 1e12;
  // Each byte is a row: enough rows to fill windows, with a gap now and then.
  for (std::size_t at = 3 + length; at < size; ++at) {
    float rows[64 * 16];
    for (std::size_t i = 0; i < 64 * channels; ++i) {
      rows[i] = static_cast<float>(data[3 + (at * 31 + i * 7) % (size - 3)]) - 128.0F;
    }
    if (data[at] == 0xFF) t0_ms += 1e6;
    if (data[at] == 0xFE) front_end.don();
    if (data[at] == 0xFD) front_end.reset();
    require(front_end.push({rows, 64 * channels}, t0_ms, checker) == salus::FrontEndStatus::kOk, "refused");
    t0_ms += 64 * 1000.0 / static_cast<double>(front_end.rate_hz());
  }
  return 0;
}
