// RELU, RELU6 and QUANTIZE: each value on its own, rescaled or clipped.
#include <cmath>

#include "engine/portable/loader.h"

namespace salus::portable {

namespace {

struct Rescale : Operation {
  Multiplier scale;
  std::uint32_t count;
  std::int8_t input_zero_point;
  std::int8_t output_zero_point;
  Range range;
};

void run_rescale(const Operation& operation, const Memory& memory) {
  const auto& self = static_cast<const Rescale&>(operation);
  const std::int8_t* input = memory.read(self.first);
  std::int8_t* output = memory.write(self.output);
  for (std::uint32_t i = 0; i < self.count; ++i) {
    const std::int32_t scaled = scale(input[i] - self.input_zero_point, self.scale);
    output[i] = within(add_wrapping(scaled, self.output_zero_point), self.range);
  }
}

void run_clip(const Operation& operation, const Memory& memory) {
  const auto& self = static_cast<const Rescale&>(operation);
  const std::int8_t* input = memory.read(self.first);
  std::int8_t* output = memory.write(self.output);
  for (std::uint32_t i = 0; i < self.count; ++i) output[i] = within(input[i], self.range);
}

}  // namespace

EngineStatus build_activation(Loader& loader, const Node& node) {
  Tensor input;
  Tensor output;
  SALUS_RETURN_UNLESS_OK(loader.activation(node, 0, input));
  SALUS_RETURN_UNLESS_OK(loader.output_activation(node, output));
  if (input.elements != output.elements) return EngineStatus::kMalformed;
  Range range;
  const bool clips = node.operation == Operator::kRelu6;
  if (clips) {
    // RELU6 keeps the values as they are, in the input's units.
    SALUS_RETURN_UNLESS_OK(loader.range(static_cast<std::int8_t>(Activation::kRelu6), input, range));
  } else if (node.operation == Operator::kRelu) {
    SALUS_RETURN_UNLESS_OK(loader.range(static_cast<std::int8_t>(Activation::kRelu), output, range));
  }
  // RELU rescales with the quotient in float, QUANTIZE exactly: so TFLM does.
  const bool in_float = node.operation == Operator::kRelu;
  const float quotient = input.scale / output.scale;
  if (!std::isfinite(quotient)) return EngineStatus::kUnsupported;
  const Multiplier scale = in_float ? quantise(quotient, 1.0F, 1.0F) : quantise(input.scale, 1.0F, output.scale);
  if (scale.shift > 22) return EngineStatus::kUnsupported;  // the shifted value would not fit

  auto* made = loader.append<Rescale>(clips ? run_clip : run_rescale, input, output);
  if (made == nullptr) return EngineStatus::kArenaTooSmall;
  made->scale = scale;
  made->count = input.elements;
  made->input_zero_point = static_cast<std::int8_t>(input.zero_point);
  made->output_zero_point = static_cast<std::int8_t>(output.zero_point);
  made->range = range;
  return EngineStatus::kOk;
}

}  // namespace salus::portable
