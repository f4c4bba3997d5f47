// Windows and their features on the way into packets of several.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/span.h"
#include "link/messages.h"
#include "wearable/calibration.h"
#include "wearable/provisioning.h"
#include "wearable/speaker.h"
#include "wearable/tally.h"

namespace salus::wearable {

// Of which model and shape the windows are.
struct Measured {
  const char* task = "";
  std::uint32_t model_version = 0;
  Bytes base_sha256;
  std::uint32_t window_duration_ms = 0;
  std::uint32_t rows = 0;
  std::uint32_t channels = 0;
  std::uint32_t aux = 0;
};

// Features, so many per packet.
class FeatureBatch {
 public:
  FeatureBatch(Speaker& speaker, KeptTally& tally, MutableBytes memory)
      : speaker_(speaker), tally_(tally), memory_(memory) {}

  void set_per_packet(std::uint32_t features, std::uint32_t windows) {
    per_packet_ = features;
    windows_per_packet_ = windows;
  }
  // One more feature; a packet that is full is sealed.
  [[nodiscard]] LinkStatus add(const Measured& of, std::uint64_t start_ms, Span<const std::int8_t> values,
                               Span<const std::int16_t> aux);
  // Seal what is there.
  [[nodiscard]] LinkStatus flush();
  [[nodiscard]] bool empty() const { return encoder_.count() == 0; }

 private:
  Speaker& speaker_;
  KeptTally& tally_;
  MutableBytes memory_;
  FeaturesEncoder encoder_;
  std::uint64_t start_ms_[Provisioning::kMaxFeaturesPerPacket] = {};
  Measured of_;
  std::uint32_t per_packet_ = 1;
  std::uint32_t windows_per_packet_ = 1;
};

// Raw windows under a consent, so many per packet.
class WindowBatch {
 public:
  WindowBatch(Speaker& speaker, KeptTally& tally, MutableBytes memory)
      : speaker_(speaker), tally_(tally), memory_(memory) {}

  void set_per_packet(std::uint32_t windows) { per_packet_ = windows; }
  // One more window; kTooLarge when not even one has room.
  [[nodiscard]] LinkStatus add(const Measured& of, std::uint64_t start_ms, Span<const float> values,
                               Span<const std::int16_t> aux, Bytes consent);
  [[nodiscard]] LinkStatus flush();
  // Forget what is there: its consent was withdrawn.
  void drop() { count_ = 0; }
  [[nodiscard]] bool empty() const { return count_ == 0; }

 private:
  [[nodiscard]] bool sealable(const Measured& of, std::size_t count) const;

  Speaker& speaker_;
  KeptTally& tally_;
  MutableBytes memory_;
  WindowView views_[Provisioning::kMaxWindowsPerPacket] = {};
  std::uint8_t consent_[kConsentBytes] = {};
  Measured of_;
  std::uint32_t count_ = 0;
  std::uint32_t per_packet_ = 1;
};

// The bytes that these windows would take as sealed packets of `per_packet`: what features save. In the first boot,
// with sequences from 1, so that the figure does not depend on what else was said.
[[nodiscard]] std::uint64_t raw_window_bytes(const Measured& of, Span<const std::uint64_t> start_ms,
                                             std::uint32_t per_packet);

}  // namespace salus::wearable
