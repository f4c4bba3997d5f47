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
  float threshold;              // of such a class's mean probability, above 0 and at most 1
  std::uint32_t window_ms;      // a gap of more than twice this starts the memory anew
  std::uint32_t refractory_ms;  // after an alarm, none for so long
};

struct Decision {
  std::uint32_t label;        // the class of the highest mean probability
  float probability;          // that mean
  bool alarm;                 // raise one now
  std::uint32_t alarm_label;  // among the alarm classes, the one of the highest mean
  float alarm_probability;    // that mean; 0 where no class is one to raise an alarm for
};

// Causal: each window's logits in the order of time. An alarm needs `confirm` windows without a gap; the label is
// decided on those there are, as the gateway does.
class Alarm {
 public:
  static constexpr std::uint32_t kMaxClasses = 16;
  static constexpr std::uint32_t kMaxConfirm = 32;

  // Starts anew. kMalformed: a parameter out of its range; then, as before the first `configure`, `step` refuses.
  [[nodiscard]] AlarmStatus configure(const AlarmParameters& parameters);
  // kWrongSize: not as many logits as classes.
  [[nodiscard]] AlarmStatus step(Span<const std::int8_t> logits, std::uint64_t start_ms, Decision& decision);

 private:
  void remember(Span<const std::int8_t> logits);
  [[nodiscard]] float mean_of(std::uint32_t label) const;
  [[nodiscard]] bool is_quiet(std::uint64_t start_ms) const;

  AlarmParameters parameters_{};
  float recent_[kMaxConfirm][kMaxClasses] = {};  // probabilities; the oldest is overwritten
  std::uint32_t count_ = 0;
  std::uint32_t next_ = 0;
  std::uint64_t last_ms_ = 0;
  std::uint64_t alarm_ms_ = 0;
  bool alarmed_ = false;
};

}  // namespace salus
