// What sealer and opener share of a Packet: the nonce and the additional data.
#pragma once

#include <cstring>

#include "crypto/crypto.h"
#include "link/big_endian.h"
#include "link/sealer.h"
#include "link/topics.h"

namespace salus {

struct PacketNonce {
  std::uint8_t bytes[kNonceBytes];

  PacketNonce(std::uint32_t boot, std::uint64_t sequence) {
    put_big_endian(bytes, boot);
    put_big_endian(bytes + 4, sequence);
  }
};

// topic ‖ 0x00 ‖ version ‖ boot ‖ sequence
class PacketHeader {
 public:
  PacketHeader(const char* topic, std::uint32_t boot, std::uint64_t sequence) {
    topic_length_ = std::strlen(topic);
    if (!good()) return;
    std::memcpy(bytes_, topic, topic_length_ + 1);
    std::uint8_t* at = bytes_ + topic_length_ + 1;
    at[0] = static_cast<std::uint8_t>(kPacketVersion);
    put_big_endian(at + 1, boot);
    put_big_endian(at + 5, sequence);
  }

  // Whether the topic is no longer than one can be.
  [[nodiscard]] bool good() const { return topic_length_ < kMaxTopicBytes; }
  [[nodiscard]] Bytes bytes() const { return Bytes(bytes_, topic_length_ + 1 + kRestBytes); }

 private:
  static constexpr std::size_t kRestBytes = 13;
  std::size_t topic_length_ = 0;
  std::uint8_t bytes_[kMaxTopicBytes + kRestBytes] = {};
};

}  // namespace salus
