// The front end as a filter: one job from stdin, its windows to stdout.
//
// Job, 32-bit little-endian words: bytes of the front end, channels, number of pushes; the serialised front end; then
// of each push its time in ms (a double), its number of samples, and the samples as floats. Answer: status, used bytes
// of memory; then of each window its start (64 bits), its numbers of values and of aux values, its values and its aux
// values.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "frontend/front_end.h"

namespace {

template <typename T>
T read_one() {
  T value;
  if (std::fread(&value, sizeof(T), 1, stdin) != 1) std::exit(2);
  return value;
}

template <typename T>
std::vector<T> read_many(std::size_t count) {
  std::vector<T> values(count);
  if (std::fread(values.data(), sizeof(T), count, stdin) != count) std::exit(2);
  return values;
}

template <typename T>
void write(const T* values, std::size_t count) {
  std::fwrite(values, sizeof(T), count, stdout);
}

class Writer final : public salus::WindowSink {
 public:
  void window(std::uint64_t start_ms, salus::Span<const float> values, salus::Span<const std::int16_t> aux) override {
    const std::uint32_t sizes[2] = {static_cast<std::uint32_t>(values.size()), static_cast<std::uint32_t>(aux.size())};
    write(&start_ms, 1);
    write(sizes, 2);
    write(values.data(), values.size());
    write(aux.data(), aux.size());
  }
};

}  // namespace

int main() {
  const auto frontend_bytes = read_one<std::uint32_t>();
  const auto channels = read_one<std::uint32_t>();
  const auto pushes = read_one<std::uint32_t>();
  const auto frontend = read_many<std::uint8_t>(frontend_bytes);
  std::vector<std::uint8_t> memory(256 * 1024, 0xA5);
  salus::FrontEnd front_end;
  auto status = front_end.configure({frontend.data(), frontend.size()}, channels, {memory.data(), memory.size()});
  const std::uint32_t head[2] = {static_cast<std::uint32_t>(status),
                                 static_cast<std::uint32_t>(front_end.memory_used_bytes())};
  write(head, 2);
  Writer writer;
  for (std::uint32_t i = 0; i < pushes && status == salus::FrontEndStatus::kOk; ++i) {
    const auto t0_ms = read_one<double>();
    const auto count = read_one<std::uint32_t>();
    const auto samples = read_many<float>(std::size_t{count} * channels);
    status = front_end.push({samples.data(), samples.size()}, t0_ms, writer);
  }
  return status == salus::FrontEndStatus::kOk ? 0 : 1;
}
