// Who this wearable is, which broker it talks to and how it is set: told once over the console, kept in the Store.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/span.h"
#include "board/board.h"
#include "console/messages.h"
#include "crypto/crypto.h"
#include "link/counters.h"
#include "link/keys.h"

namespace salus::wearable {

inline constexpr std::size_t kMaxIdLength = 40;  // of federation and device, as in a topic

// Set once, until a factory erase. A text of length 0, or bytes that are all 0, are not known yet.
struct Identity {
  char device[kMaxIdLength + 1];
  char federation[kMaxIdLength + 1];
  std::uint8_t link_secret[kLinkSecretBytes];
  std::uint8_t chain_id[kDigestBytes];
  std::uint8_t release_public_key[kPublicKeyBytes];
  std::uint8_t gateway_public_key[kPublicKeyBytes];  // may stay unknown: then no personal release is taken
};

// May change at any time.
struct Settings {
  std::uint32_t ring_packets = 4096;
  std::uint32_t features_per_packet = 8;
  std::uint32_t windows_per_packet = 4;
  std::uint32_t ack_timeout_ms = 10'000;
  std::uint32_t wrist = 0;  // as console::Wrist
};

class Provisioning {
 public:
  // The most that one packet carries, for which there is memory.
  static constexpr std::uint32_t kMaxFeaturesPerPacket = 32;
  static constexpr std::uint32_t kMaxWindowsPerPacket = 8;

  // `counters` start anew with each new link secret.
  Provisioning(Store& store, Counters& counters) : store_(store), counters_(counters) {}

  // What an earlier start kept. False: the store fails.
  [[nodiscard]] bool load();
  // Take what was given and leave the rest. Codes: `malformed`, `already_set`, `spent_secret`, `store_failed`. Nothing
  // of a request with one of the first three is kept.
  console::Outcome apply(const console::Provision& request);
  // Forget all but the mark of the secret, which must not come again: what was heard under it is forgotten, too.
  [[nodiscard]] bool erase();

  // Whether all is known that a link needs.
  [[nodiscard]] bool complete() const;
  [[nodiscard]] const Identity& identity() const { return identity_; }
  [[nodiscard]] const Settings& settings() const { return settings_; }
  [[nodiscard]] const char* wifi_ssid() const { return wifi_ssid_; }
  [[nodiscard]] const char* wifi_password() const { return wifi_password_; }
  // `client_id` is the caller's to add.
  [[nodiscard]] Broker broker() const;
  // Rises whenever something changes that a connection is made with.
  [[nodiscard]] std::uint32_t broker_generation() const { return broker_generation_; }

 private:
  struct Text;
  static constexpr std::size_t kTexts = 6;

  void texts(const console::Provision* request, Text (&out)[kTexts]);
  [[nodiscard]] bool spent(Bytes secret) const;
  console::Outcome merge_identity(const console::Provision& request, Identity& identity) const;

  Store& store_;
  Counters& counters_;
  Identity identity_ = {};
  Settings settings_;
  char wifi_ssid_[33] = {};      // IEEE 802.11: at most 32 bytes
  char wifi_password_[65] = {};  // WPA2: at most 63 characters, or 64 hexadecimal digits
  char broker_url_[257] = {};
  char broker_ca_pem_[4001] = {};  // an NVS value of a 4 KB page
  char certificate_pem_[2049] = {};
  char key_pem_[2049] = {};
  std::uint32_t broker_generation_ = 0;
};

}  // namespace salus::wearable
