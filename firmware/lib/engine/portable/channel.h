// From a sum of products to an int8 value: one multiplier for each output channel.
#pragma once

#include <cstdint>

#include "engine/portable/dsp.h"
#include "engine/portable/fixed_point.h"
#include "engine/portable/loader.h"

namespace salus::portable {

// `shift` ≥ 0: the usual case. The sum is below 2^29 and the multiplier below 1/2, so that no intermediate value
// overflows and `shift` + 1 bits are shifted out. Negative: the multiplier's own shift, less kAnyShift.
struct Channel {
  static constexpr std::int32_t kAnyShift = 1000;

  std::int32_t value;
  std::int32_t shift;
};

[[nodiscard]] std::int32_t rescale_any(std::int32_t sum, const Channel& by);

// A sum to an int8 value of the output's zero point; its range is still the whole of int8.
// What rounding away from zero needs two cases for is one here: a negative number is first lowered by one.
inline std::int32_t rescale(std::int32_t sum, const Channel& by, std::int32_t zero_point) {
#if SALUS_DSP
  if (by.shift < 0) return saturate_byte(add_wrapping(rescale_any(sum, by), zero_point));
  const std::int32_t high = multiply_rounding(sum * 2, by.value);
  return saturate_byte(zero_point + ((((high + (high < 0 ? -1 : 0)) >> by.shift) + 1) >> 1));
#else
  if (by.shift < 0) return clamp(add_wrapping(rescale_any(sum, by), zero_point), -128, 127);
  const auto high = static_cast<std::int32_t>((std::int64_t{sum} * by.value + (std::int64_t{1} << 30)) >> 31);
  return clamp(zero_point + ((((high + (high < 0 ? -1 : 0)) >> by.shift) + 1) >> 1), -128, 127);
#endif
}

// The bias of the channel that `bias` has come to, 0 without one; any alignment.
inline std::int32_t load_bias(const std::int8_t* bias) {
  return bias == nullptr ? 0 : static_cast<std::int32_t>(load_word(bias));
}

// Weights, bias and output of a node that multiplies: CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED.
struct Weighted {
  Tensor input;
  Tensor weights;
  Tensor output;
  Operand bias;  // kNone without one
  const Channel* channels = nullptr;
  Range range;
};

// How the scales of a node combine. TFLM multiplies those of a dense layer without per-channel weights in float.
enum class Product : std::uint8_t { kExact, kFloatIfSingle };

// Read the three tensors of `node`; its weights are int8 constants.
[[nodiscard]] EngineStatus read_weighted(Loader& loader, const Node& node, Weighted& into);

// Make the channels' table. `dimension` of the weights counts output channels, `products` are summed for each value.
[[nodiscard]] EngineStatus read_channels(Loader& loader, const Node& node, unsigned dimension, std::uint32_t products,
                                         Product product, Weighted& into);

// Narrow values to `range`, after they were saturated: most activations reach to the end of int8, and cost nothing.
void narrow(std::int8_t* values, std::uint32_t count, Range range);

}  // namespace salus::portable
