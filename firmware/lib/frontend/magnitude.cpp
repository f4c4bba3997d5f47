// `magnitude`: appends the Euclidean norm of each group of channels, which no turn of the sensor changes.
#include <cmath>

#include "frontend/blocks.h"

namespace salus::frontend {
namespace {

struct Group {
  std::uint8_t channels[FrontEnd::kMaxChannels] = {};
  std::uint8_t size = 0;
};

class Magnitude final : public RowBlock {
 public:
  Magnitude(Span<const Group> groups, std::size_t channels) : groups_(groups), channels_(channels) {}
  void step(const double* in, double* out) override {
    for (std::size_t i = 0; i < channels_; ++i) out[i] = in[i];
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      double sum = 0.0;
      for (std::size_t j = 0; j < groups_[i].size; ++j) {
        const double value = in[groups_[i].channels[j]];
        sum = sum + value * value;
      }
      out[channels_ + i] = std::sqrt(sum);
    }
  }

 private:
  Span<const Group> groups_;
  std::size_t channels_;
};

bool read_group(const Parameters& parameters, std::size_t at, std::size_t channels, Group& group) {
  double row[FrontEnd::kMaxChannels];
  std::size_t count = 0;
  if (!parameters.row("groups", at, row, count)) return false;
  for (std::size_t i = 0; i < count; ++i) {
    if (!(row[i] >= 0.0 && row[i] < static_cast<double>(channels)) || row[i] != std::floor(row[i])) return false;
    group.channels[i] = static_cast<std::uint8_t>(row[i]);
  }
  group.size = static_cast<std::uint8_t>(count);
  return true;
}

}  // namespace

RowBlock* make_magnitude(const Parameters& parameters, const Inlet& inlet, Memory& memory, Outlet& outlet) {
  static const char* const kNames[] = {"groups"};
  const std::size_t count = parameters.rows("groups");
  if (!parameters.are(kNames) || count == 0 || inlet.channels + count > FrontEnd::kMaxChannels) return nullptr;
  const Span<Group> groups = memory.array<Group>(count);
  if (memory.exhausted()) return nullptr;
  for (std::size_t i = 0; i < count; ++i) {
    if (!read_group(parameters, i, inlet.channels, groups[i])) return nullptr;
  }
  outlet.channels = inlet.channels + count;
  return memory.make<Magnitude>(groups, inlet.channels);
}

}  // namespace salus::frontend
