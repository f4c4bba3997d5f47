// Personal models live and die with the base that they were made for.
#include "rig.h"

namespace salus::release {
namespace {

TEST(Personal, ANewOneTakesThePlaceOfTheOldOnceItIsWhole) {
  Wearable wearable;
  wearable.provision();
  ASSERT_EQ(wearable.transfer("personal").progress, Progress::kActive);
  const Case& next = vectors()["personal-next"];
  ASSERT_TRUE(wearable.updater.offer(view(next.signed_manifest)).personal);
  (void)wearable.send_chunk(next, 0, 4096);
  ASSERT_NE(wearable.updater.personal(), nullptr);
  EXPECT_EQ(wearable.updater.personal()->version, 5U);
  ASSERT_EQ(wearable.transfer("personal-next").progress, Progress::kActive);
  EXPECT_EQ(wearable.updater.personal()->version, 6U);
  EXPECT_EQ(wearable.transfer("personal").status, ReleaseStatus::kOlderVersion);
  ASSERT_EQ(wearable.restart(), ReleaseStatus::kOk);
  ASSERT_NE(wearable.updater.personal(), nullptr);
  EXPECT_EQ(wearable.updater.personal()->version, 6U);
  EXPECT_EQ(wearable.updater.active().version, 1U);
}

TEST(Personal, ANewBaseDropsIt) {
  Wearable wearable;
  wearable.provision();
  ASSERT_EQ(wearable.transfer("personal").progress, Progress::kActive);
  ASSERT_EQ(wearable.transfer("v2").progress, Progress::kActive);
  EXPECT_EQ(wearable.updater.personal(), nullptr);
  EXPECT_EQ(wearable.transfer("personal-next").status, ReleaseStatus::kOtherBase);
  ASSERT_EQ(wearable.restart(), ReleaseStatus::kOk);
  EXPECT_EQ(wearable.updater.personal(), nullptr);
}

TEST(Personal, ADamagedOneIsDroppedAndTheBaseStays) {
  Wearable wearable;
  wearable.provision();
  ASSERT_EQ(wearable.transfer("personal").progress, Progress::kActive);
  const std::ptrdiff_t at = wearable.updater.personal()->model.data() - wearable.partition.mapped();
  wearable.partition.data()[static_cast<std::size_t>(at) + 70] ^= 4;
  ASSERT_EQ(wearable.restart(), ReleaseStatus::kOk);
  EXPECT_EQ(wearable.updater.personal(), nullptr);
  EXPECT_EQ(wearable.updater.active().version, 1U);
  EXPECT_TRUE(wearable.updater.report().personal);
  EXPECT_EQ(wearable.updater.report().version, 5U);
  EXPECT_EQ(wearable.updater.report().status, ReleaseStatus::kRolledBack);
}

TEST(Personal, OneThatCrashesIsDropped) {
  Wearable wearable;
  wearable.provision();
  ASSERT_EQ(wearable.transfer("personal").progress, Progress::kActive);
  for (int crash = 1; crash < Updater::kMaxCrashes; ++crash) {
    ASSERT_EQ(wearable.restart(ResetCause::kCrash), ReleaseStatus::kOk);
    EXPECT_NE(wearable.updater.personal(), nullptr);
  }
  ASSERT_EQ(wearable.restart(ResetCause::kCrash), ReleaseStatus::kOk);
  EXPECT_EQ(wearable.updater.personal(), nullptr);
  EXPECT_TRUE(wearable.updater.report().personal);
}

TEST(Personal, ATransferThatTheBaseOvertookIsRefused) {
  Wearable wearable;
  wearable.provision();
  const Case& personal = vectors()["personal"];
  (void)wearable.updater.offer(view(personal.signed_manifest));
  ASSERT_EQ(wearable.transfer("v2").progress, Progress::kActive);
  EXPECT_EQ(wearable.send_chunk(personal, 0).progress, Progress::kNothing);
  EXPECT_EQ(wearable.transfer("personal").status, ReleaseStatus::kOtherBase);
}

TEST(Personal, ARollBackOfTheBaseDropsIt) {
  Wearable wearable;
  wearable.provision();
  ASSERT_EQ(wearable.transfer("personal").progress, Progress::kActive);
  ASSERT_EQ(wearable.transfer("v2").progress, Progress::kActive);
  for (int crash = 0; crash < Updater::kMaxCrashes; ++crash) {
    ASSERT_EQ(wearable.restart(ResetCause::kCrash), ReleaseStatus::kOk);
  }
  EXPECT_EQ(wearable.updater.active().version, 1U);
  EXPECT_EQ(wearable.updater.personal(), nullptr);
  EXPECT_EQ(wearable.transfer("personal-next").progress, Progress::kActive) << "made for this very base";
}

TEST(Personal, ATemplateIsReadWithCare) {
  const Buffer model = vectors().models.at("p1");
  EXPECT_EQ(check_template(Bytes(), view(model)), ReleaseStatus::kOtherTemplate);
  Buffer claims = message(1, Buffer(32, 0));
  claims.insert(claims.end(), {0x10, 0x88, 0x27});  // 5000 bytes
  EXPECT_EQ(template_size_bytes(view(claims)), 5000U);
  for (const Buffer& region : {Buffer{0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0x18, 0x02},  // begins beyond the end
                               Buffer{0x10, 0x02, 0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F},  // ends there
                               Buffer{0x10, 0xFF}}) {                                   // is none
    Buffer hostile = claims;
    const Buffer field = message(3, region);
    hostile.insert(hostile.end(), field.begin(), field.end());
    EXPECT_EQ(check_template(view(hostile), view(model)), ReleaseStatus::kOtherTemplate);
  }
  Buffer overlapping = claims;
  for (const Buffer& region : {Buffer{0x10, 0x40, 0x18, 0x20}, Buffer{0x10, 0x41, 0x18, 0x20}}) {
    const Buffer field = message(3, region);
    overlapping.insert(overlapping.end(), field.begin(), field.end());
  }
  EXPECT_EQ(check_template(view(overlapping), view(model)), ReleaseStatus::kOtherTemplate);
}

}  // namespace
}  // namespace salus::release
