// The patient's own slow beat: it moves to each beat by a clipped step, so that a run of odd beats hardly moves it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/span.h"
#include "frontend/detector.h"

namespace salus::frontend {

class Template {
 public:
  explicit Template(Span<float> values) : values_(values) {}

  // The window (rows, 2) of the beat whose samples begin at `first`: it, and its difference from the template, both
  // over 0.35 of the template's height. Then the template moves: at most by its height over 4 times the number of
  // beats, later over 256, a median's pace.
  void step(const History& samples, std::int64_t first, float* window);

 private:
  Span<float> values_;
  std::size_t count_ = 0;  // at most 64
};

}  // namespace salus::frontend
