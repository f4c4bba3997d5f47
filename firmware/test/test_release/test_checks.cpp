// Each wrong thing has its code, the one that Python has for it, and changes nothing on the wearable.
#include "rig.h"

namespace salus::release {
namespace {

class EachCase : public testing::TestWithParam<Case> {};

TEST_P(EachCase, EndsInItsCode) {
  Wearable wearable;
  wearable.provision();
  const Case& each = GetParam();
  const Outcome outcome = wearable.transfer(each.name);
  EXPECT_STREQ(code_of(outcome.status), each.code.c_str());
  EXPECT_EQ(outcome.progress, each.code.empty() ? Progress::kActive : Progress::kRefused);
  EXPECT_EQ(outcome.swapped, each.code.empty());
  EXPECT_EQ(wearable.partition.overwrites(), 0U);
  if (each.code.empty()) return;
  EXPECT_EQ(wearable.updater.active().version, 1U);
  EXPECT_EQ(wearable.updater.personal(), nullptr);
  EXPECT_EQ(wearable.updater.status().progress, Progress::kNothing);
  EXPECT_EQ(wearable.transfer("v2").progress, Progress::kActive) << "a right release after the wrong one";
  EXPECT_EQ(wearable.restart(), ReleaseStatus::kOk);
  EXPECT_EQ(wearable.updater.active().version, 2U);
}

std::vector<Case> all_but_the_factory() {
  std::vector<Case> found;
  for (const Case& each : vectors().cases) {
    if (each.name != "factory") found.push_back(each);
  }
  return found;
}

INSTANTIATE_TEST_SUITE_P(Vectors, EachCase, testing::ValuesIn(all_but_the_factory()), [](const auto& each) {
  std::string name = each.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(Checks, AnActiveModelIsWhatItsManifestSays) {
  Wearable wearable;
  wearable.provision();
  const ActiveModel& active = wearable.updater.active();
  EXPECT_STREQ(active.task, "sway");
  EXPECT_EQ(hex(active.model), hex(view(vectors().models.at("v1"))));
  EXPECT_EQ(active.sha256, sha256(active.model));
  EXPECT_EQ(active.input.rank, 2);
  EXPECT_EQ(active.input.dims[0], 32);
  EXPECT_EQ(active.input.dims[1], 4);
  EXPECT_EQ(active.input.values, 128U);
  EXPECT_EQ(active.output.values, 8U);
  EXPECT_FLOAT_EQ(active.output.scale, 6.0F / 255.0F);
  EXPECT_EQ(active.arena_bytes, 1024U);
  EXPECT_FALSE(active.frontend.empty());
  EXPECT_EQ(active.alarm.classes, 0U);
  Bytes input;
  Bytes output;
  std::size_t goldens = 0;
  for (; golden(active, goldens, input, output); ++goldens) {
    EXPECT_EQ(input.size(), 128U);
    EXPECT_EQ(output.size(), 8U);
  }
  EXPECT_EQ(goldens, 3U);
}

TEST(Checks, APersonalModelHasItsAlarmRule) {
  Wearable wearable;
  wearable.provision();
  ASSERT_EQ(wearable.transfer("personal").progress, Progress::kActive);
  const ActiveModel* personal = wearable.updater.personal();
  ASSERT_NE(personal, nullptr);
  EXPECT_EQ(personal->version, 5U);
  EXPECT_EQ(personal->alarm.classes, 2U);
  EXPECT_EQ(personal->alarm.alarm_classes, 2U);
  EXPECT_EQ(personal->alarm.confirm_windows, 3U);
  EXPECT_FLOAT_EQ(personal->alarm.threshold, 0.75F);
  EXPECT_EQ(personal->alarm.refractory_ms, 60000U);
  EXPECT_EQ(hex(personal->model), hex(view(vectors().models.at("p1"))));
}

TEST(Checks, AnyChangedByteOfASignedReleaseIsRefused) {
  Wearable wearable;
  wearable.provision();
  const Buffer right = vectors()["v2"].signed_manifest;
  for (std::size_t at = 0; at < right.size(); at += 7) {
    Buffer wrong = right;
    wrong[at] ^= 0x10;
    const Outcome outcome = wearable.updater.offer(view(wrong));
    EXPECT_EQ(outcome.progress, Progress::kRefused) << at;
  }
}

TEST(Checks, ATruncatedReleaseIsRefused) {
  Wearable wearable;
  wearable.provision();
  const Buffer right = vectors()["v2"].signed_manifest;
  for (std::size_t size = 0; size < right.size(); size += 5) {
    EXPECT_EQ(wearable.updater.offer(view(right).first(size)).progress, Progress::kRefused) << size;
  }
}

TEST(Checks, AMessageOfNoKindIsCountedNotSaid) {
  Wearable wearable;
  wearable.provision();
  for (const Buffer& junk : {Buffer{}, Buffer{0xFF}, Buffer{0x18, 0x01}, Buffer{0x12, 0x05, 0x01}}) {
    const Outcome outcome = wearable.updater.receive(view(junk));
    EXPECT_EQ(outcome.progress, Progress::kNothing);
    EXPECT_EQ(outcome.status, ReleaseStatus::kMalformed);
  }
}

TEST(Checks, EveryStatusHasItsOwnCode) {
  std::map<std::string, int> seen;
  for (int status = 0; status <= static_cast<int>(ReleaseStatus::kFlashFailed); ++status) {
    EXPECT_EQ(seen[code_of(static_cast<ReleaseStatus>(status))]++, 0) << status;
  }
}

}  // namespace
}  // namespace salus::release
