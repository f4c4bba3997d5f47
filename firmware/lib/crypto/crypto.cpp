#include "crypto/crypto.h"

#include <mbedtls/gcm.h>
#include <mbedtls/hkdf.h>
#include <mbedtls/md.h>
#include <mbedtls/sha256.h>
#include <mbedtls/version.h>

#include <cstring>
#include <new>

#include "crypto/memory.h"

#if MBEDTLS_VERSION_NUMBER < 0x03000000
#define mbedtls_sha256_starts mbedtls_sha256_starts_ret
#define mbedtls_sha256_update mbedtls_sha256_update_ret
#define mbedtls_sha256_finish mbedtls_sha256_finish_ret
#endif

namespace salus {
namespace {

mbedtls_sha256_context* context_of(std::uint8_t* storage) { return reinterpret_cast<mbedtls_sha256_context*>(storage); }

// A GCM context that is always freed, and with it the expanded key.
class Gcm {
 public:
  explicit Gcm(Bytes key) {
    start_crypto_memory();
    mbedtls_gcm_init(&context_);
    ready_ = mbedtls_gcm_setkey(&context_, MBEDTLS_CIPHER_ID_AES, key.data(), kAesKeyBytes * 8) == 0;
  }
  ~Gcm() { mbedtls_gcm_free(&context_); }
  Gcm(const Gcm&) = delete;
  Gcm& operator=(const Gcm&) = delete;

  mbedtls_gcm_context* get() { return ready_ ? &context_ : nullptr; }

 private:
  mbedtls_gcm_context context_;
  bool ready_ = false;
};

bool sized(Bytes key, Bytes nonce) { return key.size() == kAesKeyBytes && nonce.size() == kNonceBytes; }

void clear(MutableBytes data) {
  if (!data.empty()) std::memset(data.data(), 0, data.size());
}

}  // namespace

const char* code_of(CryptoStatus status) {
  switch (status) {
    case CryptoStatus::kOk:
      return "ok";
    case CryptoStatus::kWrongSize:
      return "wrong_size";
    case CryptoStatus::kNotAuthentic:
      return "not_authentic";
    case CryptoStatus::kFailed:
      break;
  }
  return "crypto_failed";
}

Sha256::Sha256() {
  static_assert(sizeof(mbedtls_sha256_context) <= kContextBytes && alignof(mbedtls_sha256_context) <= 8);
  new (context_) mbedtls_sha256_context;
  mbedtls_sha256_init(context_of(context_));
  reset();
}

Sha256::~Sha256() { mbedtls_sha256_free(context_of(context_)); }

// The software's SHA-256 cannot fail, and ESP32's drivers only wait for their turn: the results say nothing.
void Sha256::reset() { (void)mbedtls_sha256_starts(context_of(context_), 0); }

void Sha256::update(Bytes data) {
  if (!data.empty()) (void)mbedtls_sha256_update(context_of(context_), data.data(), data.size());
}

Digest Sha256::finish() {
  Digest digest{};
  (void)mbedtls_sha256_finish(context_of(context_), digest.data());
  reset();
  return digest;
}

Digest sha256(Bytes data) {
  Sha256 hash;
  hash.update(data);
  return hash.finish();
}

bool equal_constant_time(Bytes left, Bytes right) {
  if (left.size() != right.size()) return false;
  volatile std::uint8_t difference = 0;
  for (std::size_t at = 0; at < left.size(); ++at) {
    difference = static_cast<std::uint8_t>(difference | (left[at] ^ right[at]));
  }
  return difference == 0;
}

CryptoStatus hkdf_sha256(Bytes secret, Bytes salt, Bytes info, MutableBytes out) {
  if (secret.empty() || out.empty() || out.size() > 255 * kDigestBytes) return CryptoStatus::kWrongSize;
  start_crypto_memory();
  const int result = mbedtls_hkdf(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), salt.data(), salt.size(), secret.data(),
                                  secret.size(), info.data(), info.size(), out.data(), out.size());
  if (result == 0) return CryptoStatus::kOk;
  clear(out);
  return CryptoStatus::kFailed;
}

CryptoStatus aes256_gcm_seal(Bytes key, Bytes nonce, Bytes additional, Bytes plaintext, MutableBytes sealed) {
  if (!sized(key, nonce) || sealed.size() != plaintext.size() + kTagBytes) return CryptoStatus::kWrongSize;
  Gcm gcm(key);
  if (gcm.get() == nullptr) return CryptoStatus::kFailed;
  const int result = mbedtls_gcm_crypt_and_tag(gcm.get(), MBEDTLS_GCM_ENCRYPT, plaintext.size(), nonce.data(),
                                               nonce.size(), additional.data(), additional.size(), plaintext.data(),
                                               sealed.data(), kTagBytes, sealed.from(plaintext.size()).data());
  if (result == 0) return CryptoStatus::kOk;
  clear(sealed);
  return CryptoStatus::kFailed;
}

CryptoStatus aes256_gcm_open(Bytes key, Bytes nonce, Bytes additional, Bytes sealed, MutableBytes plaintext) {
  if (!sized(key, nonce) || sealed.size() != plaintext.size() + kTagBytes) {
    clear(plaintext);
    return CryptoStatus::kWrongSize;
  }
  Gcm gcm(key);
  int result = MBEDTLS_ERR_GCM_BAD_INPUT;
  if (gcm.get() != nullptr) {
    result = mbedtls_gcm_auth_decrypt(gcm.get(), plaintext.size(), nonce.data(), nonce.size(), additional.data(),
                                      additional.size(), sealed.from(plaintext.size()).data(), kTagBytes, sealed.data(),
                                      plaintext.data());
  }
  if (result == 0) return CryptoStatus::kOk;
  clear(plaintext);
  return result == MBEDTLS_ERR_GCM_AUTH_FAILED ? CryptoStatus::kNotAuthentic : CryptoStatus::kFailed;
}

Digest signed_digest(const char* domain, Bytes message) {
  Sha256 hash;
  hash.update({reinterpret_cast<const std::uint8_t*>(domain), std::strlen(domain) + 1});  // with its zero
  hash.update(message);
  return hash.finish();
}

}  // namespace salus
