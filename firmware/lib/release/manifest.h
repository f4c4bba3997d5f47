// A manifest as a wearable reads it, where it lies, and whether its parts fit each other.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/span.h"
#include "crypto/crypto.h"
#include "release/model.h"
#include "release/status.h"

namespace salus::release {

enum class SignerRole : std::uint8_t { kNone, kReleaseKey, kGatewayKey };

// The bytes under a signature, and the signature; empty for a factory's.
struct SignedManifest {
  Bytes manifest;
  Bytes signature;
};

// kOk, or kMalformed.
[[nodiscard]] ReleaseStatus read_signed(Bytes message, SignedManifest& found);

// Views point into the message.
struct Manifest {
  ActiveModel model;  // without its bytes
  std::uint32_t size_bytes = 0;
  bool base = false;
  bool personal = false;
  SignerRole signer = SignerRole::kNone;
  bool has_sha256 = false;  // 32 bytes, as all digests here
  bool has_rule = false;
  Bytes parent_sha256;  // of 0 to 32 bytes, in `digests`
  Bytes chain_id;
  Bytes frontend_sha256;
  Bytes base_template;  // serialised Template; empty: no personal models

  Manifest() = default;
  Manifest(const Manifest&) = delete;
  Manifest& operator=(const Manifest&) = delete;

  Digest digests[3] = {};
};

// What it says, unchecked. kOk, or kMalformed when it is no manifest.
[[nodiscard]] ReleaseStatus read_manifest(Bytes message, Manifest& found);

// kMalformed unless a base of the release key, or a personal model of the gateway's, has all that it must.
[[nodiscard]] ReleaseStatus check_form(const Manifest& manifest);

// Of `Template`: 0 when it cannot be read.
[[nodiscard]] std::uint32_t template_size_bytes(Bytes base_template);
// kOk when a model is the template with nothing but its regions changed, else kOtherTemplate.
[[nodiscard]] ReleaseStatus check_template(Bytes base_template, Bytes model);

}  // namespace salus::release
