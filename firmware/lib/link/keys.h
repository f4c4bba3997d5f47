// The two keys of one device's link.
#pragma once

#include <array>

#include "crypto/crypto.h"
#include "link/status.h"

namespace salus {

constexpr std::size_t kLinkSecretBytes = 32;
using LinkKey = std::array<std::uint8_t, kAesKeyBytes>;

struct LinkKeys {
  LinkKey up;    // for what the wearable says
  LinkKey down;  // for what it hears
};

// HKDF-SHA-256 of the secret: salt the chain id, info `salus/1 up ` (or down) and the device.
// kMalformed: a secret that is not 32 bytes, or a device that is no link id.
[[nodiscard]] LinkStatus derive_keys(Bytes secret, Bytes chain_id, const char* device, LinkKeys& keys);

// Overwrite a key that is needed no longer.
void wipe(LinkKey& key);

}  // namespace salus
