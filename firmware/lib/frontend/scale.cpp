// `scale`: (x - offset) * gain, channel by channel; standardisation is this block.
#include "frontend/blocks.h"

namespace salus::frontend {
namespace {

class Scale final : public RowBlock {
 public:
  Scale(Span<const double> offset, Span<const double> gain) : offset_(offset), gain_(gain) {}
  void step(const double* in, double* out) override {
    for (std::size_t i = 0; i < gain_.size(); ++i) out[i] = (in[i] - offset_[i]) * gain_[i];
  }

 private:
  Span<const double> offset_;
  Span<const double> gain_;
};

}  // namespace

RowBlock* make_scale(const Parameters& parameters, const Inlet& inlet, Memory& memory, Outlet&) {
  static const char* const kNames[] = {"offset", "gain"};
  const Span<double> offset = memory.array<double>(inlet.channels);
  const Span<double> gain = memory.array<double>(inlet.channels);
  if (memory.exhausted() || !parameters.are(kNames)) return nullptr;
  if (!parameters.numbers("offset", offset) || !parameters.numbers("gain", gain)) return nullptr;
  return memory.make<Scale>(offset, gain);
}

}  // namespace salus::frontend
