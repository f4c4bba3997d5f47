// The decision on the wearable: decoder `confirm`, a threshold, a refractory time (edge/salus_edge/decoder.py).
#pragma once

#include <cstdint>

#include "base/span.h"

namespace salus {

enum class AlarmStatus : std::uint8_t { kOk, kMalformed, kWrongSize };

[[nodiscard]] const char* code_of(AlarmStatus status);

struct AlarmParameters {
  std::uint32_t classes;  // of the personal model, 2 to Alarm::kMaxClasses
  float scale;            // real logit = (q - zero_point) * scale
  std::int32_t zero_point;
  std::uint32_t confirm;        // windows whose mean probability decides, 1 to Alarm::kMaxConfirm
  std::uint32_t alarm_classes;  // bit i: class i is one to raise an alarm for
  float threshold;              // of the mean probability, above 0 and at most 1
  std::uint32_t window_ms;      // a gap of more than twice this starts the memory anew
  std::uint32_t refractory_ms;  // after an alarm, none for so long
};

struct Decision {
  std::uint32_t label;  // the class of the highest mean probability
  float probability;    // that mean
  bool alarm;           // raise one now
};

// Causal: each window's logits in the order of time.
class Alarm {
 public:
  static constexpr std::uint32_t kMaxClasses = 16;
  static constexpr std::uint32_t kMaxConfirm = 32;

  // kMalformed: a parameter out of its range. Then, as before the first `configure`, no alarm is ever raised.
  [[nodiscard]] AlarmStatus configure(const AlarmParameters& parameters);
  // Forget what was seen; the refractory time goes on.
  void reset();
  // kWrongSize: not as many logits as classes.
  [[nodiscard]] AlarmStatus step(Span<const std::int8_t> logits, std::uint64_t start_ms, Decision& decision);

 private:
  void remember(Span<const std::int8_t> logits);

  AlarmParameters parameters_{};
  float recent_[kMaxConfirm][kMaxClasses] = {};
  std::uint32_t count_ = 0;
  std::uint32_t next_ = 0;
  std::uint64_t last_ms_ = 0;
  bool seen_ = false;
  std::uint64_t quiet_until_ms_ = 0;
};

}  // namespace salus
