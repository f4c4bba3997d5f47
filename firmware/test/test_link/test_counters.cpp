#include <gtest/gtest.h>

#include <limits>

#include "board/fakes/fakes.h"
#include "hex.h"
#include "link/counters.h"
#include "link/topics.h"

namespace salus {
namespace {

const std::vector<std::uint8_t> kSecret(32, 3);
const std::vector<std::uint8_t> kOther(32, 4);

TEST(Counters, CountOneForEachStart) {
  fakes::FakeStore store;
  for (std::uint32_t boot = 1; boot <= 5; ++boot) {
    Counters counters(store);
    EXPECT_EQ(counters.enrol(view(kSecret)), LinkStatus::kOk) << "the same secret again changes nothing";
    EXPECT_EQ(counters.boot(), 0U);
    ASSERT_EQ(counters.start(view(kSecret)), LinkStatus::kOk);
    EXPECT_EQ(counters.boot(), boot);
  }
}

TEST(Counters, StartAnewForANewSecretOnly) {
  fakes::FakeStore store;
  Counters counters(store);
  ASSERT_EQ(counters.enrol(view(kSecret)), LinkStatus::kOk);
  ASSERT_EQ(counters.start(view(kSecret)), LinkStatus::kOk);
  ASSERT_EQ(counters.accept(Kind::kAck, 7, 7), LinkStatus::kOk);
  EXPECT_EQ(counters.start(view(kOther)), LinkStatus::kNotEnrolled);
  ASSERT_EQ(counters.enrol(view(kOther)), LinkStatus::kOk);
  EXPECT_EQ(counters.accept(Kind::kAck, 1, 1), LinkStatus::kNotEnrolled) << "not before its start";
  ASSERT_EQ(counters.start(view(kOther)), LinkStatus::kOk);
  EXPECT_EQ(counters.boot(), 1U);
  EXPECT_EQ(counters.accept(Kind::kAck, 1, 1), LinkStatus::kOk);
}

TEST(Counters, ThatAreMissingOrDamagedSealNothing) {
  fakes::FakeStore store;
  Counters counters(store);
  EXPECT_EQ(counters.start(view(kSecret)), LinkStatus::kNotEnrolled);
  EXPECT_EQ(counters.start(view(kSecret).first(31)), LinkStatus::kMalformed);
  EXPECT_EQ(counters.enrol(view(kSecret).first(31)), LinkStatus::kMalformed);
  ASSERT_EQ(counters.enrol(view(kSecret)), LinkStatus::kOk);
  const auto good = store.values()[Counters::kKey];
  store.values()[Counters::kKey].pop_back();
  EXPECT_EQ(counters.start(view(kSecret)), LinkStatus::kNotEnrolled);
  store.values()[Counters::kKey].assign(100, 0);
  EXPECT_EQ(counters.start(view(kSecret)), LinkStatus::kNotEnrolled);
  store.values()[Counters::kKey] = good;
  EXPECT_EQ(counters.start(view(kSecret)), LinkStatus::kOk);
}

TEST(Counters, ThatCannotBeKeptSealNothing) {
  fakes::FakePower power;
  fakes::FakeStore store(&power);
  Counters counters(store);
  ASSERT_EQ(counters.enrol(view(kSecret)), LinkStatus::kOk);
  power.cut_after(0);
  EXPECT_EQ(counters.start(view(kSecret)), LinkStatus::kStoreFailed);
  EXPECT_EQ(counters.boot(), 0U);
  EXPECT_EQ(counters.enrol(view(kSecret)), LinkStatus::kStoreFailed);
  power.restore();
  EXPECT_EQ(counters.start(view(kSecret)), LinkStatus::kOk);
  EXPECT_EQ(counters.boot(), 1U);
}

TEST(Counters, AreUsedUpOneDay) {
  fakes::FakeStore store;
  Counters counters(store);
  ASSERT_EQ(counters.enrol(view(kSecret)), LinkStatus::kOk);
  std::vector<std::uint8_t>& record = store.values()[Counters::kKey];
  std::fill(record.begin() + 16, record.begin() + 19, std::uint8_t{0xFF});
  record[19] = 0xFE;
  ASSERT_EQ(counters.start(view(kSecret)), LinkStatus::kOk);
  EXPECT_EQ(counters.boot(), std::numeric_limits<std::uint32_t>::max());
  EXPECT_EQ(counters.start(view(kSecret)), LinkStatus::kUsedUp);
}

TEST(Counters, AcceptWhatIsNewer) {
  fakes::FakeStore store;
  Counters counters(store);
  EXPECT_EQ(counters.accept(Kind::kAck, 1, 1), LinkStatus::kNotEnrolled);
  ASSERT_EQ(counters.enrol(view(kSecret)), LinkStatus::kOk);
  ASSERT_EQ(counters.start(view(kSecret)), LinkStatus::kOk);
  EXPECT_EQ(counters.accept(Kind::kAck, 2, 9), LinkStatus::kOk);
  EXPECT_EQ(counters.accept(Kind::kAck, 2, 9), LinkStatus::kReplayed);
  EXPECT_EQ(counters.accept(Kind::kAck, 1, 10), LinkStatus::kReplayed);
  EXPECT_EQ(counters.accept(Kind::kAck, 3, 1), LinkStatus::kOk);
  EXPECT_EQ(counters.accept(Kind::kCommand, 1, 1), LinkStatus::kOk);
  EXPECT_EQ(counters.accept(Kind::kState, 1, 1), LinkStatus::kMalformed);
  EXPECT_EQ(counters.accept(Kind::kAck, 3, std::uint64_t{1} << 63), LinkStatus::kMalformed);
  EXPECT_EQ(counters.boot(), 1U) << "what is heard does not change what is said";
}

TEST(Topics, NameEveryKind) {
  Topics topics;
  Kind kind{};
  EXPECT_EQ(topics.parse("", kind), LinkStatus::kMalformed) << "before it knows its device";
  ASSERT_EQ(topics.start("clinic-1", "device-7"), LinkStatus::kOk);
  EXPECT_STREQ(topics.of(Kind::kFeature), "salus/1/clinic-1/device-7/feature");
  for (std::size_t each = 0; each < kKinds; ++each) {
    ASSERT_EQ(topics.parse(topics.of(static_cast<Kind>(each)), kind), LinkStatus::kOk);
    EXPECT_EQ(kind, static_cast<Kind>(each));
    EXPECT_EQ(is_downward(kind), each >= 5);
  }
  EXPECT_EQ(topics.parse("salus/1/clinic-1/device-8/ack", kind), LinkStatus::kMalformed);
  EXPECT_STREQ(name_of(Kind::kAck), "ack");
}

TEST(Topics, RefuseBadIds) {
  Topics topics;
  const std::string longest(40, 'x');
  EXPECT_EQ(topics.start(longest.c_str(), longest.c_str()), LinkStatus::kOk);
  for (const char* bad : {"", "Clinic", "a/b", "a b", "a+", "#", "ä"}) {
    EXPECT_EQ(topics.start(bad, "device"), LinkStatus::kMalformed) << bad;
    EXPECT_EQ(topics.start("clinic", bad), LinkStatus::kMalformed) << bad;
  }
  EXPECT_EQ(topics.start("clinic", (longest + "x").c_str()), LinkStatus::kMalformed);
}

TEST(LinkStatus, EachHasACodeOfItsOwn) {
  std::vector<std::string> codes;
  for (int each = 0; each <= static_cast<int>(LinkStatus::kCryptoFailed); ++each) {
    const std::string code = code_of(static_cast<LinkStatus>(each));
    EXPECT_EQ(std::count(codes.begin(), codes.end(), code), 0) << code;
    EXPECT_NE(code, "unknown");
    codes.push_back(code);
  }
}

}  // namespace
}  // namespace salus
