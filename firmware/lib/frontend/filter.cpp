// `filter`: a causal IIR filter in second-order sections, direct form II transposed, one state per channel.
// In double: a high-pass of 0.5 Hz at 360 Hz has its poles within 1 % of the unit circle.
#include <cmath>

#include "frontend/blocks.h"

namespace salus::frontend {
namespace {

struct Section {
  double b0 = 0.0, b1 = 0.0, b2 = 0.0, a1 = 0.0, a2 = 0.0;
};

struct Delay {
  double z1 = 0.0, z2 = 0.0;
};

class Filter final : public RowBlock {
 public:
  Filter(Span<Section> sections, Span<Delay> delays, std::size_t channels)
      : sections_(sections), delays_(delays), channels_(channels) {}

  void step(const double* in, double* out) override {
    for (std::size_t channel = 0; channel < channels_; ++channel) {
      double x = in[channel];
      for (std::size_t i = 0; i < sections_.size(); ++i) {
        const Section& section = sections_[i];
        Delay& delay = delays_[i * channels_ + channel];
        const double y = section.b0 * x + delay.z1;
        delay.z1 = section.b1 * x - section.a1 * y + delay.z2;
        delay.z2 = section.b2 * x - section.a2 * y;
        x = y;
      }
      out[channel] = x;
    }
  }

  void renew() override {
    for (Delay& delay : delays_) delay = Delay();
  }

 private:
  Span<Section> sections_;
  Span<Delay> delays_;
  std::size_t channels_;
};

bool read_section(const Parameters& parameters, std::size_t at, Section& section) {
  double row[6];
  std::size_t count = 0;
  if (!parameters.row("sos", at, row, count) || count != 6 || row[3] == 0.0) return false;
  section = {row[0] / row[3], row[1] / row[3], row[2] / row[3], row[4] / row[3], row[5] / row[3]};
  // The triangle in which both poles lie inside the unit circle.
  return std::fabs(section.a2) < 1.0 && std::fabs(section.a1) < 1.0 + section.a2;
}

}  // namespace

RowBlock* make_filter(const Parameters& parameters, const Inlet& inlet, Memory& memory, Outlet&) {
  static const char* const kNames[] = {"sos"};
  const std::size_t count = parameters.rows("sos");
  if (!parameters.are(kNames) || count == 0) return nullptr;
  const Span<Section> sections = memory.array<Section>(count);
  const Span<Delay> delays = memory.array<Delay>(count * inlet.channels);
  if (memory.exhausted()) return nullptr;
  for (std::size_t i = 0; i < count; ++i) {
    if (!read_section(parameters, i, sections[i])) return nullptr;
  }
  return memory.make<Filter>(sections, delays, inlet.channels);
}

}  // namespace salus::frontend
