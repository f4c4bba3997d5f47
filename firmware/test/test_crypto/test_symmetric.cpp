// Vectors of FIPS 180-2 and RFC 5869; what names Python was made by salus_edge.link.seal and its AESGCM.
#include <gtest/gtest.h>

#include <numeric>

#include "crypto/crypto.h"
#include "hex.h"

namespace salus {
namespace {

std::vector<std::uint8_t> counting(std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
  return bytes;
}

std::string hex_of(const Digest& digest) { return hex({digest.data(), digest.size()}); }

TEST(Sha256, HashesTheVectorsOfFips180) {
  EXPECT_EQ(hex_of(sha256(text("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex_of(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Sha256, TakesItsBytesInAnyPieces) {
  const auto data = counting(200);
  const Digest whole = sha256(view(data));
  for (std::size_t cut = 0; cut <= data.size(); ++cut) {
    Sha256 hash;
    hash.update(view(data).first(cut));
    hash.update(view(data).from(cut));
    ASSERT_EQ(hash.finish(), whole) << cut;
  }
}

TEST(Sha256, StartsAnewAfterFinishAndReset) {
  Sha256 hash;
  hash.update(text("something else"));
  (void)hash.finish();
  hash.update(text("abc"));
  EXPECT_EQ(hash.finish(), sha256(text("abc")));
  hash.update(text("something else"));
  hash.reset();
  hash.update(text("abc"));
  EXPECT_EQ(hash.finish(), sha256(text("abc")));
}

TEST(Hkdf, DerivesTheFirstCaseOfRfc5869) {
  const std::vector<std::uint8_t> secret(22, 0x0b);
  const auto salt = counting(13);
  const auto info = unhex("f0f1f2f3f4f5f6f7f8f9");
  std::vector<std::uint8_t> key(42);
  ASSERT_EQ(hkdf_sha256(view(secret), view(salt), view(info), view(key)), CryptoStatus::kOk);
  EXPECT_EQ(hex(view(key)), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
}

TEST(Hkdf, DerivesTheLinkKeysOfPython) {
  const auto secret = counting(32);
  const std::vector<std::uint8_t> chain_id(32, 0x11);
  std::vector<std::uint8_t> key(kAesKeyBytes);
  ASSERT_EQ(hkdf_sha256(view(secret), view(chain_id), text("salus/1 up wearable-1"), view(key)), CryptoStatus::kOk);
  EXPECT_EQ(hex(view(key)), "c8f41c9938269b5e3c4905ab76f409b648075e0a4c15ea6d055f6c8529d10aa9");
  ASSERT_EQ(hkdf_sha256(view(secret), view(chain_id), text("salus/1 down wearable-1"), view(key)), CryptoStatus::kOk);
  EXPECT_EQ(hex(view(key)), "298b27dd1b4d7d1a8938dd1096ad51a93c19b07f69dd670065b0babef68b832b");
}

TEST(Hkdf, RefusesSizesThatItDoesNotHave) {
  const auto secret = counting(32);
  std::vector<std::uint8_t> key(255 * kDigestBytes + 1);
  EXPECT_EQ(hkdf_sha256(view(secret), {}, {}, view(key)), CryptoStatus::kWrongSize);
  EXPECT_EQ(hkdf_sha256(view(secret), {}, {}, {}), CryptoStatus::kWrongSize);
  EXPECT_EQ(hkdf_sha256({}, {}, {}, view(key).first(32)), CryptoStatus::kWrongSize);
}

class Gcm : public testing::Test {
 protected:
  std::vector<std::uint8_t> key = counting(kAesKeyBytes);
  std::vector<std::uint8_t> nonce = counting(kNonceBytes);
  std::vector<std::uint8_t> sealed =
      unhex("3375b375b19cef74e324b7e9c89d1d1ea3bee24695caf4d77e06a025b558bff74c6322499f");  // Python's
  Bytes plain = text("twenty-one bytes here");
  Bytes topic = text("salus/1/f/d/state");
};

TEST_F(Gcm, SealsWhatPythonSeals) {
  std::vector<std::uint8_t> out(plain.size() + kTagBytes);
  ASSERT_EQ(aes256_gcm_seal(view(key), view(nonce), topic, plain, view(out)), CryptoStatus::kOk);
  EXPECT_EQ(hex(view(out)), hex(view(sealed)));
}

TEST_F(Gcm, SealsNothingToATagAlone) {
  std::vector<std::uint8_t> tag(kTagBytes);
  ASSERT_EQ(aes256_gcm_seal(view(key), view(nonce), {}, {}, view(tag)), CryptoStatus::kOk);
  EXPECT_EQ(hex(view(tag)), "f4c2db1dc38805a37b92171c5d0a81cc");
  EXPECT_EQ(aes256_gcm_open(view(key), view(nonce), {}, view(tag), {}), CryptoStatus::kOk);
}

TEST_F(Gcm, OpensInPlaceWhatItSealedInPlace) {
  std::vector<std::uint8_t> buffer(plain.begin(), plain.end());
  buffer.resize(plain.size() + kTagBytes);
  const MutableBytes whole = view(buffer);
  ASSERT_EQ(aes256_gcm_seal(view(key), view(nonce), topic, whole.first(plain.size()), whole), CryptoStatus::kOk);
  EXPECT_EQ(hex(whole), hex(view(sealed)));
  ASSERT_EQ(aes256_gcm_open(view(key), view(nonce), topic, whole, whole.first(plain.size())), CryptoStatus::kOk);
  EXPECT_EQ(hex(whole.first(plain.size())), hex(plain));
}

TEST_F(Gcm, OpensNothingThatAnyBitWasChangedIn) {
  std::vector<std::uint8_t> out(plain.size());
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    auto changed = sealed;
    changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ (1U << (bit % 8)));
    out.assign(out.size(), 0x55);
    ASSERT_EQ(aes256_gcm_open(view(key), view(nonce), topic, view(changed), view(out)), CryptoStatus::kNotAuthentic);
    ASSERT_EQ(out, std::vector<std::uint8_t>(out.size(), 0)) << "what is not authentic was shown";
  }
}

TEST_F(Gcm, OpensNothingUnderAnotherKeyNonceOrTopic) {
  std::vector<std::uint8_t> out(plain.size());
  auto other = key;
  other[31] ^= 1;
  EXPECT_EQ(aes256_gcm_open(view(other), view(nonce), topic, view(sealed), view(out)), CryptoStatus::kNotAuthentic);
  other = nonce;
  other[0] ^= 1;
  EXPECT_EQ(aes256_gcm_open(view(key), view(other), topic, view(sealed), view(out)), CryptoStatus::kNotAuthentic);
  EXPECT_EQ(aes256_gcm_open(view(key), view(nonce), text("salus/1/f/d/event"), view(sealed), view(out)),
            CryptoStatus::kNotAuthentic);
}

TEST_F(Gcm, RefusesSizesThatItDoesNotHave) {
  std::vector<std::uint8_t> out(sealed.size(), 0x55);
  const Bytes key_view = view(key), nonce_view = view(nonce);
  EXPECT_EQ(aes256_gcm_seal(key_view.first(16), nonce_view, topic, plain, view(out)), CryptoStatus::kWrongSize);
  EXPECT_EQ(aes256_gcm_seal(key_view, nonce_view.first(11), topic, plain, view(out)), CryptoStatus::kWrongSize);
  EXPECT_EQ(aes256_gcm_seal(key_view, nonce_view, topic, plain, view(out).first(36)), CryptoStatus::kWrongSize);
  EXPECT_EQ(aes256_gcm_open(key_view, nonce_view, topic, view(sealed), view(out)), CryptoStatus::kWrongSize);
  EXPECT_EQ(out, std::vector<std::uint8_t>(out.size(), 0));
  EXPECT_EQ(aes256_gcm_open(key_view, nonce_view, topic, view(sealed).first(15), {}), CryptoStatus::kWrongSize);
}

TEST(EqualConstantTime, ComparesAllBytesAndTheSize) {
  const auto left = counting(32);
  auto right = left;
  EXPECT_TRUE(equal_constant_time(view(left), view(right)));
  right[31] ^= 0x80;
  EXPECT_FALSE(equal_constant_time(view(left), view(right)));
  EXPECT_FALSE(equal_constant_time(view(left), view(left).first(31)));
}

TEST(CryptoStatus, EachHasACodeOfItsOwn) {
  EXPECT_STREQ(code_of(CryptoStatus::kOk), "ok");
  EXPECT_STREQ(code_of(CryptoStatus::kWrongSize), "wrong_size");
  EXPECT_STREQ(code_of(CryptoStatus::kNotAuthentic), "not_authentic");
  EXPECT_STREQ(code_of(CryptoStatus::kFailed), "crypto_failed");
}

TEST(CryptoMemory, NeverHoldsMoreThanItHas) {
  EXPECT_LE(crypto_memory().high_water_bytes, crypto_memory().total_bytes);
}

}  // namespace
}  // namespace salus
