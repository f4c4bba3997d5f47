// What the intervals around a beat say, as int16: logarithms of ratios, so that no heart rate is the norm.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/span.h"

namespace salus::frontend {

constexpr std::size_t kRhythmValues = 17;
constexpr std::size_t kRhythmMemory = 256;  // intervals

// Intervals by the number of the beat that ends them, from 1 on.
class Intervals {
 public:
  static constexpr std::size_t kRoom = kRhythmMemory + 32;  // and those of beats that have not come out yet

  explicit Intervals(Span<std::uint16_t> ring) : ring_(ring) {}
  [[nodiscard]] std::uint16_t& operator[](std::size_t beat) const { return ring_[beat % ring_.size()]; }

 private:
  Span<std::uint16_t> ring_;
};

// Of beat `beat`, of which the next `following` (at most 2) are known; an unknown one counts as the median.
void rhythm_features(const Intervals& intervals, std::size_t beat, std::size_t following, double rate_hz,
                     std::int16_t (&out)[kRhythmValues]);

}  // namespace salus::frontend
