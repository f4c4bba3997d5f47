// Transfers, swaps, and the way back.
#include "rig.h"

namespace salus::release {
namespace {

TEST(Updater, WithoutAModelThereIsNone) {
  Wearable wearable;
  EXPECT_EQ(wearable.restart(), ReleaseStatus::kNoModel);
  EXPECT_FALSE(wearable.updater.has_model());
  EXPECT_EQ(wearable.transfer("personal").status, ReleaseStatus::kOtherBase);
}

TEST(Updater, OnlyTheVeryFirstModelNeedsNoSignature) {
  Wearable wearable;
  const Buffer unsigned_offer = message(1, vectors()["factory"].signed_manifest);
  EXPECT_EQ(wearable.updater.receive(view(unsigned_offer)).status, ReleaseStatus::kBadSignature);
  wearable.provision();
  EXPECT_EQ(wearable.updater.provision(view(unsigned_offer)).progress, Progress::kActive) << "it runs already";
  ASSERT_EQ(wearable.transfer("v2").progress, Progress::kActive);
  EXPECT_EQ(wearable.updater.provision(view(unsigned_offer)).status, ReleaseStatus::kBadSignature);
  for (std::uint8_t& byte : wearable.partition.data()) byte = 0;
  EXPECT_EQ(wearable.restart(), ReleaseStatus::kNoModel);
  EXPECT_EQ(wearable.updater.provision(view(unsigned_offer)).status, ReleaseStatus::kBadSignature)
      << "damage does not open the factory's door again";
  EXPECT_EQ(wearable.transfer("v2").progress, Progress::kActive) << "the newest version, once more";
}

TEST(Updater, ASignedReleaseMayBeTheFirst) {
  Wearable wearable;
  EXPECT_EQ(wearable.transfer("v2").progress, Progress::kActive);
  EXPECT_EQ(wearable.updater.active().version, 2U);
}

TEST(Updater, SwapsTakeTheFreeSlotAndOnlyGoUpward) {
  Wearable wearable;
  wearable.provision();
  const std::uint8_t* first = wearable.updater.active().model.data();
  ASSERT_EQ(wearable.transfer("v2").progress, Progress::kActive);
  EXPECT_NE(wearable.updater.active().model.data(), first);
  ASSERT_EQ(wearable.transfer("v3").progress, Progress::kActive);
  EXPECT_EQ(wearable.updater.active().model.data(), first);
  EXPECT_EQ(wearable.transfer("v2").status, ReleaseStatus::kOlderVersion);
  EXPECT_EQ(wearable.transfer("v3").progress, Progress::kActive) << "it runs already";
}

TEST(Updater, MessagesAreOffersAndChunks) {
  Wearable wearable;
  wearable.provision();
  const Case& v2 = vectors()["v2"];
  const Buffer& model = vectors().models.at("v2");
  const Digest digest = sha256(view(model));
  Outcome outcome = wearable.updater.receive(view(message(1, v2.signed_manifest)));
  for (std::size_t offset = 0; offset < model.size(); offset += 4000) {
    ASSERT_EQ(outcome.progress, Progress::kReceiving);
    ASSERT_EQ(outcome.next_offset, offset);
    Buffer chunk = message(1, Buffer(digest.begin(), digest.end()));
    chunk.insert(chunk.end(),
                 {0x10, static_cast<std::uint8_t>(offset % 128 | 0x80), static_cast<std::uint8_t>(offset / 128)});
    const std::size_t size = std::min<std::size_t>(4000, model.size() - offset);
    const Buffer data = message(3, Buffer(model.begin() + static_cast<std::ptrdiff_t>(offset),
                                          model.begin() + static_cast<std::ptrdiff_t>(offset + size)));
    chunk.insert(chunk.end(), data.begin(), data.end());
    outcome = wearable.updater.receive(view(message(2, chunk)));
  }
  EXPECT_EQ(outcome.progress, Progress::kActive);
  EXPECT_TRUE(outcome.tested);
}

TEST(Updater, ChunksOfAnySizeMakeTheSameModel) {
  for (const std::size_t size : {1U, 100U, 4095U, 4097U, 9000U}) {
    Wearable wearable;
    wearable.provision();
    EXPECT_EQ(wearable.transfer("v2", size).progress, Progress::kActive) << size;
    EXPECT_EQ(wearable.partition.overwrites(), 0U);
  }
}

TEST(Updater, ADuplicateOrAForeignChunkIsNotWanted) {
  Wearable wearable;
  wearable.provision();
  const Case& v2 = vectors()["v2"];
  EXPECT_EQ(wearable.send_chunk(v2, 0).progress, Progress::kNothing) << "nothing was offered";
  ASSERT_EQ(wearable.updater.offer(view(v2.signed_manifest)).progress, Progress::kReceiving);
  ASSERT_EQ(wearable.send_chunk(v2, 0).next_offset, 4096U);
  EXPECT_EQ(wearable.send_chunk(v2, 0).progress, Progress::kNothing);
  EXPECT_EQ(wearable.send_chunk(v2, 8192).progress, Progress::kNothing);
  EXPECT_EQ(wearable.send_chunk(vectors()["v3"], 4096).progress, Progress::kNothing);
  EXPECT_EQ(wearable.updater.status().next_offset, 4096U);
}

TEST(Updater, ATransferGoesOnWhereItWas) {
  Wearable wearable;
  wearable.provision();
  const Case& v2 = vectors()["v2"];
  (void)wearable.updater.offer(view(v2.signed_manifest));
  (void)wearable.send_chunk(v2, 0, 5000);
  ASSERT_EQ(wearable.restart(), ReleaseStatus::kOk);
  EXPECT_EQ(wearable.updater.status().next_offset, 5000U);
  EXPECT_EQ(wearable.updater.offer(view(v2.signed_manifest)).next_offset, 5000U);
  EXPECT_EQ(wearable.transfer("v2").progress, Progress::kActive);
}

TEST(Updater, AnotherOfferTakesThePlaceOfATransfer) {
  Wearable wearable;
  wearable.provision();
  const Case& v2 = vectors()["v2"];
  (void)wearable.updater.offer(view(v2.signed_manifest));
  (void)wearable.send_chunk(v2, 0);
  EXPECT_EQ(wearable.transfer("v3").progress, Progress::kActive);
  EXPECT_EQ(wearable.transfer("v2").status, ReleaseStatus::kOlderVersion);
}

TEST(Updater, ADamagedBaseGivesWayToTheOneBefore) {
  Wearable wearable;
  wearable.provision();
  ASSERT_EQ(wearable.transfer("v2").progress, Progress::kActive);
  const std::ptrdiff_t at = wearable.updater.active().model.data() - wearable.partition.mapped();
  wearable.partition.data()[static_cast<std::size_t>(at) + 100] ^= 1;
  ASSERT_EQ(wearable.restart(), ReleaseStatus::kOk);
  EXPECT_EQ(wearable.updater.active().version, 1U);
  EXPECT_EQ(wearable.updater.report().progress, Progress::kRefused);
  EXPECT_EQ(wearable.updater.report().status, ReleaseStatus::kRolledBack);
  EXPECT_EQ(wearable.updater.report().version, 2U);
  EXPECT_EQ(wearable.transfer("v2").status, ReleaseStatus::kOlderVersion) << "what failed does not come again";
  EXPECT_EQ(wearable.transfer("v3").progress, Progress::kActive);
  ASSERT_EQ(wearable.restart(), ReleaseStatus::kOk);
  EXPECT_EQ(wearable.updater.report().progress, Progress::kNothing);
}

TEST(Updater, ABaseThatCrashesOnTrialGivesWay) {
  Wearable wearable;
  wearable.provision();
  ASSERT_EQ(wearable.transfer("v2").progress, Progress::kActive);
  ASSERT_EQ(wearable.restart(ResetCause::kPowerOn), ReleaseStatus::kOk);
  for (int crash = 1; crash < Updater::kMaxCrashes; ++crash) {
    ASSERT_EQ(wearable.restart(ResetCause::kCrash), ReleaseStatus::kOk);
    EXPECT_EQ(wearable.updater.active().version, 2U);
  }
  for (int storm = 0; storm < 10; ++storm) {
    ASSERT_EQ(wearable.restart(ResetCause::kBrownout), ReleaseStatus::kOk);
    EXPECT_EQ(wearable.updater.active().version, 2U) << "a flat battery is not the model's fault";
  }
  ASSERT_EQ(wearable.restart(ResetCause::kWatchdog), ReleaseStatus::kOk);
  EXPECT_EQ(wearable.updater.active().version, 1U);
  EXPECT_EQ(wearable.updater.report().status, ReleaseStatus::kRolledBack);
}

TEST(Updater, AConfirmedBaseStays) {
  Wearable wearable;
  wearable.provision();
  ASSERT_EQ(wearable.transfer("v2").progress, Progress::kActive);
  wearable.updater.confirm();
  const std::size_t writes = wearable.store.writes();
  wearable.updater.confirm();
  EXPECT_EQ(wearable.store.writes(), writes) << "nothing to confirm, nothing to write";
  for (int crash = 0; crash < 2 * Updater::kMaxCrashes; ++crash) {
    ASSERT_EQ(wearable.restart(ResetCause::kCrash), ReleaseStatus::kOk);
    EXPECT_EQ(wearable.updater.active().version, 2U);
  }
}

TEST(Updater, ACrashingBaseIsBetterThanNone) {
  Wearable wearable;
  wearable.provision();
  ASSERT_EQ(wearable.transfer("v2").progress, Progress::kActive);
  std::fill_n(wearable.partition.data().begin(), 1000, 0);  // the slot before
  for (int crash = 0; crash < 2 * Updater::kMaxCrashes; ++crash) {
    ASSERT_EQ(wearable.restart(ResetCause::kCrash), ReleaseStatus::kOk);
    EXPECT_EQ(wearable.updater.active().version, 2U);
    EXPECT_EQ(wearable.updater.report().progress, Progress::kNothing);
  }
}

TEST(Updater, AModelThatCrashesItsTestIsNotTriedForEver) {
  Wearable wearable;
  wearable.provision();
  // As if each test had ended in a crash: the count of tests is kept, the outcome is not.
  const Case& v2 = vectors()["v2"];
  (void)wearable.updater.offer(view(v2.signed_manifest));
  (void)wearable.send_chunk(v2, 0, 8999);
  Transfer transfer;
  ASSERT_EQ(load(wearable.store, transfer), StoreStatus::kOk);
  ASSERT_EQ(wearable.send_chunk(v2, 8999).progress, Progress::kActive);
  Wearable other;
  other.provision();
  other.partition.data() = wearable.partition.data();
  transfer.received_bytes = 9000;
  transfer.tests = Updater::kMaxCrashes;
  ASSERT_TRUE(save(other.store, transfer));
  ASSERT_EQ(other.restart(ResetCause::kCrash), ReleaseStatus::kOk);
  EXPECT_EQ(other.updater.report().status, ReleaseStatus::kBadModel);
  EXPECT_EQ(other.updater.active().version, 1U);
}

TEST(Updater, WornOutFlashRefuses) {
  for (std::size_t operations = 0; operations < 5; ++operations) {
    Wearable wearable;
    wearable.provision();
    wearable.partition.fail_after_operations(operations);
    EXPECT_EQ(wearable.transfer("v2").status, ReleaseStatus::kFlashFailed) << operations;
    EXPECT_EQ(wearable.updater.active().version, 1U);
    wearable.partition.mend();
    EXPECT_EQ(wearable.transfer("v2").progress, Progress::kActive);
  }
}

TEST(Updater, AStoreThatFailsRefuses) {
  Wearable wearable;
  wearable.provision();
  wearable.store.fail(true);
  EXPECT_EQ(wearable.transfer("v2").status, ReleaseStatus::kFlashFailed);
  EXPECT_EQ(wearable.restart(), ReleaseStatus::kFlashFailed);
  wearable.store.fail(false);
  ASSERT_EQ(wearable.restart(), ReleaseStatus::kOk);
  EXPECT_EQ(wearable.updater.active().version, 1U);
}

TEST(Updater, DamagedRecordsAreNotGuessedAt) {
  Wearable wearable;
  wearable.provision();
  const Buffer right = wearable.store.values()["release"];
  for (const std::size_t at : {0U, 1U, 2U, 3U}) {
    wearable.store.values()["release"][at] = 77;
    EXPECT_EQ(wearable.restart(), ReleaseStatus::kFlashFailed) << at;
    wearable.store.values()["release"] = right;
  }
  wearable.store.values()["release"].pop_back();
  EXPECT_EQ(wearable.restart(), ReleaseStatus::kFlashFailed);
  wearable.store.values()["release"] = right;
  wearable.store.values()["transfer"] = Buffer{1, 2, 3};
  EXPECT_EQ(wearable.restart(), ReleaseStatus::kOk) << "a transfer can begin anew";
}

TEST(Updater, APartitionThatIsTooSmallIsSaid) {
  fakes::FakePartition partition(32 * 1024);
  fakes::FakeStore store;
  FakeEngine engine;
  Buffer arena(1024);
  Buffer scratch(64);
  Updater updater({partition, store, engine, view(arena), view(scratch)}, Wearable::trust());
  EXPECT_EQ(updater.start(), ReleaseStatus::kFlashFailed);
  EXPECT_EQ(updater.offer(view(vectors()["v2"].signed_manifest)).status, ReleaseStatus::kFlashFailed);
}

}  // namespace
}  // namespace salus::release
