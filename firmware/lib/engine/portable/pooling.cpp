// MAX_POOL_2D and AVERAGE_POOL_2D.
#include <cmath>
#include <cstring>

#include "engine/portable/dsp.h"
#include "engine/portable/window.h"

namespace salus::portable {

namespace {

namespace field {
constexpr unsigned kPadding = 0, kStrideColumns = 1, kStrideRows = 2, kKernelColumns = 3, kKernelRows = 4,
                   kActivation = 5;
}

struct Pooling : Operation {
  Window window;
  std::uint16_t batches;
  std::uint16_t depth;
  Range range;
};

// The taps at one place: all channels of a tap follow each other.
struct Place {
  const std::int8_t* values;
  std::uint32_t rows;
  std::uint32_t columns;
  std::uint32_t row_step;
  std::uint32_t depth;
};

using Pool = void (*)(const Place&, Range, std::int8_t*);

// `output` becomes the larger of itself and `values`, channel by channel.
void raise(const std::int8_t* values, std::uint32_t depth, std::int8_t* output) {
  std::uint32_t channel = 0;
#if SALUS_DSP
  for (; channel + 4 <= depth; channel += 4) {
    const std::uint32_t larger = larger_bytes(load_word(values + channel), load_word(output + channel));
    std::memcpy(output + channel, &larger, sizeof(larger));
  }
#endif
  for (; channel < depth; ++channel) {
    if (values[channel] > output[channel]) output[channel] = values[channel];
  }
}

void pool_max(const Place& place, Range range, std::int8_t* output) {
  std::memcpy(output, place.values, place.depth);
  for (std::uint32_t y = 0; y < place.rows; ++y) {
    const std::int8_t* values = place.values + y * place.row_step;
    for (std::uint32_t x = 0; x < place.columns; ++x, values += place.depth) {
      if (x != 0 || y != 0) raise(values, place.depth, output);
    }
  }
  if (range.low == -128 && range.high == 127) return;
  for (std::uint32_t i = 0; i < place.depth; ++i) output[i] = within(output[i], range);
}

void pool_average(const Place& place, Range range, std::int8_t* output) {
  const auto count = static_cast<std::int32_t>(place.rows * place.columns);
  for (std::uint32_t channel = 0; channel < place.depth; ++channel) {
    std::int32_t sum = 0;
    for (std::uint32_t y = 0; y < place.rows; ++y) {
      const std::int8_t* value = place.values + y * place.row_step + channel;
      for (std::uint32_t x = 0; x < place.columns; ++x, value += place.depth) sum += *value;
    }
    // To the nearest, halves away from zero.
    const std::int32_t mean = sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
    output[channel] = within(mean, range);
  }
}

template <Pool kPool>
void run(const Operation& operation, const Memory& memory) {
  const auto& self = static_cast<const Pooling&>(operation);
  const Axis& rows = self.window.rows;
  const Axis& columns = self.window.columns;
  const std::uint32_t row_step = std::uint32_t{self.depth} * columns.input;
  const std::int8_t* image = memory.read(self.first);
  std::int8_t* output = memory.write(self.output);
  for (std::uint32_t batch = 0; batch < self.batches; ++batch) {
    for (std::uint32_t row = 0; row < rows.output; ++row) {
      const Taps down = taps(rows, row);
      for (std::uint32_t column = 0; column < columns.output; ++column) {
        const Taps across = taps(columns, column);
        const auto at = static_cast<std::uint32_t>(down.origin + down.first) * row_step +
                        static_cast<std::uint32_t>(across.origin + across.first) * self.depth;
        kPool(Place{image + at, static_cast<std::uint32_t>(down.end - down.first),
                    static_cast<std::uint32_t>(across.end - across.first), row_step, self.depth},
              self.range, output);
        output += self.depth;
      }
    }
    image += std::size_t{row_step} * rows.input;
  }
}

}  // namespace

EngineStatus build_pooling(Loader& loader, const Node& node) {
  Tensor input;
  Tensor output;
  SALUS_RETURN_UNLESS_OK(loader.activation(node, 0, input));
  SALUS_RETURN_UNLESS_OK(loader.output_activation(node, output));
  const WindowOptions options{loader.option<std::int8_t>(node, field::kPadding, 0),
                              loader.option<std::int32_t>(node, field::kStrideRows, 0),
                              loader.option<std::int32_t>(node, field::kStrideColumns, 0),
                              1,
                              1,
                              loader.option<std::int32_t>(node, field::kKernelRows, 0),
                              loader.option<std::int32_t>(node, field::kKernelColumns, 0)};
  Window window;
  SALUS_RETURN_UNLESS_OK(make_window(options, input, output, window));
  if (input.dims[3] != output.dims[3]) return EngineStatus::kMalformed;
  // A pool does not rescale; TFLM refuses it too.
  if (std::fabs(input.scale - output.scale) > 1.0e-6F || input.zero_point != output.zero_point) {
    return EngineStatus::kUnsupported;
  }
  Range range;
  SALUS_RETURN_UNLESS_OK(loader.range(loader.option<std::int8_t>(node, field::kActivation, 0), output, range));

  const bool largest = node.operation == Operator::kMaxPool;
  auto* made = loader.append<Pooling>(largest ? run<pool_max> : run<pool_average>, input, output);
  if (made == nullptr) return EngineStatus::kArenaTooSmall;
  made->window = window;
  made->batches = input.dims[0];
  made->depth = input.dims[3];
  made->range = range;
  return EngineStatus::kOk;
}

}  // namespace salus::portable
