// CONCATENATION: one copy for each input.
#include <cstring>

#include "engine/portable/loader.h"

namespace salus::portable {

namespace {

namespace field {
constexpr unsigned kAxis = 0, kActivation = 1;
}

struct Copy : Operation {
  std::uint32_t pieces;
  std::uint32_t piece_bytes;   // of the input
  std::uint32_t output_bytes;  // from one piece to the next
  std::uint32_t output_at;     // of the first piece
};

void run(const Operation& operation, const Memory& memory) {
  const auto& self = static_cast<const Copy&>(operation);
  const std::int8_t* from = memory.read(self.first);
  std::int8_t* to = memory.write(self.output) + self.output_at;
  for (std::uint32_t i = 0; i < self.pieces; ++i) {
    std::memcpy(to, from, self.piece_bytes);
    from += self.piece_bytes;
    to += self.output_bytes;
  }
}

// Every dimension but `axis` is the output's.
bool fits(const Tensor& input, const Tensor& output, std::uint32_t axis) {
  if (input.rank != output.rank) return false;
  for (std::uint32_t i = 0; i < output.rank; ++i) {
    if (i != axis && input.dims[i] != output.dims[i]) return false;
  }
  return true;
}

}  // namespace

EngineStatus build_concatenation(Loader& loader, const Node& node) {
  Tensor output;
  SALUS_RETURN_UNLESS_OK(loader.output_activation(node, output));
  if (loader.option<std::int8_t>(node, field::kActivation, 0) != 0) return EngineStatus::kUnsupported;
  auto axis = loader.option<std::int32_t>(node, field::kAxis, 0);
  if (axis < 0) axis += output.rank;
  if (axis < 0 || axis >= output.rank) return EngineStatus::kMalformed;
  const auto along = static_cast<std::uint32_t>(axis);
  std::uint32_t pieces = 1;
  for (std::uint32_t i = 0; i < along; ++i) pieces *= output.dims[i];
  const std::uint32_t output_bytes = output.elements / pieces;

  std::uint32_t filled = 0;
  for (std::uint32_t i = 0; i < node.inputs.count; ++i) {
    Tensor input;
    SALUS_RETURN_UNLESS_OK(loader.activation(node, i, input));
    if (!fits(input, output, along)) return EngineStatus::kMalformed;
    // A concatenation does not rescale; TFLM refuses it too.
    if (input.zero_point != output.zero_point || input.scale != output.scale) return EngineStatus::kUnsupported;
    const std::uint32_t piece_bytes = input.elements / pieces;
    if (piece_bytes > output_bytes - filled) return EngineStatus::kMalformed;
    auto* made = loader.append<Copy>(run, input, output);
    if (made == nullptr) return EngineStatus::kArenaTooSmall;
    made->pieces = pieces;
    made->piece_bytes = piece_bytes;
    made->output_bytes = output_bytes;
    made->output_at = filled;
    filled += piece_bytes;
  }
  return filled == output_bytes ? EngineStatus::kOk : EngineStatus::kMalformed;
}

}  // namespace salus::portable
