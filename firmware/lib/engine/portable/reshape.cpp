// RESHAPE and EXPAND_DIMS: the same bytes under another shape, so nothing is done when the model runs.
#include "engine/portable/loader.h"

namespace salus::portable {

namespace {

// A dimension of one, put in at the place that the second input tells.
bool is_expanded(const Tensor& input, const Tensor& output, std::int32_t axis) {
  if (output.rank != input.rank + 1) return false;
  if (axis < 0) axis += output.rank;
  if (axis < 0 || axis >= output.rank) return false;
  for (std::int32_t i = 0; i < output.rank; ++i) {
    const std::uint16_t expected = i < axis ? input.dims[i] : i == axis ? std::uint16_t{1} : input.dims[i - 1];
    if (output.dims[i] != expected) return false;
  }
  return true;
}

}  // namespace

EngineStatus build_reshape(Loader& loader, const Node& node) {
  Tensor input;
  Tensor output;
  SALUS_RETURN_UNLESS_OK(loader.activation(node, 0, input));
  SALUS_RETURN_UNLESS_OK(loader.output_activation(node, output));
  if (input.elements != output.elements) return EngineStatus::kMalformed;
  if (node.operation == Operator::kReshape) return EngineStatus::kOk;
  Tensor axis;
  SALUS_RETURN_UNLESS_OK(loader.numbers(node, 1, axis));
  if (axis.elements != 1) return EngineStatus::kMalformed;
  return is_expanded(input, output, loader.number(axis, 0)) ? EngineStatus::kOk : EngineStatus::kMalformed;
}

}  // namespace salus::portable
