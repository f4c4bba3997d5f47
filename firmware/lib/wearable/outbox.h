// Sends the ring's packets: in order, so many in flight, again after a reconnect or when no ack comes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/span.h"
#include "board/board.h"
#include "link/ring.h"
#include "link/topics.h"

namespace salus::wearable {

class Outbox {
 public:
  static constexpr std::size_t kInFlight = 32;         // packets that the gateway did not acknowledge yet
  static constexpr std::uint32_t kLongestBackoff = 6;  // times the ack timeout

  // `buffer` holds the payload on its way from the ring to the network, during a call only.
  Outbox(Ring& ring, Network& network, MutableBytes buffer) : ring_(ring), network_(network), buffer_(buffer) {}

  void set_ack_timeout_ms(std::uint32_t timeout_ms) { ack_timeout_us_ = std::uint64_t{timeout_ms} * 1000; }

  // What was in flight may be lost: send all again.
  void reconnected();
  // Acks came: what they took out of the ring is no longer in flight.
  void settle();
  // Send one packet: the oldest whose ack is overdue, else the next fresh one while few are in flight. False when there
  // is nothing to send now, or the network takes nothing.
  [[nodiscard]] bool step(const Topics& topics, std::uint64_t now_us);

  [[nodiscard]] std::size_t in_flight() const { return count_; }
  [[nodiscard]] std::uint64_t resent() const { return resent_; }  // since the start

 private:
  struct Flight {
    RingPacket packet;
    std::uint64_t due_us;  // when to send again
    std::uint32_t tries;
  };

  [[nodiscard]] Flight* overdue(std::uint64_t now_us);
  [[nodiscard]] bool next(RingPacket& packet) const;
  [[nodiscard]] bool send(const Topics& topics, Flight& flight, std::uint64_t now_us);
  void forget(Flight& flight);

  Ring& ring_;
  Network& network_;
  MutableBytes buffer_;
  std::uint64_t ack_timeout_us_ = 10'000'000;
  Flight flights_[kInFlight] = {};
  std::size_t count_ = 0;
  RingPosition cursor_{};
  bool begun_ = false;  // cursor_ is of a packet that was sent
  std::uint64_t resent_ = 0;
};

}  // namespace salus::wearable
