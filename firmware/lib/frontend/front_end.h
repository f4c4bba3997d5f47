// The front end: fixed, causal signal processing from the sensor's samples to the model's windows.
//
// It is the task's list of blocks, as the release's manifest carries it, and gives the very bytes that
// `edge/salus_edge/frontend` gives: both sides do the same IEEE operations in the same order.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/span.h"

namespace salus {

enum class FrontEndStatus : std::uint8_t {
  kOk,
  kMalformed,      // not a serialised FrontEnd, or samples that are no whole rows
  kWrongFrontEnd,  // an unknown block, a parameter that cannot be, or other channels than the sensor's
  kMemoryTooSmall,
  kNotConfigured,
  kNotFinite,
};

// The code that the gateway uses for the same thing.
[[nodiscard]] const char* code_of(FrontEndStatus status);

// On which arm the wearable is; set at enrolment. A task without a `wrist` block does not ask.
enum class Wrist : std::uint8_t { kAsTrained, kLeft, kRight };

class WindowSink {
 public:
  virtual ~WindowSink() = default;
  // `start_ms` UTC; `values` (rows, channels), row by row; `aux` goes beside the feature. Valid during the call only.
  virtual void window(std::uint64_t start_ms, Span<const float> values, Span<const std::int16_t> aux) = 0;
};

namespace frontend {
class Pipeline;
}

class FrontEnd {
 public:
  FrontEnd() = default;
  FrontEnd(const FrontEnd&) = delete;  // what is built points to it
  FrontEnd& operator=(const FrontEnd&) = delete;

  // The largest size of `keep`.
  static constexpr std::size_t kKeptBytes = 80;
  static constexpr std::size_t kMaxChannels = 16;

  // Build the blocks of a serialised salus.release.v1.FrontEnd in `memory`, which lives as long as the front end and
  // may be in any state. On failure nothing is configured, and `push` refuses.
  [[nodiscard]] FrontEndStatus configure(Bytes serialised, std::size_t raw_channels, MutableBytes memory);

  // Take consecutive samples (n, raw_channels), row by row, the first taken at `t0_ms` UTC; give every window that they
  // complete. A gap (over 1.5 periods between two samples, or time that goes back) begins a new stretch. On refusal
  // nothing has changed.
  [[nodiscard]] FrontEndStatus push(Span<const float> samples, double t0_ms, WindowSink& sink);

  // Begin a new stretch with the next samples. What is known of the patient stays: orientation, slow template.
  void reset();

  // The patient has put the wearable on anew: the orientation is to be found again.
  void don();

  void set_wrist(Wrist wrist) { wrist_ = wrist; }

  // What must outlive a restart (the orientation); empty when there is none. `restore` refuses what `keep` did not
  // make.
  [[nodiscard]] std::size_t keep(MutableBytes out) const;
  [[nodiscard]] FrontEndStatus restore(Bytes kept);

  // Of a window; 0 while nothing is configured.
  [[nodiscard]] std::size_t rows() const;
  [[nodiscard]] std::size_t channels() const;
  [[nodiscard]] std::size_t aux_values() const;
  [[nodiscard]] std::uint32_t duration_ms() const;
  [[nodiscard]] std::size_t raw_channels() const;
  [[nodiscard]] float rate_hz() const;  // of the raw samples
  [[nodiscard]] std::size_t memory_used_bytes() const { return used_bytes_; }

 private:
  frontend::Pipeline* pipeline_ = nullptr;
  std::size_t used_bytes_ = 0;
  Wrist wrist_ = Wrist::kAsTrained;
};

// round(value / scale) + zero_point, halves to even, clipped to int8: the model's input. In double, as the gateway
// quantises, so that both agree to the last bit. The spans are of one length; scale is above 0.
void quantise(Span<const float> values, float scale, std::int32_t zero_point, Span<std::int8_t> out);

}  // namespace salus
