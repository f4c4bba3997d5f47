#include <gtest/gtest.h>

#include <algorithm>

#include "ring_model.h"

namespace salus {
namespace {

constexpr std::size_t kSector = 256;

class RingTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(ring_.mount(flash_), LinkStatus::kOk); }

  ModelPacket add(std::size_t size, Kind kind = Kind::kFeature) {
    const ModelPacket packet{1, ++sequence_, payload_of(1, sequence_, size)};
    EXPECT_EQ(append(ring_, packet, kind), LinkStatus::kOk);
    return packet;
  }

  void remount() { ASSERT_EQ(ring_.mount(flash_), LinkStatus::kOk); }

  fakes::FakePartition flash_{8 * kSector, kSector};
  Ring ring_;
  std::uint64_t sequence_ = 0;
};

TEST_F(RingTest, AnEmptyPartitionIsAnEmptyRing) {
  RingPacket packet;
  EXPECT_FALSE(ring_.first(packet));
  EXPECT_EQ(ring_.packets(), 0U);
  EXPECT_EQ(ring_.dropped(), 0U);
  remount();
  EXPECT_EQ(ring_.packets(), 0U);
}

TEST_F(RingTest, WhatIsKeptComesBackInOrderAfterARestart) {
  std::deque<ModelPacket> kept;
  for (const std::size_t size : {1U, 4U, 33U, 200U, 300U, 64U}) kept.push_back(add(size));
  EXPECT_EQ(contents(ring_), kept);
  remount();
  EXPECT_EQ(contents(ring_), kept);
  EXPECT_EQ(ring_.high_water(), kept.size());
}

TEST_F(RingTest, APacketKeepsItsKind) {
  add(10, Kind::kLabel);
  remount();
  RingPacket packet;
  ASSERT_TRUE(ring_.first(packet));
  EXPECT_EQ(packet.kind, Kind::kLabel);
}

TEST_F(RingTest, AnAckTakesItsRangeAndNothingElse) {
  std::deque<ModelPacket> kept;
  for (int each = 0; each < 6; ++each) kept.push_back(add(40));
  EXPECT_EQ(ring_.acknowledge(AckRange{1, 2, 3}), 2U);
  EXPECT_EQ(ring_.acknowledge(AckRange{1, 2, 3}), 0U);
  EXPECT_EQ(ring_.acknowledge(AckRange{2, 1, 100}), 0U);
  EXPECT_EQ(ring_.acknowledge(AckRange{1, 5, 4}), 0U);
  kept.erase(kept.begin() + 1, kept.begin() + 3);
  EXPECT_EQ(contents(ring_), kept);
  remount();
  EXPECT_EQ(contents(ring_), kept);
  EXPECT_EQ(ring_.acknowledge(AckRange{1, 0, UINT64_MAX}), 4U);
  EXPECT_EQ(ring_.packets(), 0U);
  EXPECT_EQ(ring_.dropped(), 0U);
}

TEST_F(RingTest, ARefusedPacketLeaves) {
  add(10);
  add(10);
  EXPECT_TRUE(ring_.acknowledge(AckRefusal{1, 1, "malformed"}));
  EXPECT_FALSE(ring_.acknowledge(AckRefusal{1, 1, "malformed"}));
  EXPECT_EQ(ring_.packets(), 1U);
}

TEST_F(RingTest, OverflowDropsTheOldestAndCountsItForGood) {
  std::deque<ModelPacket> sent;
  for (int each = 0; each < 200; ++each) sent.push_back(add(50));
  const std::deque<ModelPacket> left = contents(ring_);
  EXPECT_GT(left.size(), 10U);
  EXPECT_EQ(ring_.dropped() + left.size(), sent.size());
  EXPECT_TRUE(std::equal(left.rbegin(), left.rend(), sent.rbegin()));  // the newest, without a hole
  const std::uint64_t dropped = ring_.dropped();
  remount();
  EXPECT_EQ(ring_.dropped(), dropped);
  EXPECT_EQ(contents(ring_), left);
  EXPECT_EQ(flash_.overwrites(), 0U);
}

TEST_F(RingTest, TheOldestMayBeDroppedAndIsCountedForGood) {
  EXPECT_FALSE(ring_.drop_oldest());
  add(30);
  const ModelPacket second = add(30);
  EXPECT_TRUE(ring_.drop_oldest());
  EXPECT_EQ(ring_.dropped(), 1U);
  remount();
  EXPECT_EQ(ring_.dropped(), 1U);
  EXPECT_EQ(contents(ring_), std::deque<ModelPacket>{second});
  for (int each = 0; each < 100; ++each) {
    add(50);
    while (ring_.packets() > 3) EXPECT_TRUE(ring_.drop_oldest());
  }
  EXPECT_EQ(ring_.dropped(), 99U);
  remount();
  EXPECT_EQ(ring_.dropped(), 99U);
  EXPECT_EQ(ring_.packets(), 3U);
}

TEST_F(RingTest, AcknowledgedPacketsAreNotCountedAsDropped) {
  for (int each = 0; each < 500; ++each) {
    add(50);
    ring_.acknowledge(AckRange{1, sequence_, sequence_});
  }
  EXPECT_EQ(ring_.dropped(), 0U);
  remount();
  EXPECT_EQ(ring_.dropped(), 0U);
}

TEST_F(RingTest, FreeBytesIsWhatFitsWithoutADrop) {
  fakes::FakeRandom random(7);
  for (int round = 0; round < 400; ++round) {
    const std::size_t size = 1 + random.next(400);
    const bool fits = size <= ring_.free_bytes();
    const std::uint64_t dropped = ring_.dropped();
    add(size);
    if (fits) {
      EXPECT_EQ(ring_.dropped(), dropped) << round;
    }
    if (random.next(3) == 0) ring_.acknowledge(AckRange{1, 1, sequence_ - random.next(4)});
  }
  ring_.acknowledge(AckRange{1, 1, sequence_});
  const std::size_t room = ring_.free_bytes();
  EXPECT_GE(room, 5 * kSector);
}

TEST_F(RingTest, RoomComesBackWithAcksOfTheOldest) {
  for (int each = 0; each < 14; ++each) add(50);
  const std::size_t before = ring_.free_bytes();
  EXPECT_EQ(ring_.acknowledge(AckRange{1, 1, 8}), 8U);
  EXPECT_GE(ring_.free_bytes(), before + 2 * kSector);
}

// The end of a packet in the next sector may look like a record, and is none.
TEST_F(RingTest, APayloadThatLooksLikeAPacketIsNone) {
  const ModelPacket first = add(40);
  RingPacket packet;
  ASSERT_TRUE(ring_.first(packet));
  const auto record = flash_.data().begin() + packet.at.offset;
  ModelPacket image{1, ++sequence_, {}};
  while (image.payload.size() < kSector) image.payload.insert(image.payload.end(), record, record + 72);
  ASSERT_EQ(append(ring_, image), LinkStatus::kOk);
  remount();
  EXPECT_EQ(contents(ring_), (std::deque<ModelPacket>{first, image}));
}

TEST_F(RingTest, APacketMaySpanAllButTwoSectors) {
  add(10);
  const ModelPacket large = add(ring_.max_payload_bytes());
  EXPECT_EQ(contents(ring_).back(), large);
  remount();
  EXPECT_EQ(contents(ring_).back(), large);
  const ModelPacket next = add(ring_.max_payload_bytes());
  EXPECT_EQ(contents(ring_).back(), next);
}

TEST_F(RingTest, APacketThatNeverFitsIsRefused) {
  const ModelPacket packet{1, 1, payload_of(1, 1, ring_.max_payload_bytes() + 1)};
  EXPECT_EQ(append(ring_, packet), LinkStatus::kTooLarge);
  EXPECT_EQ(append(ring_, {1, 1, {}}), LinkStatus::kTooLarge);
  EXPECT_EQ(ring_.packets(), 0U);
}

TEST_F(RingTest, NumbersOnlyRise) {
  ASSERT_EQ(append(ring_, {2, 5, payload_of(2, 5, 9)}), LinkStatus::kOk);
  EXPECT_EQ(append(ring_, {2, 5, payload_of(2, 5, 9)}), LinkStatus::kMalformed);
  EXPECT_EQ(append(ring_, {1, 9, payload_of(1, 9, 9)}), LinkStatus::kMalformed);
  remount();
  EXPECT_EQ(append(ring_, {2, 4, payload_of(2, 4, 9)}), LinkStatus::kMalformed);
  EXPECT_EQ(append(ring_, {3, 1, payload_of(3, 1, 9)}), LinkStatus::kOk);
}

TEST_F(RingTest, APacketThatLeftMeanwhileIsGone) {
  add(30);
  RingPacket packet;
  ASSERT_TRUE(ring_.first(packet));
  std::uint8_t out[30];
  EXPECT_EQ(ring_.read(packet, MutableBytes(out, 29)), LinkStatus::kTooLarge);
  ring_.acknowledge(AckRange{1, 1, 1});
  EXPECT_FALSE(ring_.waits(packet));
  EXPECT_EQ(ring_.read(packet, MutableBytes(out)), LinkStatus::kGone);
}

TEST_F(RingTest, ACursorOutlivesWhatItPointedAt) {
  add(30);
  RingPacket packet;
  ASSERT_TRUE(ring_.first(packet));
  const RingPosition old = packet.at;
  for (int each = 0; each < 100; ++each) add(100);
  EXPECT_FALSE(ring_.waits(packet));
  ASSERT_TRUE(ring_.after(old, packet));
  EXPECT_EQ(packet.sequence, contents(ring_).front().sequence);
}

TEST_F(RingTest, DamagedPayloadsLeaveAndAreCountedForGood) {
  add(30);
  const ModelPacket second = add(30);
  RingPacket packet;
  ASSERT_TRUE(ring_.first(packet));
  flash_.data()[packet.at.offset + 40] ^= 0x01;
  std::uint8_t out[30];
  EXPECT_EQ(ring_.read(packet, MutableBytes(out)), LinkStatus::kGone);
  EXPECT_EQ(ring_.dropped(), 1U);
  EXPECT_EQ(contents(ring_), std::deque<ModelPacket>{second});
  remount();
  EXPECT_EQ(ring_.dropped(), 1U);
  for (int each = 0; each < 100; ++each) add(50);
  EXPECT_EQ(ring_.dropped() + ring_.packets(), 102U);
}

TEST_F(RingTest, ADamagedHeaderHidesItsPacketOnly) {
  add(30);
  const ModelPacket second = add(30);
  RingPacket packet;
  ASSERT_TRUE(ring_.first(packet));
  flash_.data()[packet.at.offset + 9] ^= 0x10;
  remount();
  EXPECT_EQ(contents(ring_), std::deque<ModelPacket>{second});
}

TEST_F(RingTest, ADamagedSectorHeaderHidesNoPacket) {
  std::deque<ModelPacket> kept;
  for (int each = 0; each < 9; ++each) kept.push_back(add(60));
  flash_.data()[kSector + 5] ^= 0x10;
  remount();
  EXPECT_EQ(contents(ring_), kept);
}

TEST_F(RingTest, APacketWhoseEndIsNotThereIsLost) {
  add(60);
  const ModelPacket second = add(60);
  add(300);
  const std::size_t newest = 2 * kSector;
  flash_.data()[newest + 5] ^= 0x10;  // the header of the sector that its end lies in
  remount();
  EXPECT_EQ(ring_.packets(), 3U);
  RingPacket packet;
  std::vector<std::uint8_t> out(300);
  ASSERT_TRUE(ring_.after({1, 24 + 92}, packet));
  EXPECT_EQ(packet.sequence, 3U);
  EXPECT_EQ(ring_.read(packet, MutableBytes(out.data(), out.size())), LinkStatus::kGone);
  EXPECT_EQ(contents(ring_).back(), second);
  EXPECT_EQ(ring_.dropped(), 1U);
}

TEST_F(RingTest, FormatForgetsAll) {
  for (int each = 0; each < 100; ++each) add(50);
  ASSERT_EQ(ring_.format(flash_), LinkStatus::kOk);
  EXPECT_EQ(ring_.packets(), 0U);
  EXPECT_EQ(ring_.dropped(), 0U);
  EXPECT_EQ(append(ring_, {1, 1, payload_of(1, 1, 9)}), LinkStatus::kOk);  // numbers start again with an enrolment
}

TEST(Ring, TakesAPartitionThatHeldSomethingElse) {
  fakes::FakePartition flash(8 * kSector, kSector);
  fakes::FakeRandom random(3);
  ASSERT_TRUE(random.fill(MutableBytes(flash.data().data(), flash.data().size())));
  Ring ring;
  ASSERT_EQ(ring.mount(flash), LinkStatus::kOk);
  std::uint64_t sequence = 0;
  for (int each = 0; each < 100; ++each) {
    ++sequence;
    ASSERT_EQ(append(ring, {1, sequence, payload_of(1, sequence, 70)}), LinkStatus::kOk);
  }
  EXPECT_EQ(ring.dropped() + contents(ring).size(), 100U);
  EXPECT_EQ(flash.overwrites(), 0U);
}

TEST(Ring, RefusesAPartitionThatIsTooSmall) {
  fakes::FakePartition two(2 * kSector, kSector);
  Ring ring;
  EXPECT_EQ(ring.mount(two), LinkStatus::kMalformed);
  EXPECT_EQ(append(ring, {1, 1, payload_of(1, 1, 9)}), LinkStatus::kFlashFailed);
  EXPECT_EQ(ring.max_payload_bytes(), 0U);
  EXPECT_EQ(ring.free_bytes(), 0U);
}

TEST(Ring, FlashThatFailsIsSaidAndLosesNothing) {
  for (std::size_t operations = 0; operations < 60; ++operations) {
    fakes::FakePartition flash(4 * kSector, kSector);
    Ring ring;
    ASSERT_EQ(ring.mount(flash), LinkStatus::kOk);
    flash.fail_after_operations(operations);
    std::uint64_t kept = 0;
    std::uint64_t sequence = 0;
    LinkStatus status = LinkStatus::kOk;
    while (status == LinkStatus::kOk) {
      ++sequence;
      status = append(ring, {1, sequence, payload_of(1, sequence, 90)});
      if (status == LinkStatus::kOk) kept = sequence;
    }
    EXPECT_EQ(status, LinkStatus::kFlashFailed);
    flash.mend();
    ++sequence;
    ASSERT_EQ(append(ring, {1, sequence, payload_of(1, sequence, 90)}), LinkStatus::kOk);
    EXPECT_EQ(ring.dropped() + contents(ring).size(), kept + 1) << operations;
  }
}

}  // namespace
}  // namespace salus
