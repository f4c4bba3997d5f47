#include "link/opener.h"

#include <cstring>

#include "link.pb.h"
#include "link/packet.h"
#include "link/reading.h"

namespace salus {
namespace {

// Whether the first field, the version, is right as far as it goes, so that the fault lies further back.
bool is_cut_short(Bytes payload) {
  return (payload.size() < 1 || payload[0] == 0x08) && (payload.size() < 2 || payload[1] == kPacketVersion);
}

LinkStatus read_packet(Bytes payload, salus_link_v1_Packet& packet, Bytes& ciphertext) {
  packet = salus_link_v1_Packet_init_zero;
  packet.ciphertext = BufferReader::into(ciphertext);
  BufferReader reader(payload);
  if (!pb_decode(reader.stream(), salus_link_v1_Packet_fields, &packet)) {
    return is_cut_short(payload) ? LinkStatus::kTruncated : LinkStatus::kMalformed;
  }
  if (payload.empty()) return LinkStatus::kTruncated;
  if (packet.version != kPacketVersion) return LinkStatus::kWrongVersion;
  if (ciphertext.size() < kTagBytes) return LinkStatus::kTruncated;
  if (packet.boot == 0 || packet.sequence == 0) return LinkStatus::kMalformed;
  return LinkStatus::kOk;
}

}  // namespace

LinkStatus open_packet(Bytes key, const char* topic, Bytes payload, MutableBytes out, Opened& opened) {
  if (payload.size() > kMaxPacketBytes) return LinkStatus::kTooLarge;
  salus_link_v1_Packet packet;
  Bytes ciphertext;
  const LinkStatus read = read_packet(payload, packet, ciphertext);
  if (read != LinkStatus::kOk) return read;
  const PacketHeader header(topic, packet.boot, packet.sequence);
  if (!header.good()) return LinkStatus::kMalformed;
  if (ciphertext.size() > out.size()) return LinkStatus::kTooLarge;

  // To its place first: deciphering may begin where it reads, but not just before it.
  std::memmove(out.data(), ciphertext.data(), ciphertext.size());
  const MutableBytes plaintext = out.first(ciphertext.size() - kTagBytes);
  const PacketNonce nonce(packet.boot, packet.sequence);
  switch (aes256_gcm_open(key, Bytes(nonce.bytes), header.bytes(), out.first(ciphertext.size()), plaintext)) {
    case CryptoStatus::kOk:
      opened = {packet.boot, packet.sequence, plaintext};
      return LinkStatus::kOk;
    case CryptoStatus::kNotAuthentic:
      return LinkStatus::kWrongKey;
    case CryptoStatus::kWrongSize:
    case CryptoStatus::kFailed:
      break;
  }
  return LinkStatus::kCryptoFailed;
}

Opener::~Opener() { wipe(key_); }

LinkStatus Opener::start(Bytes key) {
  if (key.size() != key_.size()) return LinkStatus::kMalformed;
  std::memcpy(key_.data(), key.data(), key.size());
  return LinkStatus::kOk;
}

LinkStatus Opener::open(Kind kind, const char* topic, Bytes payload, MutableBytes out, Opened& opened) {
  if (!is_downward(kind)) return LinkStatus::kMalformed;
  const LinkStatus status = open_packet(Bytes(key_.data(), key_.size()), topic, payload, out, opened);
  return status == LinkStatus::kOk ? counters_.accept(kind, opened.boot, opened.sequence) : status;
}

}  // namespace salus
