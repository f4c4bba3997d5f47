// `spectrum`: each channel of a window becomes its power on a logarithmic frequency axis, where another heart rate is a
// shift. Goertzel's recurrence (Amer. Math. Monthly 65, 1958) in single precision.
#include "frontend/blocks.h"
#include "frontend/exact.h"

namespace salus::frontend {
namespace {

constexpr std::size_t kMostBins = 512;

class Spectrum final : public WindowBlock {
 public:
  Spectrum(Span<const float> turn, double floor, const Inlet& inlet)
      : turn_(turn), floor_(floor), rows_(inlet.rows), channels_(inlet.channels) {}

  void apply(float* in, float* out) override {
    for (std::size_t channel = 0; channel < channels_; ++channel) {
      float largest = 0.0F;
      for (std::size_t bin = 0; bin < turn_.size(); ++bin) {
        const float power = power_at(in + channel, turn_[bin]);
        out[bin * channels_ + channel] = power;
        if (power > largest) largest = power;
      }
      for (std::size_t bin = 0; bin < turn_.size(); ++bin) {
        float& value = out[bin * channels_ + channel];
        const float share = largest > 0.0F ? value / largest : 0.0F;
        value = static_cast<float>(logarithm(static_cast<double>(share) + floor_));
      }
    }
  }

 private:
  [[nodiscard]] float power_at(const float* in, float turn) const {
    float one = 0.0F;
    float two = 0.0F;
    for (std::size_t row = 0; row < rows_; ++row) {
      const float now = (in[row * channels_] + turn * one) - two;
      two = one;
      one = now;
    }
    const float power = (one * one + two * two) - (turn * one) * two;
    return power > 0.0F ? power : 0.0F;
  }

  Span<const float> turn_;  // 2 cos of the angle per sample
  double floor_;
  std::size_t rows_;
  std::size_t channels_;
};

}  // namespace

WindowBlock* make_spectrum(const Parameters& parameters, const Inlet& inlet, Memory& memory, Outlet& outlet) {
  static const char* const kNames[] = {"low_hz", "per_octave", "bins", "floor"};
  double frequency = 0.0;
  double per_octave = 0.0;
  double floor = 0.0;
  if (!parameters.are(kNames) || !parameters.whole("bins", 1, kMostBins, outlet.rows)) return nullptr;
  if (!parameters.number("low_hz", 1e-3, 1e4, frequency)) return nullptr;
  if (!parameters.number("per_octave", 1.0, 1000.0, per_octave)) return nullptr;
  if (!parameters.number("floor", 1e-6, 1.0, floor)) return nullptr;
  const Span<float> turn = memory.array<float>(outlet.rows);
  if (memory.exhausted()) return nullptr;
  const double step = exponential(kLn2 / per_octave);
  for (std::size_t bin = 0; bin < turn.size(); ++bin) {
    if (bin > 0) frequency = frequency * step;
    if (!(frequency < inlet.rate_hz / 2.0)) return nullptr;
    turn[bin] = static_cast<float>(2.0 * cosine(2.0 * kPi * frequency / inlet.rate_hz));
  }
  return memory.make<Spectrum>(turn, floor, inlet);
}

}  // namespace salus::frontend
