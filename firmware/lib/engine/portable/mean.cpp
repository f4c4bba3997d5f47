// MEAN over any dimensions: sums in the arena, then one rescaling that divides too.
#include <cstring>

#include "engine/portable/loader.h"

namespace salus::portable {

namespace {

struct Mean : Operation {
  std::uint16_t dims[kMaxRank];          // of the input
  std::uint32_t output_steps[kMaxRank];  // 0 where summed
  std::uint32_t count;                   // of outputs
  std::int32_t zero_points;              // the input's, as often as values are summed
  Multiplier scale;
  std::int8_t output_zero_point;
};

void sum(const Mean& self, const std::int8_t* input, std::int32_t* sums) {
  std::uint32_t at[kMaxRank] = {};
  const std::uint32_t step = self.output_steps[3];
  for (at[0] = 0; at[0] < self.dims[0]; ++at[0]) {
    for (at[1] = 0; at[1] < self.dims[1]; ++at[1]) {
      for (at[2] = 0; at[2] < self.dims[2]; ++at[2]) {
        std::int32_t* to = sums;
        for (unsigned i = 0; i < 3; ++i) to += at[i] * self.output_steps[i];
        for (std::uint32_t i = 0; i < self.dims[3]; ++i, to += step) *to += *input++;
      }
    }
  }
}

void run(const Operation& operation, const Memory& memory) {
  const auto& self = static_cast<const Mean&>(operation);
  auto* const sums = reinterpret_cast<std::int32_t*>(memory.write(self.scratch));
  std::memset(sums, 0, sizeof(*sums) * self.count);
  sum(self, memory.read(self.first), sums);
  std::int8_t* output = memory.write(self.output);
  for (std::uint32_t i = 0; i < self.count; ++i) {
    const std::int32_t scaled = scale(sums[i] - self.zero_points, self.scale);
    output[i] = saturate_int8(add_wrapping(scaled, self.output_zero_point));
  }
}

// A bit for each dimension that is summed; false when there is no such dimension.
bool read_axes(Loader& loader, const Tensor& axes, unsigned rank, unsigned& into) {
  into = 0;
  for (std::uint32_t i = 0; i < axes.elements; ++i) {
    std::int32_t axis = loader.number(axes, i);
    if (axis < 0) axis += static_cast<std::int32_t>(rank);
    if (axis < 0 || axis >= static_cast<std::int32_t>(rank)) return false;
    into |= 1U << axis;
  }
  return true;
}

// Dividing by the count is part of the multiplier, with as many bits as the shift leaves room for.
Multiplier divided(Multiplier multiplier, std::uint32_t count) {
  int bits = 0;
  while ((count >> bits) > 1) ++bits;
  if (bits > 31 + multiplier.shift) bits = 31 + multiplier.shift;
  multiplier.value = static_cast<std::int32_t>(divide(static_cast<std::uint64_t>(multiplier.value) << bits, count));
  multiplier.shift -= bits;
  return multiplier;
}

}  // namespace

EngineStatus build_mean(Loader& loader, const Node& node) {
  Tensor input;
  Tensor axes;
  Tensor output;
  SALUS_RETURN_UNLESS_OK(loader.activation(node, 0, input));
  SALUS_RETURN_UNLESS_OK(loader.numbers(node, 1, axes));
  SALUS_RETURN_UNLESS_OK(loader.output_activation(node, output));
  unsigned summed = 0;
  if (!read_axes(loader, axes, input.rank, summed)) return EngineStatus::kMalformed;
  const Multiplier multiplier = quantise(input.scale, 1.0F, output.scale);
  if (multiplier.shift > 30) return EngineStatus::kUnsupported;

  auto* made = loader.append<Mean>(run, input, output);
  if (made == nullptr) return EngineStatus::kArenaTooSmall;
  std::uint32_t outputs = 1;
  const unsigned missing = kMaxRank - input.rank;
  for (unsigned i = kMaxRank; i-- > 0;) {
    const bool there = i >= missing;
    made->dims[i] = there ? input.dims[i - missing] : std::uint16_t{1};
    if (!there || (summed >> (i - missing) & 1) != 0) continue;
    made->output_steps[i] = outputs;
    outputs *= made->dims[i];
  }
  if (outputs != output.elements) return EngineStatus::kMalformed;
  const std::uint32_t per_output = input.elements / outputs;
  made->count = outputs;
  made->zero_points = input.zero_point * static_cast<std::int32_t>(per_output);
  made->scale = divided(multiplier, per_output);
  made->output_zero_point = static_cast<std::int8_t>(output.zero_point);
  made->scratch = loader.scratch(sizeof(std::int32_t) * outputs);
  return EngineStatus::kOk;
}

}  // namespace salus::portable
