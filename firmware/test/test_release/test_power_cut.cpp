// The power may go at any byte of a transfer and at any write of the store: a whole model is active afterwards, and the
// transfer comes to its end. `SALUS_EVERY_CUT=1` cuts at every single step, which takes minutes; otherwise at each
// step around the store's writes, and at some of the bytes between.
#include "rig.h"

namespace salus::release {
namespace {

struct Flash {
  Buffer partition;
  std::map<std::string, Buffer> store;
};

Flash keep(Wearable& wearable) { return {wearable.partition.data(), wearable.store.values()}; }

void put(Wearable& wearable, const Flash& flash) {
  wearable.partition.data() = flash.partition;
  wearable.store.values() = flash.store;
  ASSERT_EQ(wearable.restart(), ReleaseStatus::kOk);
}

// The steps at which to cut what `name` takes: all of those around the end of a call, which is where the store is
// written, and every `stride`th.
std::vector<std::uint64_t> cuts(Wearable& wearable, const std::string& name, std::uint64_t stride) {
  const bool every = std::getenv("SALUS_EVERY_CUT") != nullptr;
  const std::uint64_t start = wearable.power.taken();
  std::vector<std::uint64_t> ends{0};
  const Case& each = vectors()[name];
  Outcome outcome = wearable.updater.offer(view(each.signed_manifest));
  ends.push_back(wearable.power.taken() - start);
  while (outcome.progress == Progress::kReceiving) {
    outcome = wearable.send_chunk(each, outcome.next_offset);
    ends.push_back(wearable.power.taken() - start);
  }
  EXPECT_EQ(outcome.progress, Progress::kActive);
  std::vector<std::uint64_t> found;
  for (std::uint64_t step = 0; step < ends.back(); ++step) {
    bool near = every || step % stride == 0;
    for (const std::uint64_t end : ends) near = near || (step + 6 > end && step < end + 3);
    if (near) found.push_back(step);
  }
  return found;
}

struct Upgrade {
  const char* name;
  bool personal;
  fakes::Tear tear;
};

class PowerCut : public testing::TestWithParam<Upgrade> {};

TEST_P(PowerCut, LeavesAWholeModelAndTheTransferEnds) {
  const Upgrade upgrade = GetParam();
  Wearable wearable;
  wearable.partition.tear(upgrade.tear);
  wearable.provision();
  ASSERT_EQ(wearable.transfer("personal").progress, Progress::kActive);
  const Flash before = keep(wearable);
  const std::vector<std::uint64_t> steps = cuts(wearable, upgrade.name, 509);
  ASSERT_GT(steps.size(), 50U);
  for (const std::uint64_t step : steps) {
    SCOPED_TRACE(step);
    put(wearable, before);
    wearable.power.cut_after(step);
    (void)wearable.transfer(upgrade.name);
    wearable.power.restore();

    ASSERT_EQ(wearable.restart(), ReleaseStatus::kOk);
    const std::uint32_t version = wearable.updater.active().version;
    ASSERT_TRUE(version == 1 || (version == 2 && !upgrade.personal));
    ASSERT_EQ(sha256(wearable.updater.active().model), wearable.updater.active().sha256);
    ASSERT_EQ(wearable.updater.personal() != nullptr, version == 1) << "it goes with base 1, and only with that";
    ASSERT_NE(wearable.updater.report().progress, Progress::kRefused);

    const Outcome outcome = wearable.transfer(upgrade.name);
    ASSERT_EQ(outcome.progress, Progress::kActive);
    ASSERT_EQ(wearable.partition.overwrites(), 0U);
    ASSERT_EQ(wearable.restart(), ReleaseStatus::kOk);
    ASSERT_EQ(wearable.updater.active().version, upgrade.personal ? 1U : 2U);
  }
}

INSTANTIATE_TEST_SUITE_P(Upgrades, PowerCut,
                         testing::Values(Upgrade{"v2", false, fakes::Tear::kPrefix},
                                         Upgrade{"v2", false, fakes::Tear::kScattered},
                                         Upgrade{"personal-next", true, fakes::Tear::kPrefix},
                                         Upgrade{"personal-next", true, fakes::Tear::kScattered}),
                         [](const auto& each) {
                           return std::string(each.param.personal ? "personal" : "base") +
                                  (each.param.tear == fakes::Tear::kPrefix ? "_prefix" : "_scattered");
                         });

TEST(PowerCutTwice, AtTwoPlacesOfOneTransfer) {
  Wearable wearable;
  wearable.provision();
  const Flash before = keep(wearable);
  fakes::FakeRandom random(5);
  for (int trial = 0; trial < 25; ++trial) {
    put(wearable, before);
    for (int cut = 0; cut < 2; ++cut) {
      wearable.power.cut_after(random.next(40'000));
      (void)wearable.transfer("v2", 1 + random.next(6000));
      wearable.power.restore();
      ASSERT_EQ(wearable.restart(), ReleaseStatus::kOk);
    }
    ASSERT_EQ(wearable.transfer("v2").progress, Progress::kActive);
    ASSERT_EQ(wearable.partition.overwrites(), 0U);
  }
}

TEST(PowerCutAtARollBack, LeavesTheOlderBase) {
  Wearable wearable;
  wearable.provision();
  ASSERT_EQ(wearable.transfer("v2").progress, Progress::kActive);
  for (std::uint64_t step = 0; step < 6; ++step) {
    Wearable damaged;
    damaged.partition.data() = wearable.partition.data();
    damaged.store.values() = wearable.store.values();
    const std::ptrdiff_t at = wearable.updater.active().model.data() - wearable.partition.mapped();
    damaged.partition.data()[static_cast<std::size_t>(at)] ^= 1;
    damaged.power.cut_after(step);
    (void)damaged.restart();
    damaged.power.restore();
    ASSERT_EQ(damaged.restart(), ReleaseStatus::kOk);
    EXPECT_EQ(damaged.updater.active().version, 1U);
  }
}

}  // namespace
}  // namespace salus::release
