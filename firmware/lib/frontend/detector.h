// Where the heart beats: slopes squared and summed over 0.1 s, their peaks against levels of beats and of noise.
// After Pan and Tompkins, "A Real-Time QRS Detection Algorithm", IEEE TBME 32(3), 1985: two running levels, search
// back, the test for T waves. Single precision, in a fixed order of operations.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/span.h"
#include "frontend/memory.h"

namespace salus::frontend {

// The last samples of a signal by their numbers.
class History {
 public:
  History() = default;
  explicit History(Span<float> ring) : ring_(ring) {}
  [[nodiscard]] float& operator[](std::int64_t index) const {
    return ring_[static_cast<std::size_t>(index) % ring_.size()];
  }
  [[nodiscard]] std::size_t size() const { return ring_.size(); }

 private:
  Span<float> ring_;
};

// Sample numbers: of the R peak, and `at` which it was found.
struct Beat {
  std::int64_t peak = 0;
  std::int64_t at = 0;
};

class Detector {
 public:
  // `samples` holds at least `span_needed` of the last ones. Uses up memory where there is any.
  Detector(double rate_hz, double threshold, const History& samples, Memory& memory);

  // Take notice of the sample `index`, which is in the history. At most two beats are found by one sample.
  [[nodiscard]] std::size_t step(std::int64_t index, Beat (&found)[2]);
  void renew() { *this = Detector(*this, Fresh()); }

 private:
  // A local maximum of the summed slopes at sample `place`.
  struct Candidate {
    std::int64_t place = 0;
    float strength = 0.0F;
    std::int64_t peak = 0;
  };
  // Numbers of samples.
  struct Timing {
    std::int64_t slope, width, apart, settle, learn, refractory, t_wave, back, lost;
  };
  struct Levels {
    std::int64_t since = 0;  // learning began, or ended
    bool learning = true;
    float strongest = 0.0F;
    float beat = 0.0F;
    float noise = 0.0F;
    bool has_last = false;
    std::int64_t last = 0;
    float last_strength = 0.0F;
    bool has_best = false;  // the strongest that was noise, since the last beat
    Candidate best;
    std::int64_t intervals[8] = {};
    std::size_t interval_count = 0;
  };
  struct Fresh {};
  Detector(const Detector& other, Fresh)
      : timing_(other.timing_),
        threshold_(other.threshold_),
        samples_(other.samples_),
        squares_(other.squares_),
        sums_(other.sums_) {}

  [[nodiscard]] bool is_peak(std::int64_t place, std::int64_t index) const;
  [[nodiscard]] std::int64_t highest(std::int64_t place) const;
  [[nodiscard]] float threshold() const;
  [[nodiscard]] bool learn(const Candidate& candidate);
  void search_back(const Candidate& candidate);
  void consider(const Candidate& candidate);
  void accept(const Candidate& candidate, float share, std::int64_t at);

  Timing timing_;
  float threshold_;
  History samples_;
  History squares_;
  History sums_;
  Levels levels_;
  std::int64_t start_ = 0;
  bool begun_ = false;
  Beat* found_ = nullptr;
  std::size_t found_count_ = 0;
};

}  // namespace salus::frontend
