#include "frontend/rhythm.h"

#include <algorithm>
#include <cmath>

#include "frontend/exact.h"

namespace salus::frontend {
namespace {

constexpr double kUnit = 4096.0;
constexpr double kUsualS = 0.8;

// The intervals of the beats (from, to].
struct Past {
  const Intervals& intervals;
  std::size_t from;
  std::size_t to;

  [[nodiscard]] std::size_t size() const { return to - from; }
  [[nodiscard]] Past last(std::size_t count) const { return {intervals, to - std::min(count, size()), to}; }
  // k before the last one; the first where there are fewer.
  [[nodiscard]] int back(std::size_t k) const { return intervals[to - std::min(k, size() - 1)]; }

  [[nodiscard]] int total() const {
    int sum = 0;
    for (std::size_t i = from + 1; i <= to; ++i) sum += intervals[i];
    return sum;
  }

  // The value below which about so many tenths lie, by halving the range of values: no room to sort.
  [[nodiscard]] int ranked(std::size_t tenths) const {
    const std::size_t rank = tenths * (size() - 1) / 10;
    int low = 0;
    int high = UINT16_MAX;
    while (low < high) {
      const int middle = (low + high) / 2;
      std::size_t count = 0;
      for (std::size_t i = from + 1; i <= to; ++i) count += intervals[i] <= middle ? 1U : 0U;
      if (count > rank) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }
};

std::int16_t step(double value) {
  return static_cast<std::int16_t>(std::rint(std::clamp(value * kUnit, -32767.0, 32767.0)));
}

// Mean change from one interval to the next among the last 16, of the median.
double spread(const Past& past, int median) {
  if (past.size() < 2) return 0.0;
  int sum = 0;
  for (std::size_t k = 0; k + 1 < past.size(); ++k) sum += std::abs(past.back(k) - past.back(k + 1));
  return static_cast<double>(sum) / static_cast<double>(past.size() - 1) / static_cast<double>(median);
}

}  // namespace

void rhythm_features(const Intervals& intervals, std::size_t beat, std::size_t following, double rate_hz,
                     std::int16_t (&out)[kRhythmValues]) {
  const Past past = {intervals, beat > kRhythmMemory ? beat - kRhythmMemory : 0, beat};
  const int own = past.back(0);
  const int median = past.last(40).ranked(5);
  const int high = past.ranked(6);
  const int next[2] = {following >= 1 ? intervals[beat + 1] : median, following >= 2 ? intervals[beat + 2] : median};
  const Past eight = past.last(8);
  const double mean = static_cast<double>(eight.total()) / static_cast<double>(eight.size());
  const auto ratio = [](double a, double b) { return step(logarithm(a / b)); };

  out[0] = ratio(own, median);
  for (std::size_t k = 1; k <= 4; ++k) out[k] = ratio(past.back(k), median);
  out[5] = ratio(next[0], median);
  out[6] = ratio(next[1], median);
  out[7] = ratio(mean, median);
  out[8] = ratio(next[0], own);
  out[9] = ratio(own, past.back(1));
  out[10] = step(spread(past.last(17), median));
  out[11] = ratio(static_cast<double>(median) / rate_hz, kUsualS);
  out[12] = ratio(own, high);
  out[13] = ratio(past.back(1), high);
  out[14] = ratio(next[0], high);
  out[15] = ratio(next[1], high);
  out[16] = ratio(mean, high);
}

}  // namespace salus::frontend
