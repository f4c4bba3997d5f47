#include "frontend/detector.h"

#include <algorithm>
#include <cmath>

namespace salus::frontend {
namespace {

constexpr float kSurge = 4.0F;  // a beat counts for the level at most this much

std::int64_t count_of(double seconds, double rate_hz) {
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::rint(seconds * rate_hz)));
}

// Of a few values: the one with as many below it as a sorted list would have.
std::int64_t lower_median(Span<const std::int64_t> values) {
  const std::size_t rank = (values.size() - 1) / 2;
  for (const std::int64_t value : values) {
    std::size_t below = 0;
    std::size_t same = 0;
    for (const std::int64_t each : values) {
      below += each < value ? 1U : 0U;
      same += each == value ? 1U : 0U;
    }
    if (below <= rank && rank < below + same) return value;
  }
  return 0;
}

}  // namespace

Detector::Detector(double rate_hz, double threshold, const History& samples, Memory& memory)
    : timing_{count_of(0.02, rate_hz), count_of(0.1, rate_hz), count_of(0.15, rate_hz),
              count_of(0.5, rate_hz),  count_of(2.5, rate_hz), count_of(0.2, rate_hz),
              count_of(0.36, rate_hz), count_of(2.5, rate_hz), count_of(6.0, rate_hz)},
      threshold_(static_cast<float>(threshold)),
      samples_(samples),
      squares_(memory.array<float>(static_cast<std::size_t>(timing_.width))),
      sums_(memory.array<float>(static_cast<std::size_t>(2 * timing_.apart + 1))) {}

std::size_t Detector::step(std::int64_t index, Beat (&found)[2]) {
  found_ = found;
  found_count_ = 0;
  if (!begun_) {
    start_ = levels_.since = index;
    begun_ = true;
  }
  const bool early = index - timing_.slope < start_;
  const float slope = early ? 0.0F : samples_[index] - samples_[index - timing_.slope];
  squares_[index] = slope * slope;
  float sum = 0.0F;
  const std::int64_t lags = std::min(timing_.width, index - start_ + 1);
  for (std::int64_t lag = 0; lag < lags; ++lag) sum = sum + squares_[index - lag];
  sums_[index] = sum;
  // Certain once `apart` samples have followed.
  const std::int64_t place = index - timing_.apart;
  if (place >= start_ && is_peak(place, index)) consider({place, sums_[place], highest(place)});
  return found_count_;
}

bool Detector::is_peak(std::int64_t place, std::int64_t index) const {
  const float centre = sums_[place];
  for (std::int64_t i = place + 1; i <= index; ++i) {
    if (sums_[i] > centre) return false;
  }
  for (std::int64_t i = std::max(start_, place - timing_.apart); i < place; ++i) {
    if (sums_[i] >= centre) return false;
  }
  return true;
}

// The sample furthest from 0 among those that made the sum.
std::int64_t Detector::highest(std::int64_t place) const {
  std::int64_t best = std::max(start_, place - timing_.width - timing_.slope);
  for (std::int64_t i = best + 1; i <= place; ++i) {
    if (std::fabs(samples_[i]) > std::fabs(samples_[best])) best = i;
  }
  return best;
}

float Detector::threshold() const { return levels_.noise + threshold_ * (levels_.beat - levels_.noise); }

// Whether the levels are known now.
bool Detector::learn(const Candidate& candidate) {
  if (!levels_.learning) return true;
  if (candidate.place < levels_.since + timing_.settle) return false;
  if (candidate.place < levels_.since + timing_.learn) {
    levels_.strongest = std::max(levels_.strongest, candidate.strength);
    return false;
  }
  levels_.learning = false;
  levels_.since = candidate.place;
  levels_.beat = levels_.strongest * 0.5F;
  levels_.noise = levels_.beat * 0.125F;
  return true;
}

void Detector::consider(const Candidate& candidate) {
  if (!learn(candidate)) return;
  search_back(candidate);
  const bool has_last = levels_.has_last;
  const std::int64_t since = candidate.place - levels_.last;
  if (has_last && since < timing_.refractory) return;
  const bool t_wave = has_last && since < timing_.t_wave && candidate.strength < levels_.last_strength * 0.5F;
  if (candidate.strength > threshold() && !t_wave) {
    accept(candidate, 0.125F, candidate.place + timing_.apart);
    return;
  }
  // A pause is shorter: the levels are wrong, and are learnt anew.
  if (candidate.place - (has_last ? levels_.last : levels_.since) > timing_.lost) {
    levels_ = Levels();
    levels_.since = candidate.place;
    return;
  }
  levels_.noise = levels_.noise + (candidate.strength - levels_.noise) * 0.125F;
  const bool better = !levels_.has_best || candidate.strength > levels_.best.strength;
  if (has_last && since >= timing_.t_wave && better) {
    levels_.best = candidate;
    levels_.has_best = true;
  }
}

// A beat is overdue by two thirds of an interval: the best of what was noise may have been one.
void Detector::search_back(const Candidate& candidate) {
  if (!levels_.has_best || !levels_.has_last || levels_.interval_count == 0) return;
  const std::int64_t usual = lower_median({levels_.intervals, levels_.interval_count});
  if ((candidate.place - levels_.last) * 3 <= 5 * usual) return;
  const std::int64_t at = candidate.place + timing_.apart;
  const Candidate best = levels_.best;
  levels_.has_best = false;
  if (at - best.place <= timing_.back && best.strength > threshold() * 0.5F) accept(best, 0.25F, at);
}

void Detector::accept(const Candidate& candidate, float share, std::int64_t at) {
  found_[found_count_++] = {candidate.peak, at};
  if (levels_.has_last) {
    if (levels_.interval_count == 8) {
      std::copy(levels_.intervals + 1, levels_.intervals + 8, levels_.intervals);
      --levels_.interval_count;
    }
    levels_.intervals[levels_.interval_count++] = candidate.place - levels_.last;
  }
  const float counted = std::min(candidate.strength, levels_.beat * kSurge);
  levels_.beat = levels_.beat + (counted - levels_.beat) * share;
  levels_.has_last = true;
  levels_.last = candidate.place;
  levels_.last_strength = candidate.strength;
  levels_.has_best = false;
}

}  // namespace salus::frontend
