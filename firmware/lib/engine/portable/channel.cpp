#include "engine/portable/channel.h"

namespace salus::portable {

namespace {

constexpr std::int64_t kSafeSum = std::int64_t{1} << 29;
constexpr std::int64_t kLargestProduct = 128 * 255;

EngineStatus read_channel(Loader& loader, const Weighted& node, std::uint32_t at, std::uint32_t products,
                          Product product, const Tensor* bias, Channel& into) {
  const std::uint32_t scale_at = node.weights.scales.count == 1 ? 0 : at;
  const auto weight_scale = loader.buffer().item<float>(node.weights.scales, scale_at);
  const bool in_float = product == Product::kFloatIfSingle && node.weights.scales.count == 1;
  const float scale = in_float ? node.input.scale * weight_scale : node.input.scale;
  const Multiplier multiplier = quantise(scale, in_float ? 1.0F : weight_scale, node.output.scale);
  if (multiplier.shift > 30) return EngineStatus::kUnsupported;
  const std::int64_t start = bias == nullptr ? 0 : loader.number(*bias, at);
  const bool safe = (start < 0 ? -start : start) + products * kLargestProduct < kSafeSum;
  into.value = multiplier.value;
  into.shift = safe && multiplier.shift < 0 ? -multiplier.shift - 1 : multiplier.shift - Channel::kAnyShift;
  return EngineStatus::kOk;
}

}  // namespace

EngineStatus read_weighted(Loader& loader, const Node& node, Weighted& into) {
  SALUS_RETURN_UNLESS_OK(loader.activation(node, 0, into.input));
  SALUS_RETURN_UNLESS_OK(loader.input(node, 1, into.weights));
  SALUS_RETURN_UNLESS_OK(loader.output_activation(node, into.output));
  if (!into.weights.constant() || into.weights.type != Type::kInt8) return EngineStatus::kUnsupported;
  return into.weights.zero_point == 0 ? EngineStatus::kOk : EngineStatus::kUnsupported;
}

EngineStatus read_channels(Loader& loader, const Node& node, unsigned dimension, std::uint32_t products,
                           Product product, Weighted& into) {
  const std::uint32_t count = into.weights.dims[dimension];
  const std::uint32_t scales = into.weights.scales.count;
  if (scales != 1 && scales != count) return EngineStatus::kMalformed;
  if (scales != 1 && into.weights.scaled_dimension != static_cast<std::int32_t>(dimension)) {
    return EngineStatus::kUnsupported;
  }
  Tensor bias;
  const bool biased = loader.has_input(node, 2);
  if (biased) {
    SALUS_RETURN_UNLESS_OK(loader.numbers(node, 2, bias));
    if (bias.elements != count) return EngineStatus::kMalformed;
    into.bias = Operand(Operand::Space::kModel, bias.data_at);
  }
  auto* channels = loader.table<Channel>(count);
  if (channels == nullptr) return EngineStatus::kArenaTooSmall;
  for (std::uint32_t i = 0; i < count; ++i) {
    SALUS_RETURN_UNLESS_OK(read_channel(loader, into, i, products, product, biased ? &bias : nullptr, channels[i]));
  }
  into.channels = channels;
  return EngineStatus::kOk;
}

std::int32_t rescale_any(std::int32_t sum, const Channel& by) {
  return scale(sum, Multiplier{by.value, by.shift + Channel::kAnyShift});
}

void narrow(std::int8_t* values, std::uint32_t count, Range range) {
  if (range.low == -128 && range.high == 127) return;
  for (std::uint32_t i = 0; i < count; ++i) values[i] = within(values[i], range);
}

}  // namespace salus::portable
