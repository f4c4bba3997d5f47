#include "wearable/outbox.h"

#include <algorithm>

namespace salus::wearable {
namespace {

bool older(const RingPacket& left, const RingPacket& right) {
  return left.boot != right.boot ? left.boot < right.boot : left.sequence < right.sequence;
}

}  // namespace

void Outbox::reconnected() {
  count_ = 0;
  begun_ = false;
}

void Outbox::settle() {
  for (std::size_t at = 0; at < count_;) {
    if (ring_.waits(flights_[at].packet)) {
      ++at;
    } else {
      forget(flights_[at]);
    }
  }
}

bool Outbox::step(const Topics& topics, std::uint64_t now_us) {
  if (Flight* late = overdue(now_us); late != nullptr) return send(topics, *late, now_us);
  Flight fresh = {};
  if (count_ == kInFlight || !next(fresh.packet)) return false;
  Flight& flight = flights_[count_++] = fresh;
  const RingPosition at = fresh.packet.at;
  if (!send(topics, flight, now_us)) {
    --count_;  // the newest: it is still the last one here
    return false;
  }
  cursor_ = at;
  begun_ = true;
  return true;
}

Outbox::Flight* Outbox::overdue(std::uint64_t now_us) {
  Flight* oldest = nullptr;
  for (std::size_t at = 0; at < count_; ++at) {
    Flight& flight = flights_[at];
    if (flight.due_us <= now_us && (oldest == nullptr || older(flight.packet, oldest->packet))) oldest = &flight;
  }
  return oldest;
}

bool Outbox::next(RingPacket& packet) const { return begun_ ? ring_.after(cursor_, packet) : ring_.first(packet); }

bool Outbox::send(const Topics& topics, Flight& flight, std::uint64_t now_us) {
  const RingPacket packet = flight.packet;
  const LinkStatus status = ring_.read(packet, buffer_);
  // Gone meanwhile; or kept by a firmware with more memory than this one, and skipped until that is back.
  if (status == LinkStatus::kGone || status == LinkStatus::kTooLarge) {
    forget(flight);
    return true;
  }
  if (status != LinkStatus::kOk) return false;
  const MutableBytes payload = buffer_.first(packet.size);
  if (network_.publish(topics.of(packet.kind), payload, false) == 0) return false;
  ++flight.tries;
  if (flight.tries > 1) ++resent_;
  flight.due_us = now_us + ack_timeout_us_ * std::min(flight.tries, kLongestBackoff);
  return true;
}

void Outbox::forget(Flight& flight) {
  // The order is of no matter: the oldest is looked for.
  flight = flights_[count_ - 1];
  --count_;
}

}  // namespace salus::wearable
