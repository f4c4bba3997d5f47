// DEPTHWISE_CONV_2D: every channel has a window of its own; four neighbouring channels are summed at a time.
// These loops are where the time goes: fast even in a program that is built for size.
#if defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE_SIZE__)
#pragma GCC optimize("O2", "no-schedule-insns")
#endif

#include "engine/portable/channel.h"
#include "engine/portable/window.h"

namespace salus::portable {

namespace {

namespace field {
constexpr unsigned kPadding = 0, kStrideColumns = 1, kStrideRows = 2, kMultiplier = 3, kActivation = 4,
                   kDilationColumns = 5, kDilationRows = 6;
}

struct Depthwise : Operation {
  Window window;
  const Channel* channels;
  Operand bias;
  std::uint16_t batches;
  std::uint16_t depth;       // of the input
  std::uint16_t multiplier;  // output channels for each of the input
  std::int8_t input_zero_point;
  std::int8_t output_zero_point;
  Range range;
};

// One place of the window: its first tap inside, and how to go on from there.
struct Place {
  const std::int8_t* values;
  const std::int8_t* weights;
  std::uint32_t rows;
  std::uint32_t columns;
  std::uint32_t values_row_step, values_column_step;
  std::uint32_t weights_row_step, weights_column_step;
};

Place place_of(const Depthwise& self, const std::int8_t* image, const std::int8_t* weights, const Taps& down,
               const Taps& across) {
  const Axis& rows = self.window.rows;
  const Axis& columns = self.window.columns;
  const std::uint32_t filters = std::uint32_t{self.depth} * self.multiplier;
  const auto row = static_cast<std::uint32_t>(down.origin + down.first * rows.dilation);
  const auto column = static_cast<std::uint32_t>(across.origin + across.first * columns.dilation);
  const auto tap = static_cast<std::uint32_t>(down.first * columns.kernel + across.first);
  return Place{image + std::size_t{self.depth} * (row * columns.input + column),
               weights + std::size_t{filters} * tap,
               down.first < down.end ? static_cast<std::uint32_t>(down.end - down.first) : 0U,
               across.first < across.end ? static_cast<std::uint32_t>(across.end - across.first) : 0U,
               std::uint32_t{self.depth} * columns.input * rows.dilation,
               std::uint32_t{self.depth} * columns.dilation,
               filters * columns.kernel,
               filters};
}

std::int32_t sum_one(const Place& place, std::uint32_t input_channel, std::uint32_t channel, std::int32_t offset,
                     std::int32_t start) {
  auto sum = static_cast<std::uint32_t>(start);
  for (std::uint32_t y = 0; y < place.rows; ++y) {
    const std::int8_t* value = place.values + y * place.values_row_step + input_channel;
    const std::int8_t* weight = place.weights + y * place.weights_row_step + channel;
    for (std::uint32_t x = 0; x < place.columns; ++x) {
      sum += static_cast<std::uint32_t>((*value + offset) * *weight);
      value += place.values_column_step;
      weight += place.weights_column_step;
    }
  }
  return static_cast<std::int32_t>(sum);
}

#if SALUS_DSP
// Four channels that follow each other, from `channel` on.
void multiply_four(const Depthwise& self, const Place& place, std::uint32_t channel, const std::int8_t* bias,
                   std::int8_t* output) {
  const std::uint32_t offsets = (static_cast<std::uint32_t>(-self.input_zero_point) & 0xFFFFU) * 0x10001U;
  const std::uint32_t value_step = place.values_column_step;
  const std::uint32_t weight_step = place.weights_column_step;
  std::int32_t first = load_bias(bias);
  std::int32_t second = bias == nullptr ? 0 : load_bias(bias + 4);
  std::int32_t third = bias == nullptr ? 0 : load_bias(bias + 8);
  std::int32_t fourth = bias == nullptr ? 0 : load_bias(bias + 12);
  for (std::uint32_t y = 0; y < place.rows; ++y) {
    const std::int8_t* value = place.values + y * place.values_row_step + channel;
    const std::int8_t* weight = place.weights + y * place.weights_row_step + channel;
    for (std::uint32_t left = place.columns; left != 0; --left) {
      const std::uint32_t values = load_word(value);
      const std::uint32_t weights = load_word(weight);
      value += value_step;
      weight += weight_step;
      const std::uint32_t even = even_bytes_plus(offsets, values);
      const std::uint32_t even_weights = even_bytes(weights);
      first = multiply_low(even, even_weights, first);
      third = multiply_high_halves(even, even_weights, third);
      const std::uint32_t odd = odd_bytes_plus(offsets, values);
      const std::uint32_t odd_weights = odd_bytes(weights);
      second = multiply_low(odd, odd_weights, second);
      fourth = multiply_high_halves(odd, odd_weights, fourth);
    }
  }
  const Channel* const by = self.channels + channel;
  const std::int32_t zero_point = self.output_zero_point;
  output[channel] = static_cast<std::int8_t>(rescale(first, by[0], zero_point));
  output[channel + 1] = static_cast<std::int8_t>(rescale(second, by[1], zero_point));
  output[channel + 2] = static_cast<std::int8_t>(rescale(third, by[2], zero_point));
  output[channel + 3] = static_cast<std::int8_t>(rescale(fourth, by[3], zero_point));
}
#endif

// All channels at one place of the window.
void multiply_place(const Depthwise& self, const Place& place, const std::int8_t* bias, std::int8_t* output) {
  const std::uint32_t filters = std::uint32_t{self.depth} * self.multiplier;
  const std::uint32_t bias_step = bias == nullptr ? 0 : 4;
  std::uint32_t channel = 0;
#if SALUS_DSP
  for (; self.multiplier == 1 && channel + 4 <= filters; channel += 4) {
    multiply_four(self, place, channel, bias + channel * bias_step, output);
  }
#endif
  for (; channel < filters; ++channel) {
    const std::int32_t sum = sum_one(place, channel / self.multiplier, channel, -self.input_zero_point,
                                     load_bias(bias + channel * bias_step));
    output[channel] = static_cast<std::int8_t>(rescale(sum, self.channels[channel], self.output_zero_point));
  }
}

void run(const Operation& operation, const Memory& memory) {
  const auto& self = static_cast<const Depthwise&>(operation);
  const Axis& rows = self.window.rows;
  const Axis& columns = self.window.columns;
  const std::uint32_t filters = std::uint32_t{self.depth} * self.multiplier;
  const std::int8_t* const weights = memory.read(self.second);
  const std::int8_t* const bias = self.bias.space() == Operand::Space::kNone ? nullptr : memory.read(self.bias);
  const std::int8_t* image = memory.read(self.first);
  std::int8_t* output = memory.write(self.output);
  for (std::uint32_t batch = 0; batch < self.batches; ++batch) {
    for (std::uint32_t row = 0; row < rows.output; ++row) {
      const Taps down = taps(rows, row);
      for (std::uint32_t column = 0; column < columns.output; ++column) {
        multiply_place(self, place_of(self, image, weights, down, taps(columns, column)), bias, output);
        output += filters;
      }
    }
    image += std::size_t{self.depth} * rows.input * columns.input;
  }
  const std::uint32_t positions = std::uint32_t{self.batches} * rows.output * columns.output;
  narrow(memory.write(self.output), positions * filters, self.range);
}

}  // namespace

EngineStatus build_depthwise(Loader& loader, const Node& node) {
  Weighted parts;
  SALUS_RETURN_UNLESS_OK(read_weighted(loader, node, parts));
  const Tensor& weights = parts.weights;
  if (weights.rank != 4 || weights.dims[0] != 1) return EngineStatus::kMalformed;
  Window window;
  const WindowOptions options{loader.option<std::int8_t>(node, field::kPadding, 0),
                              loader.option<std::int32_t>(node, field::kStrideRows, 0),
                              loader.option<std::int32_t>(node, field::kStrideColumns, 0),
                              loader.option<std::int32_t>(node, field::kDilationRows, 1),
                              loader.option<std::int32_t>(node, field::kDilationColumns, 1),
                              weights.dims[1],
                              weights.dims[2]};
  SALUS_RETURN_UNLESS_OK(make_window(options, parts.input, parts.output, window));
  const auto multiplier = loader.option<std::int32_t>(node, field::kMultiplier, 0);
  if (multiplier <= 0 || multiplier > 0xFFFF) return EngineStatus::kMalformed;
  if (weights.dims[3] != std::uint32_t{parts.input.dims[3]} * static_cast<std::uint32_t>(multiplier) ||
      weights.dims[3] != parts.output.dims[3]) {
    return EngineStatus::kMalformed;
  }
  const std::uint32_t products = std::uint32_t{weights.dims[1]} * weights.dims[2];
  SALUS_RETURN_UNLESS_OK(read_channels(loader, node, 3, products, Product::kExact, parts));
  SALUS_RETURN_UNLESS_OK(
      loader.range(loader.option<std::int8_t>(node, field::kActivation, 0), parts.output, parts.range));

  auto* made = loader.append<Depthwise>(run, parts.input, parts.output);
  if (made == nullptr) return EngineStatus::kArenaTooSmall;
  made->second = loader.operand(weights);
  made->window = window;
  made->channels = parts.channels;
  made->bias = parts.bias;
  made->batches = parts.input.dims[0];
  made->depth = parts.input.dims[3];
  made->multiplier = static_cast<std::uint16_t>(multiplier);
  made->input_zero_point = static_cast<std::int8_t>(parts.input.zero_point);
  made->output_zero_point = static_cast<std::int8_t>(parts.output.zero_point);
  made->range = parts.range;
  return EngineStatus::kOk;
}

}  // namespace salus::portable
