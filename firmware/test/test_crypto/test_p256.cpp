// Keys and signatures of salus_chain.keys.KeySigner, over the domain `salus/test` and the message `a message`.
#include <gtest/gtest.h>

#include "crypto/crypto.h"
#include "hex.h"

namespace salus {
namespace {

const std::vector<std::uint8_t> kEvenKey = unhex("027c2b10e620cd128124335a6d521047351fa374d03ed807867819c88b8adb9a76");
const std::vector<std::uint8_t> kEvenSignature = unhex(
    "15143cbb510fcbe7c45236d22162c3bb860fdc512c5c0d625ec4fa964b3b494d"
    "6b56b4060da1803edcf3bb8ef032edf3c70872f8f273bb2c19d8b00b011186c9");
const std::vector<std::uint8_t> kOddKey = unhex("03523780babb15e31938b7512fb8cd516c4fe56b5f115bd4314e3cbcc021e53863");
const std::vector<std::uint8_t> kOddSignature = unhex(
    "947e0f65880fe0fd712ac07ba19c0c9ef0fc87be3d76437af52d3f361cbe1dd6"
    "51e6523eee5a09318bf651580b9ef3a973a080bb9a048598948e08e38054f050");
// Order of the group less the s of kEvenSignature: as good an ECDSA signature, which we refuse.
const std::string kHighS = "94a94bf8f25e7fc2230c44710fcd120bf5de87b4b4a3e358d9e11ab7fb519e88";
const std::string kZero(64, '0');
const std::string kOrder = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

Digest message() { return signed_digest("salus/test", text("a message")); }

TEST(P256, VerifiesWhatPythonSigned) {
  EXPECT_EQ(p256_verify(view(kEvenKey), view(kEvenSignature), message()), CryptoStatus::kOk);
  EXPECT_EQ(p256_verify(view(kOddKey), view(kOddSignature), message()), CryptoStatus::kOk);
}

TEST(P256, RefusesAnotherKeyDomainOrMessage) {
  EXPECT_EQ(p256_verify(view(kOddKey), view(kEvenSignature), message()), CryptoStatus::kNotAuthentic);
  EXPECT_EQ(p256_verify(view(kEvenKey), view(kEvenSignature), signed_digest("salus/other", text("a message"))),
            CryptoStatus::kNotAuthentic);
  EXPECT_EQ(p256_verify(view(kEvenKey), view(kEvenSignature), signed_digest("salus/test", text("a massage"))),
            CryptoStatus::kNotAuthentic);
  auto negated = kEvenKey;
  negated[0] = 3;  // the other root of the same x
  EXPECT_EQ(p256_verify(view(negated), view(kEvenSignature), message()), CryptoStatus::kNotAuthentic);
}

TEST(P256, RefusesHighS) {
  const auto signature = unhex(hex(view(kEvenSignature).first(32)) + kHighS);
  EXPECT_EQ(p256_verify(view(kEvenKey), view(signature), message()), CryptoStatus::kNotAuthentic);
}

TEST(P256, RefusesNumbersOutsideOfTheGroup) {
  const std::string r = hex(view(kEvenSignature).first(32)), s = hex(view(kEvenSignature).from(32));
  for (const std::string& digits : {kZero + s, r + kZero, kOrder + s, r + kOrder, kZero + kZero}) {
    const auto signature = unhex(digits);
    EXPECT_EQ(p256_verify(view(kEvenKey), view(signature), message()), CryptoStatus::kNotAuthentic) << digits;
  }
}

TEST(P256, RefusesAChangeOfAnyByteOfTheSignature) {
  for (std::size_t at = 0; at < kSignatureBytes; ++at) {
    auto changed = kEvenSignature;
    changed[at] ^= 0x10;
    EXPECT_EQ(p256_verify(view(kEvenKey), view(changed), message()), CryptoStatus::kNotAuthentic) << at;
  }
}

TEST(P256, RefusesWrongSizes) {
  EXPECT_EQ(p256_verify(view(kEvenKey), view(kEvenSignature).first(63), message()), CryptoStatus::kWrongSize);
  EXPECT_EQ(p256_verify(view(kEvenKey).first(32), view(kEvenSignature), message()), CryptoStatus::kWrongSize);
}

TEST(P256, KnowsAPointOfTheCurve) {
  EXPECT_TRUE(is_p256_public_key(view(kEvenKey)));
  EXPECT_TRUE(is_p256_public_key(view(kOddKey)));
  const auto x = [](const char* prefix, const std::string& digits) {
    const auto key = unhex(prefix + std::string(64 - digits.size(), '0') + digits);
    return is_p256_public_key(view(key));
  };
  EXPECT_FALSE(x("02", "1"));  // as salus_chain.keys.is_public_key: 1 is the x of no point, 5 is
  EXPECT_TRUE(x("02", "5"));
  EXPECT_FALSE(x("04", "5"));
  EXPECT_FALSE(x("00", "5"));
  // p + 5 stands for 5 in no encoding.
  EXPECT_FALSE(x("02", "ffffffff00000001000000000000000000000001000000000000000000000004"));
  EXPECT_FALSE(is_p256_public_key({}));
}

}  // namespace
}  // namespace salus
