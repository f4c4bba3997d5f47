// LOGISTIC in fixed point.
#include "engine/portable/loader.h"

namespace salus::portable {

namespace {

constexpr int kIntegerBits = 4;
constexpr std::int32_t kOne = 0x7FFFFFFF;  // in units of 2^-31

struct Logistic : Operation {
  Multiplier scale;
  std::int32_t radius;  // from here on the result is 0 or 1
  std::uint32_t count;
  std::int8_t input_zero_point;
};

// In units of 2^-31, of a number with four bits before the point.
std::int32_t logistic(std::int32_t x) {
  if (x == 0) return std::int32_t{1} << 30;
  const std::int32_t of_magnitude = one_over_one_plus(exp_of_negative(x > 0 ? -x : x, kIntegerBits));
  return x > 0 ? of_magnitude : kOne - of_magnitude;
}

void run(const Operation& operation, const Memory& memory) {
  const auto& self = static_cast<const Logistic&>(operation);
  const std::int8_t* input = memory.read(self.first);
  std::int8_t* output = memory.write(self.output);
  for (std::uint32_t i = 0; i < self.count; ++i) {
    const std::int32_t value = input[i] - self.input_zero_point;
    if (value <= -self.radius) {
      output[i] = -128;
    } else if (value >= self.radius) {
      output[i] = 127;
    } else {
      output[i] = saturate_int8(shift_right_rounding(logistic(scale(value, self.scale)), 23) - 128);
    }
  }
}

}  // namespace

EngineStatus build_logistic(Loader& loader, const Node& node) {
  Tensor input;
  Tensor output;
  SALUS_RETURN_UNLESS_OK(loader.activation(node, 0, input));
  SALUS_RETURN_UNLESS_OK(loader.output_activation(node, output));
  if (input.elements != output.elements) return EngineStatus::kMalformed;
  if (output.zero_point != -128) return EngineStatus::kUnsupported;
  const Multiplier scale = quantise(input.scale, 1.0F, 1.0F, 31 - kIntegerBits);
  if (scale.shift < 0 || scale.shift > 30) return EngineStatus::kUnsupported;

  auto* made = loader.append<Logistic>(run, input, output);
  if (made == nullptr) return EngineStatus::kArenaTooSmall;
  made->scale = scale;
  const std::int64_t largest = (std::int64_t{1} << kIntegerBits) - 1;
  made->radius = static_cast<std::int32_t>((largest << (31 - kIntegerBits)) >> scale.shift);
  made->count = input.elements;
  made->input_zero_point = static_cast<std::int8_t>(input.zero_point);
  return EngineStatus::kOk;
}

}  // namespace salus::portable
