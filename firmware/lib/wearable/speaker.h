// Everything the wearable says: sealed once, counted, and kept until the gateway has it.
#pragma once

#include "base/span.h"
#include "link/ring.h"
#include "link/sealer.h"
#include "link/topics.h"
#include "wearable/tally.h"

namespace salus::wearable {

class Speaker {
 public:
  // `packet` is used during a call only.
  Speaker(Ring& ring, KeptTally& tally, MutableBytes packet) : ring_(ring), tally_(tally), packet_(packet) {}

  [[nodiscard]] LinkStatus start(Bytes up_key, std::uint32_t boot, const Topics& topics);
  void stop() { topics_ = nullptr; }
  [[nodiscard]] bool started() const { return topics_ != nullptr; }

  // The most packets that wait; one more drops the oldest, which is counted.
  void set_bound(std::uint32_t packets) { bound_ = packets; }

  // Where a plaintext may be made that is sealed next.
  [[nodiscard]] MutableBytes draft() const { return packet_; }
  // The largest plaintext that the ring takes once it is sealed.
  [[nodiscard]] std::size_t max_plaintext_bytes() const;
  // Seal into the ring; durable when this is kOk.
  [[nodiscard]] LinkStatus say(Kind kind, Bytes plaintext);
  // Seal what is not kept (a State, which the next one replaces): the payload to publish.
  [[nodiscard]] LinkStatus once(Kind kind, Bytes plaintext, Bytes& payload);
  // Of what was kept since the start; 0 before the first.
  [[nodiscard]] std::size_t largest_payload_bytes() const { return largest_payload_bytes_; }

 private:
  [[nodiscard]] LinkStatus seal(Kind kind, Bytes plaintext, Sealed& sealed);

  Ring& ring_;
  KeptTally& tally_;
  MutableBytes packet_;
  Sealer sealer_;
  void make_room();

  const Topics* topics_ = nullptr;
  std::uint32_t bound_ = UINT32_MAX;
  std::size_t largest_payload_bytes_ = 0;
};

}  // namespace salus::wearable
