#include "link/sealer.h"

#include <pb_encode.h>

#include <cstring>
#include <limits>

#include "link.pb.h"
#include "link/packet.h"

namespace salus {
namespace {

// All of a serialised Packet before the ciphertext.
std::size_t put_fields(std::uint32_t boot, std::uint64_t sequence, std::size_t ciphertext_bytes, MutableBytes out) {
  pb_ostream_t stream = pb_ostream_from_buffer(out.data(), out.size());
  const bool done =
      pb_encode_tag(&stream, PB_WT_VARINT, salus_link_v1_Packet_version_tag) &&
      pb_encode_varint(&stream, kPacketVersion) &&
      pb_encode_tag(&stream, PB_WT_VARINT, salus_link_v1_Packet_boot_tag) && pb_encode_varint(&stream, boot) &&
      pb_encode_tag(&stream, PB_WT_VARINT, salus_link_v1_Packet_sequence_tag) && pb_encode_varint(&stream, sequence) &&
      pb_encode_tag(&stream, PB_WT_STRING, salus_link_v1_Packet_ciphertext_tag) &&
      pb_encode_varint(&stream, ciphertext_bytes);
  return done ? stream.bytes_written : 0;
}

}  // namespace

Sealer::~Sealer() { wipe(key_); }

LinkStatus Sealer::start(Bytes key, std::uint32_t boot) {
  if (key.size() != key_.size() || boot == 0) return LinkStatus::kMalformed;
  std::memcpy(key_.data(), key.data(), key.size());
  boot_ = boot;
  sequence_ = 0;
  return LinkStatus::kOk;
}

LinkStatus Sealer::seal(const char* topic, Bytes plaintext, MutableBytes out, Sealed& sealed) {
  if (boot_ == 0) return LinkStatus::kNotEnrolled;
  if (sequence_ == std::numeric_limits<std::uint64_t>::max()) return LinkStatus::kUsedUp;
  if (plaintext.size() > kMaxPacketBytes) return LinkStatus::kTooLarge;
  const std::uint64_t sequence = sequence_ + 1;
  const PacketHeader header(topic, boot_, sequence);
  if (!header.good()) return LinkStatus::kMalformed;

  std::uint8_t fields[kPacketOverheadBytes];
  const std::size_t ciphertext_bytes = plaintext.size() + kTagBytes;
  const std::size_t fields_bytes = put_fields(boot_, sequence, ciphertext_bytes, MutableBytes(fields));
  const std::size_t size = fields_bytes + ciphertext_bytes;
  if (size > kMaxPacketBytes || size > out.size()) return LinkStatus::kTooLarge;

  // First the plaintext to its place, since it may lie where the fields go; then nothing of it is needed elsewhere.
  if (!plaintext.empty()) std::memmove(out.data() + fields_bytes, plaintext.data(), plaintext.size());
  std::memcpy(out.data(), fields, fields_bytes);
  sequence_ = sequence;  // before the nonce is used: a failure must not use it again
  const PacketNonce nonce(boot_, sequence);
  const CryptoStatus status =
      aes256_gcm_seal(Bytes(key_.data(), key_.size()), Bytes(nonce.bytes), header.bytes(),
                      Bytes(out.data() + fields_bytes, plaintext.size()), out.part(fields_bytes, ciphertext_bytes));
  if (status != CryptoStatus::kOk) return LinkStatus::kCryptoFailed;
  sealed = {boot_, sequence, out.first(size)};
  return LinkStatus::kOk;
}

}  // namespace salus
