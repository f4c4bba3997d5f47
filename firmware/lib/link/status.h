// What the device link answers. The codes of what it refuses are those of the gateway (edge/salus_edge/link).
#pragma once

#include <cstdint>

namespace salus {

enum class LinkStatus : std::uint8_t {
  kOk,
  kTooLarge,      // more than the buffer, the ring or a packet holds
  kTruncated,     // a payload that was cut short
  kMalformed,     // no such message, topic or value
  kWrongVersion,  // a packet of another version of the link
  kWrongKey,      // of another key or topic, or changed on the way
  kReplayed,      // not newer than what came before
  kNotEnrolled,   // no counters for this secret: nothing may be sealed
  kUsedUp,        // the counters cannot make another nonce
  kGone,          // a packet that has left the ring
  kStoreFailed,   // what must be durable is not
  kFlashFailed,   // the ring's partition cannot be read or written
  kCryptoFailed,  // the cryptographic library has failed
};

[[nodiscard]] const char* code_of(LinkStatus status);

}  // namespace salus
