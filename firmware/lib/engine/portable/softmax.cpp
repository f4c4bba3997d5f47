// SOFTMAX over the last dimension, in fixed point.
#include <cmath>

#include "engine/portable/loader.h"

namespace salus::portable {

namespace {

constexpr unsigned kBetaField = 0;
constexpr int kDifferenceBits = 5;  // before the point
constexpr int kSumBits = 12;
constexpr std::uint32_t kMaxDepth = 511;  // a sum of more ones has bits that the last shift cannot take

struct Softmax : Operation {
  Multiplier scale;
  std::int32_t lowest;  // a difference from the largest that still counts
  std::uint32_t rows;
  std::uint32_t depth;
};

std::int32_t exp_of_difference(const Softmax& self, std::int32_t difference) {
  const std::int32_t scaled = multiply_high(shift_left(difference, self.scale.shift), self.scale.value);
  return exp_of_negative(scaled, kDifferenceBits);
}

int leading_zeros(std::uint32_t x) {
  int zeros = 0;
  for (; zeros < 32 && (x & 0x80000000U) == 0; x <<= 1) ++zeros;
  return zeros;
}

void run_row(const Softmax& self, const std::int8_t* input, std::int8_t* output) {
  std::int32_t largest = -128;
  for (std::uint32_t i = 0; i < self.depth; ++i) {
    if (input[i] > largest) largest = input[i];
  }
  std::int32_t sum = 0;
  for (std::uint32_t i = 0; i < self.depth; ++i) {
    const std::int32_t difference = input[i] - largest;
    if (difference < self.lowest) continue;
    sum = add_wrapping(sum, shift_right_rounding(exp_of_difference(self, difference), kSumBits));
  }
  // sum = 2^bits · (1 + fraction)
  const int zeros = leading_zeros(static_cast<std::uint32_t>(sum));
  const auto fraction = static_cast<std::int32_t>((static_cast<std::uint32_t>(sum) << zeros) - 0x80000000U);
  const std::int32_t reciprocal = one_over_one_plus(fraction);
  const int exponent = kSumBits - zeros + 31 - 8;
  for (std::uint32_t i = 0; i < self.depth; ++i) {
    const std::int32_t difference = input[i] - largest;
    if (difference < self.lowest) {
      output[i] = -128;
      continue;
    }
    const std::int32_t share = multiply_high(reciprocal, exp_of_difference(self, difference));
    output[i] = saturate_int8(shift_right_rounding(share, exponent) - 128);
  }
}

void run(const Operation& operation, const Memory& memory) {
  const auto& self = static_cast<const Softmax&>(operation);
  const std::int8_t* input = memory.read(self.first);
  std::int8_t* output = memory.write(self.output);
  for (std::uint32_t row = 0; row < self.rows; ++row) {
    run_row(self, input, output);
    input += self.depth;
    output += self.depth;
  }
}

}  // namespace

EngineStatus build_softmax(Loader& loader, const Node& node) {
  Tensor input;
  Tensor output;
  SALUS_RETURN_UNLESS_OK(loader.activation(node, 0, input));
  SALUS_RETURN_UNLESS_OK(loader.output_activation(node, output));
  if (input.rank == 0 || input.elements != output.elements || input.last_dim() != output.last_dim()) {
    return EngineStatus::kMalformed;
  }
  if (output.zero_point != -128 || output.scale != 1.0F / 256.0F) return EngineStatus::kUnsupported;
  if (input.last_dim() > kMaxDepth) return EngineStatus::kUnsupported;
  const auto beta = loader.option<float>(node, kBetaField, 0.0F);
  if (!std::isfinite(beta) || beta <= 0.0F) return EngineStatus::kUnsupported;
  // TFLM caps larger multipliers, and takes none below 1.
  const Multiplier scale = quantise(beta, input.scale, 1.0F, 31 - kDifferenceBits);
  if (scale.shift < 1 || scale.shift > 30) return EngineStatus::kUnsupported;

  auto* made = loader.append<Softmax>(run, input, output);
  if (made == nullptr) return EngineStatus::kArenaTooSmall;
  made->scale = scale;
  const std::int64_t reach = (std::int64_t{1} << kDifferenceBits) - 1;
  made->lowest = -static_cast<std::int32_t>((reach << (31 - kDifferenceBits)) >> scale.shift);
  made->depth = input.last_dim();
  made->rows = input.elements / made->depth;
  return EngineStatus::kOk;
}

}  // namespace salus::portable
