#include <gtest/gtest.h>

#include <limits>

#include "alarm/alarm.h"
#include "golden.h"

namespace salus {
namespace {

AlarmParameters parameters() {
  AlarmParameters made{};
  made.classes = 3;
  made.scale = 0.125F;
  made.confirm = 2;
  made.alarm_classes = 0b100;
  made.threshold = 0.6F;
  made.window_ms = 1000;
  made.refractory_ms = 10'000;
  return made;
}

constexpr std::int8_t kFall[3] = {0, 0, 40};     // 0.987 for class 2
constexpr std::int8_t kRest[3] = {40, 0, 0};     // 0.987 for class 0
constexpr std::int8_t kUnsure[3] = {20, 0, 17};  // 0.563, 0.046, 0.387

class AlarmTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(alarm_.configure(parameters()), AlarmStatus::kOk); }

  Decision step(const std::int8_t (&logits)[3], std::uint64_t start_ms) {
    Decision decision{};
    EXPECT_EQ(alarm_.step(logits, start_ms, decision), AlarmStatus::kOk);
    return decision;
  }

  Alarm alarm_;
};

// exp of two libraries may differ in the last bits: 1e-6 of the probability. The label is decided far from a tie.
TEST(Confirm, DecidesAsTheGatewayDoes) {
  Alarm alarm;
  AlarmParameters each{};
  std::size_t decided = 0;
  for (const Row& row : golden_rows("link/vectors.txt", {"confirm", "decision"})) {
    if (row[0] == "confirm") {
      each = parameters();
      each.scale = golden_floats(row[1])[0];
      each.zero_point = std::stoi(row[2]);
      each.confirm = static_cast<std::uint32_t>(golden_number(row[3]));
      each.window_ms = static_cast<std::uint32_t>(golden_number(row[4]));
      each.classes = static_cast<std::uint32_t>(golden_number(row[5]));
      each.alarm_classes = 1;
      ASSERT_EQ(alarm.configure(each), AlarmStatus::kOk);
      continue;
    }
    std::vector<std::int8_t> logits;
    for (const std::uint8_t byte : golden_bytes(row[2])) logits.push_back(static_cast<std::int8_t>(byte));
    Decision decision{};
    ASSERT_EQ(alarm.step({logits.data(), logits.size()}, golden_number(row[1]), decision), AlarmStatus::kOk);
    EXPECT_EQ(decision.label, golden_number(row[3]));
    const float expected = golden_floats(row[4])[0];
    EXPECT_NEAR(decision.probability, expected, 1e-6F * expected);
    ++decided;
  }
  EXPECT_EQ(decided, 180U);
}

TEST_F(AlarmTest, NeedsItsWindowsWithoutAGap) {
  EXPECT_FALSE(step(kFall, 1000).alarm);
  EXPECT_TRUE(step(kFall, 2000).alarm);
  SetUp();
  EXPECT_FALSE(step(kFall, 1000).alarm);
  EXPECT_FALSE(step(kFall, 3001).alarm) << "two windows' time is passed by";
  EXPECT_TRUE(step(kFall, 5001).alarm);
}

TEST_F(AlarmTest, NeedsItsThreshold) {
  step(kRest, 1000);
  const Decision half = step(kFall, 2000);
  EXPECT_FALSE(half.alarm);
  EXPECT_NEAR(half.alarm_probability, 0.5F, 0.01F);
  EXPECT_TRUE(step(kFall, 3000).alarm);
}

TEST_F(AlarmTest, IsRaisedBelowHalfWhenTheThresholdIs) {
  AlarmParameters low = parameters();
  low.threshold = 0.3F;
  low.confirm = 1;
  ASSERT_EQ(alarm_.configure(low), AlarmStatus::kOk);
  const Decision decision = step(kUnsure, 1000);
  EXPECT_EQ(decision.label, 0U) << "the likeliest class is another";
  EXPECT_TRUE(decision.alarm);
  EXPECT_EQ(decision.alarm_label, 2U);
}

TEST_F(AlarmTest, IsRaisedOnceInItsRefractoryTime) {
  int alarms = 0;
  std::uint64_t last_ms = 0;
  for (std::uint64_t start_ms = 1000; start_ms <= 31'000; start_ms += 1000) {
    if (!step(kFall, start_ms).alarm) continue;
    if (alarms++ != 0) {
      EXPECT_EQ(start_ms - last_ms, 10'000U);
    }
    last_ms = start_ms;
  }
  EXPECT_EQ(alarms, 3);
}

TEST_F(AlarmTest, AClockSetBackSilencesNoAlarm) {
  step(kFall, 1'000'000);
  ASSERT_TRUE(step(kFall, 1'001'000).alarm);
  EXPECT_FALSE(step(kFall, 5000).alarm);
  EXPECT_TRUE(step(kFall, 6000).alarm);
}

TEST_F(AlarmTest, NoClassToRaiseOneForRaisesNone) {
  AlarmParameters none = parameters();
  none.alarm_classes = 0;
  ASSERT_EQ(alarm_.configure(none), AlarmStatus::kOk);
  step(kFall, 1000);
  const Decision decision = step(kFall, 2000);
  EXPECT_FALSE(decision.alarm);
  EXPECT_EQ(decision.label, 2U);
}

TEST_F(AlarmTest, RefusesParametersOutOfRange) {
  const auto refused = [this](void (*change)(AlarmParameters&)) {
    AlarmParameters bad = parameters();
    change(bad);
    Decision decision{};
    return alarm_.configure(bad) == AlarmStatus::kMalformed &&
           alarm_.step(kFall, 1000, decision) == AlarmStatus::kMalformed;
  };
  EXPECT_FALSE(refused([](AlarmParameters&) {}));
  EXPECT_TRUE(refused([](AlarmParameters& bad) { bad.classes = 1; }));
  EXPECT_TRUE(refused([](AlarmParameters& bad) { bad.classes = Alarm::kMaxClasses + 1; }));
  EXPECT_TRUE(refused([](AlarmParameters& bad) { bad.alarm_classes = 0b1000; }));
  EXPECT_TRUE(refused([](AlarmParameters& bad) { bad.scale = 0; }));
  EXPECT_TRUE(refused([](AlarmParameters& bad) { bad.scale = std::numeric_limits<float>::quiet_NaN(); }));
  EXPECT_TRUE(refused([](AlarmParameters& bad) { bad.zero_point = 128; }));
  EXPECT_TRUE(refused([](AlarmParameters& bad) { bad.zero_point = -129; }));
  EXPECT_TRUE(refused([](AlarmParameters& bad) { bad.confirm = 0; }));
  EXPECT_TRUE(refused([](AlarmParameters& bad) { bad.confirm = Alarm::kMaxConfirm + 1; }));
  EXPECT_TRUE(refused([](AlarmParameters& bad) { bad.threshold = 0; }));
  EXPECT_TRUE(refused([](AlarmParameters& bad) { bad.threshold = 1.5F; }));
  EXPECT_TRUE(refused([](AlarmParameters& bad) { bad.window_ms = 0; }));
}

TEST_F(AlarmTest, RefusesOtherNumbersOfLogits) {
  Decision decision{};
  EXPECT_EQ(alarm_.step(Span<const std::int8_t>(kFall).first(2), 1000, decision), AlarmStatus::kWrongSize);
  EXPECT_STREQ(code_of(AlarmStatus::kOk), "ok");
  EXPECT_STREQ(code_of(AlarmStatus::kMalformed), "malformed");
  EXPECT_STREQ(code_of(AlarmStatus::kWrongSize), "wrong_size");
}

}  // namespace
}  // namespace salus
