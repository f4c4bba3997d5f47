// FULLY_CONNECTED: each row of the input by all weights.
#include "engine/portable/product.h"

namespace salus::portable {

namespace {

namespace field {
constexpr unsigned kActivation = 0, kWeightsFormat = 1;
}

struct FullyConnected : Operation {
  const Channel* channels;
  Operand bias;
  std::uint32_t length;
  std::uint32_t batches;
  std::uint16_t units;
  std::int8_t input_zero_point;
  std::int8_t output_zero_point;
  Range range;
};

void run(const Operation& operation, const Memory& memory) {
  const auto& self = static_cast<const FullyConnected&>(operation);
  const Rows weights{memory.read(self.second),
                     self.bias.space() == Operand::Space::kNone ? nullptr : memory.read(self.bias),
                     self.channels,
                     self.units,
                     self.length,
                     self.output_zero_point};
  const std::int8_t* input = memory.read(self.first);
  std::int8_t* output = memory.write(self.output);
  for (std::uint32_t i = 0; i < self.batches; ++i) {
    multiply_one(input, -self.input_zero_point, weights, output);
    input += self.length;
    output += self.units;
  }
  narrow(memory.write(self.output), self.batches * self.units, self.range);
}

}  // namespace

EngineStatus build_fully_connected(Loader& loader, const Node& node) {
  Weighted parts;
  SALUS_RETURN_UNLESS_OK(read_weighted(loader, node, parts));
  if (parts.weights.rank != 2) return EngineStatus::kMalformed;
  const std::uint32_t units = parts.weights.dims[0];
  const std::uint32_t length = parts.weights.dims[1];
  if (loader.option<std::int8_t>(node, field::kWeightsFormat, 0) != 0) return EngineStatus::kUnsupported;
  if (parts.input.elements % length != 0 || parts.output.last_dim() != units) return EngineStatus::kMalformed;
  const std::uint32_t batches = parts.input.elements / length;
  if (parts.output.elements != batches * units) return EngineStatus::kMalformed;
  SALUS_RETURN_UNLESS_OK(read_channels(loader, node, 0, length, Product::kFloatIfSingle, parts));
  SALUS_RETURN_UNLESS_OK(
      loader.range(loader.option<std::int8_t>(node, field::kActivation, 0), parts.output, parts.range));

  auto* made = loader.append<FullyConnected>(run, parts.input, parts.output);
  if (made == nullptr) return EngineStatus::kArenaTooSmall;
  made->second = loader.operand(parts.weights);
  made->channels = parts.channels;
  made->bias = parts.bias;
  made->length = length;
  made->batches = batches;
  made->units = static_cast<std::uint16_t>(units);
  made->input_zero_point = static_cast<std::int8_t>(parts.input.zero_point);
  made->output_zero_point = static_cast<std::int8_t>(parts.output.zero_point);
  made->range = parts.range;
  return EngineStatus::kOk;
}

}  // namespace salus::portable
