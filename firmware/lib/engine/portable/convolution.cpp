// CONV_2D: the values under the window become a column, two columns at a time are multiplied by all weights.
#include <cstring>

#include "engine/portable/product.h"
#include "engine/portable/window.h"

namespace salus::portable {

namespace {

namespace field {
constexpr unsigned kPadding = 0, kStrideColumns = 1, kStrideRows = 2, kActivation = 3, kDilationColumns = 4,
                   kDilationRows = 5;
}

struct Convolution : Operation {
  Window window;
  const Channel* channels;
  Operand bias;
  std::uint32_t patch;  // values under the window
  std::uint16_t batches;
  std::uint16_t depth;  // of the input
  std::uint16_t filters;
  std::int8_t input_zero_point;
  std::int8_t output_zero_point;
  Range range;
  bool whole;  // a window that lies inside the input is in one piece
};

// Copy a window that is not in one piece; taps in the padding count as zero, which is the zero point.
void gather(const Convolution& self, const std::int8_t* image, std::uint32_t row, std::uint32_t column,
            std::int8_t* patch) {
  const Axis& rows = self.window.rows;
  const Axis& columns = self.window.columns;
  const Taps down = taps(rows, row);
  const Taps across = taps(columns, column);
  std::memset(patch, self.input_zero_point, self.patch);
  for (std::int32_t y = down.first; y < down.end; ++y) {
    const std::int8_t* line =
        image + std::size_t{self.depth} * columns.input * static_cast<std::uint32_t>(down.origin + y * rows.dilation);
    const std::int32_t step = columns.dilation == 1 ? across.end - across.first : 1;  // taps that lie side by side
    for (std::int32_t x = across.first; x < across.end; x += step) {
      std::memcpy(patch + std::size_t{self.depth} * static_cast<std::uint32_t>(y * columns.kernel + x),
                  line + std::size_t{self.depth} * static_cast<std::uint32_t>(across.origin + x * columns.dilation),
                  std::size_t{self.depth} * static_cast<std::uint32_t>(step));
    }
  }
}

void run(const Operation& operation, const Memory& memory) {
  const auto& self = static_cast<const Convolution&>(operation);
  const Axis& rows = self.window.rows;
  const Axis& columns = self.window.columns;
  auto* const scratch = reinterpret_cast<std::int16_t*>(memory.write(self.scratch));
  auto* const gathered = memory.write(self.scratch) + columns_bytes(self.patch);
  const Rows weights{memory.read(self.second),
                     self.bias.space() == Operand::Space::kNone ? nullptr : memory.read(self.bias),
                     self.channels,
                     self.filters,
                     self.patch,
                     self.output_zero_point};
  const std::int8_t* image = memory.read(self.first);
  std::int8_t* output = memory.write(self.output);
  std::uint32_t left = std::uint32_t{self.batches} * rows.output * columns.output;
  unsigned waiting = 0;
  for (std::uint32_t batch = 0; batch < self.batches; ++batch) {
    for (std::uint32_t row = 0; row < rows.output; ++row) {
      for (std::uint32_t column = 0; column < columns.output; ++column) {
        const std::int8_t* values = gathered;
        const std::int32_t origin = static_cast<std::int32_t>(column * columns.stride) - columns.padding;
        if (self.whole && origin >= 0 && origin + columns.kernel <= columns.input) {
          const std::uint32_t at = row * rows.stride * columns.input + static_cast<std::uint32_t>(origin);
          values = image + std::size_t{self.depth} * at;
        } else {
          gather(self, image, row, column, gathered);
        }
        --left;
        if (self.filters == 1 || (left == 0 && waiting == 0)) {
          multiply_one(values, -self.input_zero_point, weights, output);
          output += self.filters;
          continue;
        }
        fill_column(values, self.patch, -self.input_zero_point, waiting, scratch);
        if (++waiting < 2) continue;
        multiply_two(scratch, weights, output);
        output += std::size_t{2} * self.filters;
        waiting = 0;
      }
    }
    image += std::size_t{self.depth} * rows.input * columns.input;
  }
  const std::uint32_t positions = std::uint32_t{self.batches} * rows.output * columns.output;
  narrow(memory.write(self.output), positions * self.filters, self.range);
}

}  // namespace

EngineStatus build_convolution(Loader& loader, const Node& node) {
  Weighted parts;
  SALUS_RETURN_UNLESS_OK(read_weighted(loader, node, parts));
  const Tensor& weights = parts.weights;
  if (weights.rank != 4) return EngineStatus::kMalformed;
  Window window;
  const WindowOptions options{loader.option<std::int8_t>(node, field::kPadding, 0),
                              loader.option<std::int32_t>(node, field::kStrideRows, 0),
                              loader.option<std::int32_t>(node, field::kStrideColumns, 0),
                              loader.option<std::int32_t>(node, field::kDilationRows, 1),
                              loader.option<std::int32_t>(node, field::kDilationColumns, 1),
                              weights.dims[1],
                              weights.dims[2]};
  SALUS_RETURN_UNLESS_OK(make_window(options, parts.input, parts.output, window));
  if (parts.output.dims[3] != weights.dims[0]) return EngineStatus::kMalformed;
  if (parts.input.dims[3] != weights.dims[3]) return EngineStatus::kUnsupported;  // groups
  const std::uint32_t patch = weights.elements / weights.dims[0];
  SALUS_RETURN_UNLESS_OK(read_channels(loader, node, 0, patch, Product::kExact, parts));
  SALUS_RETURN_UNLESS_OK(
      loader.range(loader.option<std::int8_t>(node, field::kActivation, 0), parts.output, parts.range));

  auto* made = loader.append<Convolution>(run, parts.input, parts.output);
  if (made == nullptr) return EngineStatus::kArenaTooSmall;
  made->second = loader.operand(weights);
  made->window = window;
  made->channels = parts.channels;
  made->bias = parts.bias;
  made->patch = patch;
  made->batches = parts.input.dims[0];
  made->depth = parts.input.dims[3];
  made->filters = parts.output.dims[3];
  made->input_zero_point = static_cast<std::int8_t>(parts.input.zero_point);
  made->output_zero_point = static_cast<std::int8_t>(parts.output.zero_point);
  made->range = parts.range;
  made->whole = window.columns.dilation == 1 && window.rows.kernel == 1;
  const bool gathers = !made->whole || static_cast<Padding>(options.padding) == Padding::kSame;
  made->scratch = loader.scratch(columns_bytes(patch) + (gathers ? patch : 0));
  return EngineStatus::kOk;
}

}  // namespace salus::portable
