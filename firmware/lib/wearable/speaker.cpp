#include "wearable/speaker.h"

#include <algorithm>

namespace salus::wearable {

LinkStatus Speaker::start(Bytes up_key, std::uint32_t boot, const Topics& topics) {
  const LinkStatus status = sealer_.start(up_key, boot);
  topics_ = status == LinkStatus::kOk ? &topics : nullptr;
  return status;
}

LinkStatus Speaker::seal(Kind kind, Bytes plaintext, Sealed& sealed) {
  if (topics_ == nullptr) return LinkStatus::kNotEnrolled;
  return sealer_.seal(topics_->of(kind), plaintext, packet_, sealed);
}

std::size_t Speaker::max_plaintext_bytes() const {
  const std::size_t payload = std::min(packet_.size(), ring_.max_payload_bytes());
  return payload > kPacketOverheadBytes ? payload - kPacketOverheadBytes : 0;
}

LinkStatus Speaker::say(Kind kind, Bytes plaintext) {
  Sealed sealed{};
  LinkStatus status = seal(kind, plaintext, sealed);
  if (status != LinkStatus::kOk) return status;
  make_room();
  status = ring_.append(kind, sealed);
  if (status != LinkStatus::kOk) return status;
  largest_payload_bytes_ = std::max(largest_payload_bytes_, sealed.payload.size());
  ++tally_.now.packets;
  tally_.now.sent_bytes[static_cast<std::size_t>(kind)] += sealed.payload.size();
  tally_.packet_sealed();
  return LinkStatus::kOk;
}

void Speaker::make_room() {
  while (ring_.packets() >= bound_ && ring_.drop_oldest()) {
  }
}

LinkStatus Speaker::once(Kind kind, Bytes plaintext, Bytes& payload) {
  Sealed sealed{};
  const LinkStatus status = seal(kind, plaintext, sealed);
  if (status != LinkStatus::kOk) return status;
  tally_.now.sent_bytes[static_cast<std::size_t>(kind)] += sealed.payload.size();
  payload = sealed.payload;
  return LinkStatus::kOk;
}

}  // namespace salus::wearable
