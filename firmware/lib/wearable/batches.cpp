#include "wearable/batches.h"

#include <algorithm>
#include <cstring>

#include "crypto/crypto.h"

namespace salus::wearable {

LinkStatus FeatureBatch::add(const Measured& of, std::uint64_t start_ms, Span<const std::int8_t> values,
                             Span<const std::int16_t> aux) {
  LinkStatus status = encoder_.count() != 0 ? encoder_.add(start_ms, values, aux) : LinkStatus::kMalformed;
  if (status != LinkStatus::kOk) {
    // The first one, a full buffer, or one that does not fit with those before: a packet of its own begins.
    status = flush();
    if (status != LinkStatus::kOk) return status;
    const FeaturesHeader header{of.task, of.model_version, of.base_sha256, of.window_duration_ms};
    of_ = of;
    const std::size_t room = std::min(memory_.size(), speaker_.max_plaintext_bytes());
    status = encoder_.begin(header, memory_.first(room), start_ms);
    if (status == LinkStatus::kOk) status = encoder_.add(start_ms, values, aux);
    if (status != LinkStatus::kOk) return status;
  }
  start_ms_[encoder_.count() - 1] = start_ms;
  ++tally_.now.features;
  return encoder_.count() >= per_packet_ ? flush() : LinkStatus::kOk;
}

LinkStatus FeatureBatch::flush() {
  const std::size_t count = encoder_.count();
  if (count == 0) return LinkStatus::kOk;
  tally_.now.raw_window_bytes +=
      raw_window_bytes(of_, Span<const std::uint64_t>(start_ms_, count), windows_per_packet_);
  return speaker_.say(Kind::kFeature, encoder_.take());
}

LinkStatus WindowBatch::add(const Measured& of, std::uint64_t start_ms, Span<const float> values,
                            Span<const std::int16_t> aux, Bytes consent) {
  const std::size_t window_bytes = values.size() * sizeof(float) + (aux.size() * sizeof(std::int16_t) + 3) / 4 * 4;
  if (window_bytes > memory_.size() || consent.size() != kConsentBytes) return LinkStatus::kTooLarge;
  const bool other = count_ != 0 && (std::memcmp(consent_, consent.data(), kConsentBytes) != 0 ||
                                     start_ms < views_[0].start_ms || start_ms - views_[0].start_ms > UINT32_MAX);
  const bool full = (count_ + 1) * window_bytes > memory_.size() || !sealable(of, count_ + 1);
  if (other || full) {
    const LinkStatus status = flush();
    if (status != LinkStatus::kOk) return status;
  }
  std::uint8_t* at = memory_.data() + count_ * window_bytes;
  std::memcpy(at, values.data(), values.size() * sizeof(float));
  std::uint8_t* behind = at + values.size() * sizeof(float);
  if (!aux.empty()) std::memcpy(behind, aux.data(), aux.size() * sizeof(std::int16_t));
  std::memcpy(consent_, consent.data(), kConsentBytes);
  of_ = of;
  views_[count_++] = {start_ms, Span<const float>(reinterpret_cast<const float*>(at), values.size()),
                      Span<const std::int16_t>(reinterpret_cast<const std::int16_t*>(behind), aux.size())};
  return count_ >= std::min(per_packet_, Provisioning::kMaxWindowsPerPacket) ? flush() : LinkStatus::kOk;
}

// Whether so many windows have room in one packet.
bool WindowBatch::sealable(const Measured& of, std::size_t count) const {
  constexpr std::size_t kHeaderBytes = 160;  // all fields beside the windows, the task's name at its longest
  constexpr std::size_t kFieldBytes = 24;    // around one window
  const std::size_t each = 2 * (std::size_t{of.rows} * of.channels + of.aux) + kFieldBytes;
  return kHeaderBytes + count * each <= speaker_.max_plaintext_bytes();
}

LinkStatus WindowBatch::flush() {
  const std::uint32_t count = count_;
  count_ = 0;
  if (count == 0) return LinkStatus::kOk;
  const WindowsHeader header{of_.task, of_.window_duration_ms, of_.rows, of_.channels, consent_};
  Bytes plaintext;
  LinkStatus status = encode_windows(header, Span<const WindowView>(views_, count), speaker_.draft(), plaintext);
  if (status == LinkStatus::kOk) status = speaker_.say(Kind::kWindow, plaintext);
  if (status == LinkStatus::kOk) tally_.now.windows += count;
  return status;
}

namespace {

std::uint64_t varint_bytes(std::uint64_t value) {
  std::uint64_t bytes = 1;
  while (value >>= 7) ++bytes;
  return bytes;
}

// A field with a number below 16: tag, then the value; left out when it is 0, as proto3 has it.
std::uint64_t number_field(std::uint64_t value) { return value != 0 ? 1 + varint_bytes(value) : 0; }
std::uint64_t bytes_field(std::uint64_t size) { return size != 0 ? 1 + varint_bytes(size) + size : 0; }

}  // namespace

std::uint64_t raw_window_bytes(const Measured& of, Span<const std::uint64_t> start_ms, std::uint32_t per_packet) {
  constexpr std::uint64_t kScaleField = 1 + sizeof(float);
  const std::uint64_t values = bytes_field(std::uint64_t{2} * of.rows * of.channels) + bytes_field(2 * of.aux);
  std::uint64_t total = 0, sequence = 1;
  for (std::size_t first = 0; first < start_ms.size(); first += per_packet, ++sequence) {
    std::uint64_t plain = bytes_field(std::strlen(of.task)) + number_field(start_ms[first]) +
                          number_field(of.window_duration_ms) + number_field(of.rows) + number_field(of.channels) +
                          kScaleField + bytes_field(kConsentBytes);
    const std::size_t last = std::min<std::size_t>(start_ms.size(), first + per_packet);
    for (std::size_t at = first; at < last; ++at)
      plain += bytes_field(number_field(start_ms[at] - start_ms[first]) + values);
    total += number_field(kPacketVersion) + number_field(1) + number_field(sequence) + bytes_field(plain + kTagBytes);
  }
  return total;
}

}  // namespace salus::wearable
