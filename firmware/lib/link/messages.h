// The plaintexts: what the wearable says, encoded, and what it hears, decoded (firmware/proto/link.proto).
// Every encoder writes into `out` and leaves the message in `message`, which lies there; kTooLarge when it does not
// fit.
#pragma once

#include <cstdint>

#include "base/span.h"
#include "link/status.h"

namespace salus {

constexpr std::size_t kConsentBytes = 32;

// Strings end with a zero; a null pointer is an empty string.
struct StateMessage {
  bool leaving;
  const char* task;
  std::uint32_t model_version;
  Bytes base_sha256;
  std::uint32_t ring_packets;
  std::uint64_t dropped_packets;
  std::uint64_t clock_ms;
  bool calibrating;
  std::uint32_t personal_version = 0;  // of the personal release that runs here; 0: none
};
[[nodiscard]] LinkStatus encode_state(const StateMessage& state, MutableBytes out, Bytes& message);

enum class ReleaseProgress : std::uint8_t { kReceiving = 1, kActive = 2, kRefused = 3 };
struct ReleaseStatusMessage {
  std::uint32_t version;
  ReleaseProgress progress;
  std::uint32_t next_offset;  // while receiving: send from here
  const char* code;           // when refused: why
  bool personal = false;      // of the personal release, which counts its versions for itself
};
[[nodiscard]] LinkStatus encode_release_status(const ReleaseStatusMessage& status, MutableBytes out, Bytes& message);

enum class EventKind : std::uint8_t { kAlarm = 1, kButton = 2, kFault = 3, kRelease = 4 };
struct EventMessage {
  EventKind kind;
  std::uint64_t at_ms;
  const char* code;
  const char* detail;
  const ReleaseStatusMessage* release;  // of kind kRelease, else nullptr
};
[[nodiscard]] LinkStatus encode_event(const EventMessage& event, MutableBytes out, Bytes& message);

struct LabelMessage {
  const char* id;
  std::uint64_t start_ms;  // [start_ms, end_ms)
  std::uint64_t end_ms;
  const char* label;
  const char* source;
  const char* task;
};
// kMalformed, as the gateway would say: no label, an empty id, label, source or task, an end before the start.
[[nodiscard]] LinkStatus encode_labels(Span<const LabelMessage> labels, MutableBytes out, Bytes& message);

struct FeaturesHeader {
  const char* task;
  std::uint32_t model_version;
  Bytes base_sha256;
  std::uint32_t window_duration_ms;
};

// A batch of features that grows in its buffer as windows come.
class FeaturesEncoder {
 public:
  // Start anew, in `out`, which stays the encoder's until `take`; what the header points at is needed no longer.
  [[nodiscard]] LinkStatus begin(const FeaturesHeader& header, MutableBytes out, std::uint64_t first_start_ms);
  // One more feature. kTooLarge when the buffer is full, kMalformed when it starts before the first, more than 2^32 ms
  // after it, or has other lengths than those before: then the batch stays as it was, and a new one is to be begun.
  [[nodiscard]] LinkStatus add(std::uint64_t start_ms, Span<const std::int8_t> values, Span<const std::int16_t> aux);
  [[nodiscard]] std::size_t count() const { return count_; }
  // The message so far; the encoder is empty afterwards.
  [[nodiscard]] Bytes take();

 private:
  MutableBytes out_;
  std::size_t used_ = 0;
  std::size_t count_ = 0;
  std::uint64_t first_start_ms_ = 0;
  std::size_t values_ = 0;
  std::size_t aux_ = 0;
};

// One window as the front end made it: (samples, channels).
struct WindowView {
  std::uint64_t start_ms;
  Span<const float> values;
  Span<const std::int16_t> aux;
};
struct WindowsHeader {
  const char* task;
  std::uint32_t window_duration_ms;
  std::uint32_t samples;
  std::uint32_t channels;
  Bytes consent;  // the 32-byte digest under which they leave the wearable
};
// As int16 of one scale: at most half a step, 1/65534 of the batch's largest magnitude, is lost. kMalformed: no window,
// a size unlike (samples, channels), starts as in FeaturesEncoder, no consent, a value that is not finite or over 1e38.
[[nodiscard]] LinkStatus encode_windows(const WindowsHeader& header, Span<const WindowView> windows, MutableBytes out,
                                        Bytes& message);

enum class CommandKind : std::uint8_t { kCalibrate, kRequestState };
struct CommandMessage {
  CommandKind kind;
  std::uint64_t until_ms;  // kCalibrate: UTC of the wearable's clock; 0 stops at once
  Bytes consent;           // points into the plaintext; 32 bytes unless until_ms is 0
  Bytes base_sha256;       // points into the plaintext; of any length: compare it with the active base's
};
// kMalformed: no message, no command of a known kind, a Calibrate without consent or of no time.
[[nodiscard]] LinkStatus decode_command(Bytes plaintext, CommandMessage& command);

struct AckRange {
  std::uint32_t boot;
  std::uint64_t first_sequence;
  std::uint64_t last_sequence;
};
struct AckRefusal {
  std::uint32_t boot;
  std::uint64_t sequence;
  char code[32];  // cut to what fits
};
class AckReader {
 public:
  virtual ~AckReader() = default;
  virtual void has(const AckRange& range) = 0;          // the gateway has these
  virtual void refuses(const AckRefusal& refusal) = 0;  // and never wants this
};
// Tell the reader what an ack says, in its order; nothing when it is kMalformed.
[[nodiscard]] LinkStatus decode_ack(Bytes plaintext, AckReader& reader);

}  // namespace salus
