// ADD and MUL of two tensors; a dimension of one stretches to the other's.
#include "engine/portable/loader.h"

namespace salus::portable {

namespace {

constexpr unsigned kActivationField = 0;
constexpr int kHeadroom = 20;  // bits by which ADD shifts its inputs up before it scales them

struct Elementwise : Operation {
  std::uint16_t dims[kMaxRank];
  std::uint32_t first_steps[kMaxRank];  // 0 where the input is stretched
  std::uint32_t second_steps[kMaxRank];
  Multiplier first_scale;  // of ADD
  Multiplier second_scale;
  Multiplier output_scale;
  std::int8_t first_zero_point;
  std::int8_t second_zero_point;
  std::int8_t output_zero_point;
  Range range;
};

std::int32_t add(const Elementwise& self, std::int32_t a, std::int32_t b) {
  const std::int32_t first = scale(shift_left(a, kHeadroom), self.first_scale);
  const std::int32_t second = scale(shift_left(b, kHeadroom), self.second_scale);
  return scale(add_wrapping(first, second), self.output_scale);
}

std::int32_t multiply(const Elementwise& self, std::int32_t a, std::int32_t b) {
  return scale(a * b, self.output_scale);
}

using Combine = std::int32_t (*)(const Elementwise&, std::int32_t, std::int32_t);

template <Combine kCombine>
void run(const Operation& operation, const Memory& memory) {
  const auto& self = static_cast<const Elementwise&>(operation);
  const std::int8_t* const first = memory.read(self.first);
  const std::int8_t* const second = memory.read(self.second);
  std::int8_t* output = memory.write(self.output);
  std::uint32_t at[3] = {};
  for (at[0] = 0; at[0] < self.dims[0]; ++at[0]) {
    for (at[1] = 0; at[1] < self.dims[1]; ++at[1]) {
      for (at[2] = 0; at[2] < self.dims[2]; ++at[2]) {
        const std::int8_t* a = first;
        const std::int8_t* b = second;
        for (unsigned i = 0; i < 3; ++i) {
          a += at[i] * self.first_steps[i];
          b += at[i] * self.second_steps[i];
        }
        for (std::uint32_t i = 0; i < self.dims[3]; ++i) {
          const std::int32_t combined = kCombine(self, *a - self.first_zero_point, *b - self.second_zero_point);
          *output++ = within(add_wrapping(combined, self.output_zero_point), self.range);
          a += self.first_steps[3];
          b += self.second_steps[3];
        }
      }
    }
  }
}

// The dimension `at` of four, where missing ones in front are 1.
std::uint16_t dim(const Tensor& tensor, unsigned at) {
  const unsigned missing = kMaxRank - tensor.rank;
  return at < missing ? std::uint16_t{1} : tensor.dims[at - missing];
}

// How far the input moves for one step of the output in each dimension; false when it cannot be stretched to it.
bool find_steps(const Tensor& input, const Tensor& output, std::uint32_t (&steps)[kMaxRank]) {
  std::uint32_t step = 1;
  for (unsigned i = kMaxRank; i-- > 0;) {
    const std::uint16_t size = dim(input, i);
    if (size != 1 && size != dim(output, i)) return false;
    steps[i] = size == 1 ? 0 : step;
    step *= size;
  }
  return true;
}

EngineStatus set_scales(Operator operation, const Tensor& a, const Tensor& b, const Tensor& output, Elementwise& into) {
  if (operation == Operator::kMul) {
    into.output_scale = quantise(a.scale, b.scale, output.scale);
    return into.output_scale.shift <= 30 ? EngineStatus::kOk : EngineStatus::kUnsupported;
  }
  const float larger = a.scale > b.scale ? a.scale : b.scale;
  into.first_scale = quantise(a.scale, 1.0F, larger, -1);
  into.second_scale = quantise(b.scale, 1.0F, larger, -1);
  into.output_scale = quantise(larger, 1.0F, output.scale, 1 - kHeadroom);
  // TFLM takes only an output that is no finer than the shifted sum.
  return into.output_scale.shift <= 0 ? EngineStatus::kOk : EngineStatus::kUnsupported;
}

}  // namespace

EngineStatus build_elementwise(Loader& loader, const Node& node) {
  Tensor a;
  Tensor b;
  Tensor output;
  SALUS_RETURN_UNLESS_OK(loader.activation(node, 0, a));
  SALUS_RETURN_UNLESS_OK(loader.activation(node, 1, b));
  SALUS_RETURN_UNLESS_OK(loader.output_activation(node, output));
  Range range;
  SALUS_RETURN_UNLESS_OK(loader.range(loader.option<std::int8_t>(node, kActivationField, 0), output, range));

  const bool adds = node.operation == Operator::kAdd;
  auto* made = loader.append<Elementwise>(adds ? run<add> : run<multiply>, a, output);
  if (made == nullptr) return EngineStatus::kArenaTooSmall;
  made->second = loader.operand(b);
  for (unsigned i = 0; i < kMaxRank; ++i) {
    made->dims[i] = dim(output, i);
    if (dim(output, i) != dim(a, i) && dim(output, i) != dim(b, i)) return EngineStatus::kMalformed;
  }
  if (!find_steps(a, output, made->first_steps) || !find_steps(b, output, made->second_steps)) {
    return EngineStatus::kMalformed;
  }
  made->first_zero_point = static_cast<std::int8_t>(a.zero_point);
  made->second_zero_point = static_cast<std::int8_t>(b.zero_point);
  made->output_zero_point = static_cast<std::int8_t>(output.zero_point);
  made->range = range;
  return set_scales(node.operation, a, b, output, *made);
}

}  // namespace salus::portable
