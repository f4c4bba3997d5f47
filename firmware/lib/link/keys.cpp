#include "link/keys.h"

#include <cstring>

#include "link/topics.h"

namespace salus {
namespace {

LinkStatus derive(Bytes secret, Bytes chain_id, const char* direction, const char* device, LinkKey& key) {
  std::uint8_t info[16 + kMaxLinkIdLength];
  const std::size_t direction_length = std::strlen(direction);
  const std::size_t device_length = std::strlen(device);
  std::memcpy(info, direction, direction_length);
  std::memcpy(info + direction_length, device, device_length);
  const CryptoStatus status = hkdf_sha256(secret, chain_id, Bytes(info, direction_length + device_length),
                                          MutableBytes(key.data(), key.size()));
  return status == CryptoStatus::kOk ? LinkStatus::kOk : LinkStatus::kCryptoFailed;
}

}  // namespace

LinkStatus derive_keys(Bytes secret, Bytes chain_id, const char* device, LinkKeys& keys) {
  if (secret.size() != kLinkSecretBytes || !is_link_id(device)) return LinkStatus::kMalformed;
  const LinkStatus status = derive(secret, chain_id, "salus/1 up ", device, keys.up);
  return status == LinkStatus::kOk ? derive(secret, chain_id, "salus/1 down ", device, keys.down) : status;
}

void wipe(LinkKey& key) {
  // volatile: the compiler may not leave out what nobody reads afterwards.
  volatile std::uint8_t* bytes = key.data();
  for (std::size_t at = 0; at < key.size(); ++at) bytes[at] = 0;
}

}  // namespace salus
