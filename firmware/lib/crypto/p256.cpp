// ECDSA verification on P-256 with compressed keys, which mbedTLS 2.28 cannot read.
#include <mbedtls/bignum.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/ecp.h>

#include "crypto/crypto.h"
#include "crypto/memory.h"

namespace salus {
namespace {

constexpr std::size_t kCoordinateBytes = 32;

class Number {
 public:
  Number() { mbedtls_mpi_init(&value_); }
  ~Number() { mbedtls_mpi_free(&value_); }
  Number(const Number&) = delete;
  Number& operator=(const Number&) = delete;

  operator mbedtls_mpi*() { return &value_; }

 private:
  mbedtls_mpi value_;
};

class Curve {
 public:
  Curve() {
    start_crypto_memory();
    mbedtls_ecp_group_init(&group_);
    mbedtls_ecp_point_init(&key_);
    status_ =
        mbedtls_ecp_group_load(&group_, MBEDTLS_ECP_DP_SECP256R1) == 0 ? CryptoStatus::kOk : CryptoStatus::kFailed;
  }
  ~Curve() {
    mbedtls_ecp_point_free(&key_);
    mbedtls_ecp_group_free(&group_);
  }
  Curve(const Curve&) = delete;
  Curve& operator=(const Curve&) = delete;

  // y = (x^3 - 3x + b)^((p + 1) / 4) mod p, which is a root since p is 3 mod 4 (SEC 1, 2.3.4).
  CryptoStatus read_key(Bytes compressed) {
    if (status_ != CryptoStatus::kOk) return status_;
    if (compressed.size() != kPublicKeyBytes) return CryptoStatus::kWrongSize;
    if (compressed[0] != 2 && compressed[0] != 3) return CryptoStatus::kNotAuthentic;

    std::uint8_t point[1 + 2 * kCoordinateBytes] = {4};
    for (std::size_t at = 1; at <= kCoordinateBytes; ++at) point[at] = compressed[at];
    Number x, y, exponent;
    if (mbedtls_mpi_read_binary(x, point + 1, kCoordinateBytes) != 0) return CryptoStatus::kFailed;
    if (mbedtls_mpi_cmp_mpi(x, &group_.P) >= 0) return CryptoStatus::kNotAuthentic;
    const bool rooted = mbedtls_mpi_mul_mpi(y, x, x) == 0 && mbedtls_mpi_sub_int(y, y, 3) == 0 &&
                        mbedtls_mpi_mul_mpi(y, y, x) == 0 && mbedtls_mpi_add_mpi(y, y, &group_.B) == 0 &&
                        mbedtls_mpi_mod_mpi(y, y, &group_.P) == 0 && mbedtls_mpi_add_int(exponent, &group_.P, 1) == 0 &&
                        mbedtls_mpi_shift_r(exponent, 2) == 0 &&
                        mbedtls_mpi_exp_mod(y, y, exponent, &group_.P, nullptr) == 0;
    if (!rooted) return CryptoStatus::kFailed;
    if (mbedtls_mpi_get_bit(y, 0) != (compressed[0] & 1) && mbedtls_mpi_sub_mpi(y, &group_.P, y) != 0) {
      return CryptoStatus::kFailed;
    }
    if (mbedtls_mpi_write_binary(y, point + 1 + kCoordinateBytes, kCoordinateBytes) != 0) return CryptoStatus::kFailed;
    if (mbedtls_ecp_point_read_binary(&group_, &key_, point, sizeof point) != 0) return CryptoStatus::kFailed;
    // A number that has no root gives a point beside the curve.
    return mbedtls_ecp_check_pubkey(&group_, &key_) == 0 ? CryptoStatus::kOk : CryptoStatus::kNotAuthentic;
  }

  CryptoStatus verify(Bytes signature, const Digest& digest) {
    Number r, s, half;
    if (mbedtls_mpi_read_binary(r, signature.data(), kCoordinateBytes) != 0 ||
        mbedtls_mpi_read_binary(s, signature.data() + kCoordinateBytes, kCoordinateBytes) != 0 ||
        mbedtls_mpi_copy(half, &group_.N) != 0 || mbedtls_mpi_shift_r(half, 1) != 0) {
      return CryptoStatus::kFailed;
    }
    if (mbedtls_mpi_cmp_mpi(s, half) > 0) return CryptoStatus::kNotAuthentic;
    const int result = mbedtls_ecdsa_verify(&group_, digest.data(), digest.size(), &key_, r, s);
    if (result == 0) return CryptoStatus::kOk;
    return result == MBEDTLS_ERR_ECP_VERIFY_FAILED ? CryptoStatus::kNotAuthentic : CryptoStatus::kFailed;
  }

 private:
  mbedtls_ecp_group group_;
  mbedtls_ecp_point key_;
  CryptoStatus status_;
};

}  // namespace

CryptoStatus p256_verify(Bytes public_key, Bytes signature, const Digest& digest) {
  if (signature.size() != kSignatureBytes) return CryptoStatus::kWrongSize;
  Curve curve;
  const CryptoStatus read = curve.read_key(public_key);
  return read == CryptoStatus::kOk ? curve.verify(signature, digest) : read;
}

bool is_p256_public_key(Bytes data) {
  Curve curve;
  return curve.read_key(data) == CryptoStatus::kOk;
}

}  // namespace salus
