// The five operations that the device link and the releases stand on. Nothing here keeps a key.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/span.h"

namespace salus {

constexpr std::size_t kDigestBytes = 32;
constexpr std::size_t kAesKeyBytes = 32;
constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;
constexpr std::size_t kPublicKeyBytes = 33;  // compressed P-256 point (SEC 1)
constexpr std::size_t kSignatureBytes = 64;  // r‖s

using Digest = std::array<std::uint8_t, kDigestBytes>;

enum class CryptoStatus : std::uint8_t {
  kOk,
  kWrongSize,     // an argument has a size that the operation does not have
  kNotAuthentic,  // the tag or the signature is not the key's
  kFailed,        // the cryptographic library had no memory, or its hardware failed
};

[[nodiscard]] const char* code_of(CryptoStatus status);

// SHA-256 of bytes that come in pieces. After `finish` it starts anew.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void reset();
  void update(Bytes data);
  [[nodiscard]] Digest finish();

 private:
  static constexpr std::size_t kContextBytes = 256;
  alignas(8) std::uint8_t context_[kContextBytes];  // the library's own; crypto.cpp checks that it fits
};

[[nodiscard]] Digest sha256(Bytes data);

// Whether two byte strings are equal, in a time that tells nothing of where they differ.
[[nodiscard]] bool equal_constant_time(Bytes left, Bytes right);

// RFC 5869, up to 255 * 32 bytes of `out`.
[[nodiscard]] CryptoStatus hkdf_sha256(Bytes secret, Bytes salt, Bytes info, MutableBytes out);

// AES-256-GCM as Python's AESGCM: `sealed` is the ciphertext, then the tag, plaintext.size() + kTagBytes in all.
// `sealed` may begin where `plaintext` begins.
[[nodiscard]] CryptoStatus aes256_gcm_seal(Bytes key, Bytes nonce, Bytes additional, Bytes plaintext,
                                           MutableBytes sealed);

// The inverse; `plaintext` has sealed.size() - kTagBytes bytes, may begin where `sealed` begins, and is all zero unless
// the status is kOk.
[[nodiscard]] CryptoStatus aes256_gcm_open(Bytes key, Bytes nonce, Bytes additional, Bytes sealed,
                                           MutableBytes plaintext);

// ECDSA on P-256 of a SHA-256 digest. As salus_chain.keys: high s, a point off the curve and r or s outside of the
// group's order are not authentic. What is signed is domain ‖ 0x00 ‖ message; `signed_digest` hashes that.
[[nodiscard]] CryptoStatus p256_verify(Bytes public_key, Bytes signature, const Digest& digest);
[[nodiscard]] Digest signed_digest(const char* domain, Bytes message);

// Whether these are the 33 bytes of a point on P-256.
[[nodiscard]] bool is_p256_public_key(Bytes data);

// The most bytes that the cryptographic library has held at once, and what it may hold; both 0 where it uses the heap.
struct CryptoMemory {
  std::size_t high_water_bytes;
  std::size_t total_bytes;
};
[[nodiscard]] CryptoMemory crypto_memory();

}  // namespace salus
