// Sealing what the wearable says: AES-256-GCM, no nonce twice (firmware/proto/link.proto, Packet).
#pragma once

#include "link/keys.h"
#include "link/status.h"

namespace salus {

constexpr std::uint32_t kPacketVersion = 1;
constexpr std::size_t kMaxPacketBytes = std::size_t{256} << 10;  // the largest payload that either side opens
// At most so much is a payload larger than its plaintext.
constexpr std::size_t kPacketOverheadBytes = 2 + 6 + 11 + 6 + kTagBytes;

// A packet as the broker sees it: `payload` is the serialised Packet, in the buffer that the caller gave.
struct Sealed {
  std::uint32_t boot;
  std::uint64_t sequence;
  Bytes payload;
};

// Seals with one key in one boot; the sequence rises by 1 with every packet.
class Sealer {
 public:
  Sealer() = default;
  ~Sealer();
  Sealer(const Sealer&) = delete;
  Sealer& operator=(const Sealer&) = delete;

  // `boot` comes from Counters::start. kMalformed: a key that is not 32 bytes, or boot 0.
  [[nodiscard]] LinkStatus start(Bytes key, std::uint32_t boot);

  // The next packet for `topic`. `plaintext` may lie within `out`. kTooLarge uses no sequence up.
  [[nodiscard]] LinkStatus seal(const char* topic, Bytes plaintext, MutableBytes out, Sealed& sealed);

  [[nodiscard]] std::uint64_t sequence() const { return sequence_; }  // of the last packet

 private:
  LinkKey key_{};
  std::uint32_t boot_ = 0;
  std::uint64_t sequence_ = 0;
};

}  // namespace salus
