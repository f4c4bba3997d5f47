// Keys, sealing and opening, against packets that Python sealed.
#include <gtest/gtest.h>

#include "board/fakes/fakes.h"
#include "golden.h"
#include "link/opener.h"
#include "link/sealer.h"

namespace salus {
namespace {

constexpr const char* kVectors = "link/vectors.txt";

TEST(Keys, AreThoseOfTheGateway) {
  for (const Row& row : golden_rows(kVectors, {"keys"})) {
    LinkKeys keys{};
    ASSERT_EQ(derive_keys(view(golden_bytes(row[1])), view(golden_bytes(row[2])), row[3].c_str(), keys),
              LinkStatus::kOk);
    EXPECT_EQ(hex({keys.up.data(), keys.up.size()}), row[4]);
    EXPECT_EQ(hex({keys.down.data(), keys.down.size()}), row[5]);
  }
}

TEST(Keys, NeedAWholeSecretAndAGoodDevice) {
  LinkKeys keys{};
  const std::vector<std::uint8_t> secret(32, 1);
  EXPECT_EQ(derive_keys(view(secret).first(31), {}, "device", keys), LinkStatus::kMalformed);
  EXPECT_EQ(derive_keys(view(secret), {}, "Device", keys), LinkStatus::kMalformed);
  EXPECT_EQ(derive_keys(view(secret), {}, "", keys), LinkStatus::kMalformed);
  EXPECT_EQ(derive_keys(view(secret), {}, std::string(41, 'a').c_str(), keys), LinkStatus::kMalformed);
}

TEST(Keys, AreWiped) {
  LinkKey key;
  key.fill(7);
  wipe(key);
  for (const std::uint8_t byte : key) EXPECT_EQ(byte, 0);
}

// A sealer only counts up from 1, so the vectors' first packets of boot 1 are made by it; those of other counters are
// opened below.
TEST(Sealer, MakesTheBytesThatPythonMakes) {
  std::size_t made = 0;
  for (const Row& row : golden_rows(kVectors, {"packet"})) {
    const std::uint64_t sequence = golden_number(row[3]);
    if (sequence > 1000) continue;
    Sealer sealer;
    Sealed sealed{};
    std::vector<std::uint8_t> out(6000);
    ASSERT_EQ(sealer.start(view(golden_bytes(row[1])), static_cast<std::uint32_t>(golden_number(row[2]))),
              LinkStatus::kOk);
    for (std::uint64_t before = 1; before < sequence; ++before) {
      ASSERT_EQ(sealer.seal("t", {}, view(out), sealed), LinkStatus::kOk);
    }
    const std::vector<std::uint8_t> plaintext = golden_bytes(row[5]);
    ASSERT_EQ(sealer.seal(row[4].c_str(), view(plaintext), view(out), sealed), LinkStatus::kOk);
    EXPECT_EQ(hex(sealed.payload), row[6]);
    EXPECT_EQ(sealed.sequence, sequence);
    EXPECT_LE(sealed.payload.size(), plaintext.size() + kPacketOverheadBytes);
    ++made;
  }
  EXPECT_GT(made, 40U);
}

TEST(Sealer, TakesAPlaintextFromWithinItsBuffer) {
  const std::vector<std::uint8_t> key(32, 5);
  Sealer apart;
  Sealer within;
  ASSERT_EQ(apart.start(view(key), 2), LinkStatus::kOk);
  ASSERT_EQ(within.start(view(key), 2), LinkStatus::kOk);
  for (std::size_t at = 0; at < 40; ++at) {
    std::vector<std::uint8_t> plaintext(50, static_cast<std::uint8_t>(at));
    plaintext[7] = 9;
    std::vector<std::uint8_t> one(200);
    std::vector<std::uint8_t> other(200);
    std::copy(plaintext.begin(), plaintext.end(), other.begin() + static_cast<std::ptrdiff_t>(at));
    Sealed first{};
    Sealed second{};
    ASSERT_EQ(apart.seal("t", view(plaintext), view(one), first), LinkStatus::kOk);
    ASSERT_EQ(within.seal("t", Bytes(other.data() + at, 50), view(other), second), LinkStatus::kOk);
    EXPECT_EQ(hex(first.payload), hex(second.payload));
  }
}

TEST(Sealer, UsesNoSequenceUpForWhatDoesNotFit) {
  const std::vector<std::uint8_t> key(32, 5);
  std::vector<std::uint8_t> out(64);
  Sealer sealer;
  Sealed sealed{};
  EXPECT_EQ(sealer.seal("t", {}, view(out), sealed), LinkStatus::kNotEnrolled);
  EXPECT_EQ(sealer.start(view(key), 0), LinkStatus::kMalformed);
  EXPECT_EQ(sealer.start(view(key).first(31), 1), LinkStatus::kMalformed);
  ASSERT_EQ(sealer.start(view(key), 1), LinkStatus::kOk);
  const std::vector<std::uint8_t> large(kMaxPacketBytes);
  EXPECT_EQ(sealer.seal("t", view(large), view(out), sealed), LinkStatus::kTooLarge);
  EXPECT_EQ(sealer.seal("t", view(large).first(60), view(out), sealed), LinkStatus::kTooLarge);
  EXPECT_EQ(sealer.seal(std::string(200, 't').c_str(), {}, view(out), sealed), LinkStatus::kMalformed);
  EXPECT_EQ(sealer.sequence(), 0U);
  std::vector<std::uint8_t> room(kMaxPacketBytes + 100);
  EXPECT_EQ(sealer.seal("t", view(large), view(room), sealed), LinkStatus::kTooLarge);
  EXPECT_EQ(sealer.seal("t", {}, view(out), sealed), LinkStatus::kOk);
  EXPECT_EQ(sealer.sequence(), 1U);
}

TEST(OpenPacket, OpensWhatPythonSealed) {
  for (const Row& row : golden_rows(kVectors, {"packet"})) {
    const std::vector<std::uint8_t> key = golden_bytes(row[1]);
    std::vector<std::uint8_t> payload = golden_bytes(row[6]);
    std::vector<std::uint8_t> out(payload.size());
    Opened opened{};
    ASSERT_EQ(open_packet(view(key), row[4].c_str(), view(payload), view(out), opened), LinkStatus::kOk);
    EXPECT_EQ(opened.boot, golden_number(row[2]));
    EXPECT_EQ(opened.sequence, golden_number(row[3]));
    EXPECT_EQ(opened.plaintext.empty() ? "-" : hex(opened.plaintext), row[5]);
    const Bytes same(payload.data(), payload.size());
    ASSERT_EQ(open_packet(view(key), row[4].c_str(), same, view(payload), opened), LinkStatus::kOk) << "in its place";
    EXPECT_EQ(opened.plaintext.empty() ? "-" : hex(opened.plaintext), row[5]);
  }
}

TEST(OpenPacket, RefusesAsPythonDoes) {
  for (const Row& row : golden_rows(kVectors, {"open"})) {
    const std::vector<std::uint8_t> payload = golden_bytes(row[4]);
    std::vector<std::uint8_t> out(payload.size());
    Opened opened{};
    const LinkStatus status = open_packet(view(golden_bytes(row[2])), row[3].c_str(), view(payload), view(out), opened);
    EXPECT_EQ(code_of(status), row[1]) << row[4];
  }
}

TEST(OpenPacket, RefusesWhatIsTooLarge) {
  const std::vector<std::uint8_t> key(32);
  const std::vector<std::uint8_t> payload(kMaxPacketBytes + 1);
  std::vector<std::uint8_t> out(payload.size());
  Opened opened{};
  EXPECT_EQ(open_packet(view(key), "t", view(payload), view(out), opened), LinkStatus::kTooLarge);
  const Row good = golden_rows(kVectors, {"packet"}).back();
  const std::vector<std::uint8_t> sealed = golden_bytes(good[6]);
  EXPECT_EQ(open_packet(view(golden_bytes(good[1])), good[4].c_str(), view(sealed), view(out).first(8), opened),
            LinkStatus::kTooLarge);
  EXPECT_EQ(open_packet(view(golden_bytes(good[1])), std::string(200, 't').c_str(), view(sealed), view(out), opened),
            LinkStatus::kMalformed);
  EXPECT_EQ(open_packet(view(key).first(31), "t", view(sealed), view(out), opened), LinkStatus::kCryptoFailed);
}

// A gateway that seals downward, in a few lines.
class OpenerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    secret_.assign(32, 3);
    ASSERT_EQ(counters_.enrol(view(secret_)), LinkStatus::kOk);
    ASSERT_EQ(counters_.start(view(secret_)), LinkStatus::kOk);
    ASSERT_EQ(topics_.start("clinic", "device"), LinkStatus::kOk);
    ASSERT_EQ(opener_.start(view(key_)), LinkStatus::kOk);
    ASSERT_EQ(gateway_.start(view(key_), 4), LinkStatus::kOk);
  }

  std::vector<std::uint8_t> say(Kind kind, const char* words) {
    std::vector<std::uint8_t> out(200);
    Sealed sealed{};
    EXPECT_EQ(gateway_.seal(topics_.of(kind), text(words), view(out), sealed), LinkStatus::kOk);
    out.resize(sealed.payload.size());
    return out;
  }

  LinkStatus hear(Kind kind, const std::vector<std::uint8_t>& payload) {
    std::vector<std::uint8_t> out(payload.size());
    Opened opened{};
    return opener_.open(kind, topics_.of(kind), view(payload), view(out), opened);
  }

  std::vector<std::uint8_t> secret_;
  std::vector<std::uint8_t> key_ = std::vector<std::uint8_t>(32, 8);
  fakes::FakeStore store_;
  Counters counters_{store_};
  Topics topics_;
  Opener opener_{counters_};
  Sealer gateway_;
};

TEST_F(OpenerTest, HearsEachPacketOnce) {
  const auto first = say(Kind::kCommand, "one");
  const auto second = say(Kind::kCommand, "two");
  EXPECT_EQ(hear(Kind::kCommand, second), LinkStatus::kOk);
  EXPECT_EQ(hear(Kind::kCommand, second), LinkStatus::kReplayed);
  EXPECT_EQ(hear(Kind::kCommand, first), LinkStatus::kReplayed) << "older than one that was heard";
}

TEST_F(OpenerTest, EachKindCountsForItself) {
  const auto first = say(Kind::kAck, "one");
  EXPECT_EQ(hear(Kind::kRelease, say(Kind::kRelease, "two")), LinkStatus::kOk);
  EXPECT_EQ(hear(Kind::kAck, first), LinkStatus::kOk);
}

TEST_F(OpenerTest, RemembersThroughARestart) {
  const auto first = say(Kind::kAck, "one");
  ASSERT_EQ(hear(Kind::kAck, first), LinkStatus::kOk);
  ASSERT_EQ(counters_.start(view(secret_)), LinkStatus::kOk);
  EXPECT_EQ(hear(Kind::kAck, first), LinkStatus::kReplayed);
  EXPECT_EQ(hear(Kind::kAck, say(Kind::kAck, "two")), LinkStatus::kOk);
}

TEST_F(OpenerTest, HearsNothingThatItCannotRemember) {
  const auto packet = say(Kind::kAck, "one");
  store_.fail(true);
  EXPECT_EQ(hear(Kind::kAck, packet), LinkStatus::kStoreFailed);
  store_.fail(false);
  EXPECT_EQ(hear(Kind::kAck, packet), LinkStatus::kOk);
}

TEST_F(OpenerTest, AnotherTopicOrUpwardKindIsNone) {
  const auto packet = say(Kind::kAck, "one");
  EXPECT_EQ(hear(Kind::kCommand, packet), LinkStatus::kWrongKey);
  EXPECT_EQ(hear(Kind::kState, packet), LinkStatus::kMalformed);
  EXPECT_EQ(opener_.start(view(key_).first(16)), LinkStatus::kMalformed);
}

}  // namespace
}  // namespace salus
