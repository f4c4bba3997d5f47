// `beats`: a window for each heart beat of an ECG: the beat, the beat minus the patient's own slow template, and the
// rhythm around it as aux. A beat comes out when the next two are known, or 3 s later; the first of a stretch has no
// interval and does not come out.
#include <algorithm>
#include <cmath>

#include "frontend/blocks.h"
#include "frontend/detector.h"
#include "frontend/rhythm.h"
#include "frontend/template.h"

namespace salus::frontend {
namespace {

constexpr double kWaitS = 3.0;
constexpr double kHistoryS = 4.0;  // of samples that are kept: the wait, and a window

struct Settings {
  std::size_t channel = 0;
  std::int64_t before = 0;
  std::int64_t after = 0;
  std::int64_t wait = 0;
  double rate_hz = 0.0;
};

class Beats final : public Stage {
 public:
  static constexpr std::size_t kPending = 32;  // a beat waits 3 s, and beats are 0.2 s apart

  Beats(const Settings& settings, const History& samples, const Detector& detector, Span<std::uint16_t> intervals,
        const Template& own, Taker& taker)
      : settings_(settings), samples_(samples), detector_(detector), intervals_(intervals), own_(own), taker_(taker) {}

  void push(std::int64_t index, const double* sample) override {
    if (!begun_) {
      start_ = index;
      begun_ = true;
    }
    samples_[index] = static_cast<float>(sample[settings_.channel]);
    Beat found[2];
    const std::size_t count = detector_.step(index, found);
    for (std::size_t i = 0; i < count; ++i) add(found[i]);
    while (next_beat_ < count_ && is_due(index)) release();
  }

  void renew() override {
    detector_.renew();
    count_ = 0;
    next_beat_ = 1;
    begun_ = false;
  }

 private:
  [[nodiscard]] Beat& beat(std::size_t number) { return pending_[number % kPending]; }

  void add(const Beat& found) {
    if (count_ > 0) {
      const std::int64_t interval = found.peak - beat(count_ - 1).peak;
      intervals_[count_] = static_cast<std::uint16_t>(std::min(interval, settings_.wait));  // a pause is no rhythm
    }
    beat(count_++) = found;
  }

  [[nodiscard]] bool is_due(std::int64_t index) {
    const std::int64_t peak = beat(next_beat_).peak;
    return index >= peak + settings_.wait || (index + 1 >= peak + settings_.after && count_ > next_beat_ + 2);
  }

  void release() {
    const std::size_t number = next_beat_++;
    const std::int64_t first = beat(number).peak - settings_.before;
    if (first < start_) return;  // the stretch began before the window
    std::int16_t aux[kRhythmValues];
    const std::size_t following = std::min<std::size_t>(2, count_ - 1 - number);
    rhythm_features(intervals_, number, following, settings_.rate_hz, aux);
    own_.step(samples_, first, taker_.room());
    taker_.take(first, Span<const std::int16_t>(aux, kRhythmValues));
  }

  Settings settings_;
  History samples_;
  Detector detector_;
  Intervals intervals_;
  Template own_;
  Taker& taker_;
  Beat pending_[kPending];
  std::size_t count_ = 0;      // beats of the stretch so far
  std::size_t next_beat_ = 1;  // comes out next
  std::int64_t start_ = 0;
  bool begun_ = false;
};

}  // namespace

Stage* make_beats(const Parameters& parameters, const Inlet& inlet, std::size_t samples, Taker& taker, Memory& memory,
                  Outlet& outlet) {
  static const char* const kNames[] = {"channel", "before", "threshold"};
  Settings settings;
  std::size_t before = 0;
  double threshold = 0.0;
  const double rate_hz = inlet.rate_hz;
  if (!(rate_hz >= 30.0 && rate_hz <= 1000.0) || static_cast<double>(samples) > rate_hz) return nullptr;
  if (!parameters.are(kNames) || !parameters.number("threshold", 0.01, 0.99, threshold)) return nullptr;
  if (!parameters.whole("channel", 0, inlet.channels - 1, settings.channel)) return nullptr;
  if (!parameters.whole("before", 0, samples - 1, before)) return nullptr;
  settings.before = static_cast<std::int64_t>(before);
  settings.after = static_cast<std::int64_t>(samples - before);
  settings.wait = static_cast<std::int64_t>(std::rint(kWaitS * rate_hz));
  settings.rate_hz = rate_hz;
  const History history(memory.array<float>(static_cast<std::size_t>(std::rint(kHistoryS * rate_hz)) + 1));
  const Detector detector(rate_hz, threshold, history, memory);
  const Span<std::uint16_t> intervals = memory.array<std::uint16_t>(Intervals::kRoom);
  const Template own(memory.array<float>(samples));
  outlet.channels = 2;
  outlet.aux_values = kRhythmValues;
  return memory.exhausted() ? nullptr : memory.make<Beats>(settings, history, detector, intervals, own, taker);
}

}  // namespace salus::frontend
