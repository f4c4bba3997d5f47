#include "alarm/alarm.h"

#include <algorithm>
#include <cmath>

namespace salus {
namespace {

bool is_good(const AlarmParameters& parameters) {
  const bool classes = parameters.classes >= 2 && parameters.classes <= Alarm::kMaxClasses &&
                       (parameters.alarm_classes >> parameters.classes) == 0;
  const bool logits = std::isfinite(parameters.scale) && parameters.scale > 0.0F && parameters.zero_point >= -128 &&
                      parameters.zero_point <= 127;
  const bool memory = parameters.confirm >= 1 && parameters.confirm <= Alarm::kMaxConfirm && parameters.window_ms != 0;
  const bool threshold = parameters.threshold > 0.0F && parameters.threshold <= 1.0F;
  return classes && logits && memory && threshold;
}

}  // namespace

const char* code_of(AlarmStatus status) {
  switch (status) {
    case AlarmStatus::kOk:
      return "ok";
    case AlarmStatus::kMalformed:
      return "malformed";
    case AlarmStatus::kWrongSize:
      return "wrong_size";
  }
  return "unknown";
}

AlarmStatus Alarm::configure(const AlarmParameters& parameters) {
  *this = Alarm();
  if (!is_good(parameters)) return AlarmStatus::kMalformed;
  parameters_ = parameters;
  return AlarmStatus::kOk;
}

AlarmStatus Alarm::step(Span<const std::int8_t> logits, std::uint64_t start_ms, Decision& decision) {
  if (parameters_.classes == 0) return AlarmStatus::kMalformed;
  if (logits.size() != parameters_.classes) return AlarmStatus::kWrongSize;
  const std::uint64_t gap_ms = std::uint64_t{2} * parameters_.window_ms;
  const bool follows = count_ != 0 && start_ms >= last_ms_ && start_ms - last_ms_ <= gap_ms;
  if (!follows) count_ = next_ = 0;
  remember(logits);
  last_ms_ = start_ms;

  decision = Decision{};
  for (std::uint32_t label = 0; label < parameters_.classes; ++label) {
    const float mean = mean_of(label);
    if (mean > decision.probability) {
      decision.label = label;
      decision.probability = mean;
    }
    if (((parameters_.alarm_classes >> label) & 1U) != 0 && mean > decision.alarm_probability) {
      decision.alarm_label = label;
      decision.alarm_probability = mean;
    }
  }
  decision.alarm =
      count_ == parameters_.confirm && decision.alarm_probability >= parameters_.threshold && !is_quiet(start_ms);
  if (decision.alarm) {
    alarm_ms_ = start_ms;
    alarmed_ = true;
  }
  return AlarmStatus::kOk;
}

void Alarm::remember(Span<const std::int8_t> logits) {
  float* probabilities = recent_[next_];
  const std::int8_t highest = *std::max_element(logits.begin(), logits.end());
  float sum = 0.0F;
  for (std::size_t label = 0; label < logits.size(); ++label) {
    // The zero point falls out of the difference.
    probabilities[label] = std::exp(static_cast<float>(logits[label] - highest) * parameters_.scale);
    sum += probabilities[label];
  }
  for (std::size_t label = 0; label < logits.size(); ++label) probabilities[label] /= sum;
  next_ = (next_ + 1) % parameters_.confirm;
  count_ = std::min(count_ + 1, parameters_.confirm);
}

float Alarm::mean_of(std::uint32_t label) const {
  float sum = 0.0F;
  for (std::uint32_t each = 0; each < count_; ++each) {  // the oldest first, as the gateway adds them
    sum += recent_[(next_ + parameters_.confirm - count_ + each) % parameters_.confirm][label];
  }
  return sum / static_cast<float>(count_);
}

// After an alarm; a clock that was set back to before it ends that, or no alarm would come for as long.
bool Alarm::is_quiet(std::uint64_t start_ms) const {
  return alarmed_ && start_ms >= alarm_ms_ && start_ms - alarm_ms_ < parameters_.refractory_ms;
}

}  // namespace salus
