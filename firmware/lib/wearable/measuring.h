// From samples to packets: front end, quantise, base model, and what becomes of each feature.
#pragma once

#include <cstddef>
#include <cstdint>

#include "alarm/alarm.h"
#include "base/span.h"
#include "board/board.h"
#include "crypto/crypto.h"
#include "engine/engine.h"
#include "frontend/front_end.h"
#include "release/updater.h"
#include "wearable/batches.h"
#include "wearable/calibration.h"
#include "wearable/parts.h"
#include "wearable/speaker.h"
#include "wearable/tally.h"

namespace salus::wearable {

// Whom measuring tells what the gateway should hear at once.
class Reporter {
 public:
  virtual ~Reporter() = default;
  virtual void alarm(std::uint64_t start_ms, std::uint32_t label, float probability) = 0;
  virtual void fault(const char* code, const char* detail) = 0;
};

// How often the models' golden inputs give what they should.
struct GoldenRun {
  std::uint32_t inputs = 0;
  std::uint32_t mismatches = 0;
  std::uint64_t duration_us = 0;
};

class Measuring final : private WindowSink {
 public:
  Measuring(const Parts& parts, const Memory& memory, Calibration& calibration, Speaker& speaker, KeptTally& tally,
            Reporter& reporter);

  void configure(const Settings& settings);

  // Take over the updater's active models; nullptr, or the code of why the base does not run. What was measured with
  // the base before is sealed first.
  [[nodiscard]] const char* load(const release::Updater& updater);
  [[nodiscard]] bool loaded() const { return model_ != nullptr; }
  // Whether a packet of this base's features was sealed since it was loaded.
  [[nodiscard]] bool proved() const;

  // Take consecutive samples (n, channels), the first taken at `t0_ms`; nullptr, or a code, and then nothing was taken.
  [[nodiscard]] const char* take(Span<const float> samples, std::size_t channels, double t0_ms);
  // The next samples begin a new stretch.
  void begin_stretch();
  // Seal what waits for a whole packet; nullptr, or the code of why something is lost.
  const char* flush();
  // The consent was withdrawn: what waits leaves no more.
  void drop_windows() { window_batch_.drop(); }
  [[nodiscard]] bool waiting() const { return !feature_batch_.empty() || !window_batch_.empty(); }

  // One inference; the output lives until the next call. nullptr, or a code.
  [[nodiscard]] const char* infer(bool personal, Span<const std::int8_t> input, Span<const std::int8_t>& output,
                                  std::uint64_t& duration_us);
  [[nodiscard]] const char* run_golden(bool personal, GoldenRun& run);

  [[nodiscard]] const LatencyHistogram& latency() const { return latency_; }
  [[nodiscard]] std::size_t arena_high_water_bytes() const { return arena_high_water_bytes_; }
  [[nodiscard]] std::uint64_t windows() const { return windows_; }  // since the start
  [[nodiscard]] double rate_hz() const { return front_end_.rate_hz(); }

 private:
  void window(std::uint64_t start_ms, Span<const float> values, Span<const std::int16_t> aux) override;
  [[nodiscard]] const char* load_base(const release::ActiveModel& model);
  void load_personal(const release::ActiveModel* model);
  void configure_alarm();
  [[nodiscard]] const char* prepare(std::size_t channels);
  void keep_orientation();
  void decide(std::uint64_t start_ms, Span<const std::int8_t> feature);
  void note(LinkStatus status);

  const Parts& parts_;
  const Memory& memory_;
  Calibration& calibration_;
  Speaker& speaker_;
  Reporter& reporter_;
  KeptTally& tally_;
  FrontEnd front_end_;
  Alarm alarm_;
  FeatureBatch feature_batch_;
  WindowBatch window_batch_;
  LatencyHistogram latency_;

  const release::ActiveModel* model_ = nullptr;     // of the base that is loaded
  const release::ActiveModel* personal_ = nullptr;  // of the personal model that is loaded
  Digest front_end_digest_{};                       // of the one that is configured
  std::size_t raw_channels_ = 0;                    // 0: none is
  Measured measured_;
  Wrist wrist_ = Wrist::kAsTrained;
  std::int8_t feature_[kMaxOutputBytes] = {};
  std::int8_t logits_[kMaxOutputBytes] = {};
  std::uint8_t kept_[FrontEnd::kKeptBytes] = {};
  std::size_t kept_bytes_ = 0;
  std::size_t arena_high_water_bytes_ = 0;
  std::uint64_t windows_ = 0;
  const char* failure_ = nullptr;  // of the last window that could not be taken whole
  bool faulted_ = false;           // said so already, of this model
  std::uint64_t sent_before_ = 0;  // feature bytes when it was loaded
};

}  // namespace salus::wearable
