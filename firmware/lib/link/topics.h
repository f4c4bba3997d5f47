// Topics of the device link: salus/1/<federation>/<device>/<kind>.
#pragma once

#include <cstddef>
#include <cstdint>

#include "link/status.h"

namespace salus {

// What a topic carries. The numbers are kept in flash.
enum class Kind : std::uint8_t { kState, kFeature, kWindow, kEvent, kLabel, kRelease, kCommand, kAck };
constexpr std::size_t kKinds = 8;
constexpr std::size_t kMaxLinkIdLength = 40;
constexpr std::size_t kMaxTopicBytes = 8 + 2 * (kMaxLinkIdLength + 1) + 8;  // with the zero at its end

[[nodiscard]] const char* name_of(Kind kind);
// Whether the gateway sends it.
[[nodiscard]] constexpr bool is_downward(Kind kind) { return kind >= Kind::kRelease; }
// Whether this can be a federation or a device in a topic: 1 to 40 of a-z, 0-9 and -.
[[nodiscard]] bool is_link_id(const char* text);

// The topics of one device.
class Topics {
 public:
  // kMalformed: an id that `is_link_id` refuses.
  [[nodiscard]] LinkStatus start(const char* federation, const char* device);
  // The topic of a kind; lives as long as this object, and is empty before `start`.
  [[nodiscard]] const char* of(Kind kind) const;
  // The kind of a topic of this device; kMalformed for any other.
  [[nodiscard]] LinkStatus parse(const char* topic, Kind& kind) const;

 private:
  char topics_[kKinds][kMaxTopicBytes] = {};
};

}  // namespace salus
