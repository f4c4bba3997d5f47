// PAD with the zero point.
#include <cstring>

#include "engine/portable/loader.h"

namespace salus::portable {

namespace {

struct Pad : Operation {
  std::uint16_t dims[kMaxRank];  // of the input
  std::uint16_t output_dims[kMaxRank];
  std::uint16_t before[kMaxRank];
  std::uint32_t count;  // of outputs
  std::int8_t value;
};

void run(const Operation& operation, const Memory& memory) {
  const auto& self = static_cast<const Pad&>(operation);
  const std::int8_t* input = memory.read(self.first);
  std::int8_t* const output = memory.write(self.output);
  std::memset(output, self.value, self.count);
  std::uint32_t at[3] = {};
  for (at[0] = 0; at[0] < self.dims[0]; ++at[0]) {
    for (at[1] = 0; at[1] < self.dims[1]; ++at[1]) {
      for (at[2] = 0; at[2] < self.dims[2]; ++at[2]) {
        std::uint32_t to = 0;
        for (unsigned i = 0; i < 3; ++i) to = (to + at[i] + self.before[i]) * self.output_dims[i + 1];
        std::memcpy(output + to + self.before[3], input, self.dims[3]);
        input += self.dims[3];
      }
    }
  }
}

}  // namespace

EngineStatus build_pad(Loader& loader, const Node& node) {
  Tensor input;
  Tensor paddings;
  Tensor output;
  SALUS_RETURN_UNLESS_OK(loader.activation(node, 0, input));
  SALUS_RETURN_UNLESS_OK(loader.numbers(node, 1, paddings));
  SALUS_RETURN_UNLESS_OK(loader.output_activation(node, output));
  if (node.inputs.count > 2) return EngineStatus::kUnsupported;  // a value of its own
  if (output.rank != input.rank || paddings.elements != 2U * input.rank) return EngineStatus::kMalformed;

  auto* made = loader.append<Pad>(run, input, output);
  if (made == nullptr) return EngineStatus::kArenaTooSmall;
  const unsigned missing = kMaxRank - input.rank;
  for (unsigned i = 0; i < kMaxRank; ++i) made->dims[i] = made->output_dims[i] = 1;
  for (unsigned i = 0; i < input.rank; ++i) {
    const std::int64_t before = loader.number(paddings, 2 * i);
    const std::int64_t after = loader.number(paddings, 2 * i + 1);
    if (before < 0 || after < 0 || before + input.dims[i] + after != output.dims[i]) return EngineStatus::kMalformed;
    made->dims[i + missing] = input.dims[i];
    made->output_dims[i + missing] = output.dims[i];
    made->before[i + missing] = static_cast<std::uint16_t>(before);
  }
  made->count = output.elements;
  made->value = static_cast<std::int8_t>(output.zero_point);
  return EngineStatus::kOk;
}

}  // namespace salus::portable
