// The power is cut at every step of a ring's life, and what was promised must be there.
#include <gtest/gtest.h>

#include <algorithm>

#include "ring_model.h"

namespace salus {
namespace {

constexpr std::size_t kSector = 256;
constexpr std::size_t kSectors = 4;

// What was promised: appends that said kOk, less what was taken back. The last operation may have been cut short.
struct Promises {
  std::deque<ModelPacket> kept;    // appended, not acknowledged
  std::uint64_t appended = 0;      // so many said kOk
  std::uint64_t acknowledged = 0;  // so many left by an ack
  std::uint64_t sequence = 0;      // of the last append, whatever it said
  std::uint64_t doubtful = 0;      // the append under way when the power went
  AckRange acking{1, 1, 0};        // the ack under way
};

// Append, acknowledge and overflow until the power goes; the same way for the same seed. One packet in seven is large.
void live(Ring& ring, fakes::FakePower& power, fakes::FakeRandom& random, Promises& promises, int rounds,
          std::size_t small = 60, std::size_t large = 420) {
  for (int round = 0; round < rounds && !power.off(); ++round) {
    const std::uint64_t sequence = ++promises.sequence;
    const ModelPacket packet{1, sequence, payload_of(1, sequence, 1 + random.next(round % 7 == 0 ? large : small))};
    if (append(ring, packet) != LinkStatus::kOk) {
      promises.doubtful = sequence;
      return;
    }
    promises.kept.push_back(packet);
    ++promises.appended;
    if (random.next(3) != 0) continue;
    const std::uint64_t from = sequence > 4 ? sequence - 4 : 1;
    promises.acking = {1, from, from + random.next(3)};
    promises.acknowledged += ring.acknowledge(promises.acking);
    if (power.off()) return;
    for (auto each = promises.kept.begin(); each != promises.kept.end();) {
      const bool left = each->sequence >= from && each->sequence <= promises.acking.last_sequence;
      each = left ? promises.kept.erase(each) : each + 1;
    }
    promises.acking = {1, 1, 0};
  }
}

// Every packet that was promised is there whole and in order, but for the oldest when they were dropped and counted,
// and for those whose ack was under way.
void check(const std::deque<ModelPacket>& found, std::uint64_t dropped, const Promises& promises) {
  for (std::size_t at = 1; at < found.size(); ++at) ASSERT_LT(found[at - 1].sequence, found[at].sequence);
  const std::uint64_t oldest = found.empty() ? promises.sequence + 1 : found.front().sequence;
  std::size_t next = 0;
  for (const ModelPacket& each : promises.kept) {
    while (next < found.size() && found[next].sequence < each.sequence) ++next;
    if (next < found.size() && found[next] == each) continue;
    const bool acking =
        each.sequence >= promises.acking.first_sequence && each.sequence <= promises.acking.last_sequence;
    ASSERT_TRUE(acking || each.sequence < oldest) << each.sequence << " is lost, and it is not the oldest";
  }
  for (const ModelPacket& each : found) {
    const bool known = std::find(promises.kept.begin(), promises.kept.end(), each) != promises.kept.end();
    ASSERT_TRUE(known || each.sequence == promises.doubtful) << each.sequence;
  }
  // All are accounted for, give or take the one append that was not said to be kept and the one ack not reported.
  const std::uint64_t accounted = promises.acknowledged + dropped + found.size();
  ASSERT_LE(promises.appended, accounted + (promises.acking.last_sequence != 0 ? 1 : 0));
  ASSERT_LE(accounted, promises.appended + (promises.doubtful != 0 ? 1 : 0));
}

// Forget what is past: what is there now is what was promised.
void renew(Promises& promises, const std::deque<ModelPacket>& found, std::uint64_t dropped) {
  promises.kept = found;
  promises.appended = found.size() + dropped;
  promises.acknowledged = promises.doubtful = 0;
  promises.acking = {1, 1, 0};
}

class RingCuts : public ::testing::TestWithParam<fakes::Tear> {};

TEST_P(RingCuts, KeepEveryPromiseAtEveryStep) {
  fakes::FakePower power;
  std::uint64_t steps = 0;
  {
    fakes::FakePartition flash(kSectors * kSector, kSector, &power);
    Ring ring;
    fakes::FakeRandom random(11);
    Promises promises;
    ASSERT_EQ(ring.mount(flash), LinkStatus::kOk);
    live(ring, power, random, promises, 28);
    steps = power.taken();
    ASSERT_GT(ring.dropped(), 0U);
  }
  for (std::uint64_t cut = 0; cut < steps; ++cut) {
    SCOPED_TRACE(cut);
    power.restore();
    fakes::FakePartition flash(kSectors * kSector, kSector, &power);
    flash.tear(GetParam());
    power.cut_after(cut);
    Ring ring;
    fakes::FakeRandom random(11);
    Promises promises;
    if (ring.mount(flash) == LinkStatus::kOk) live(ring, power, random, promises, 28);
    power.restore();
    ASSERT_EQ(ring.mount(flash), LinkStatus::kOk);
    const std::deque<ModelPacket> found = contents(ring);
    check(found, ring.dropped(), promises);
    ASSERT_FALSE(HasFatalFailure());
    if (cut % 2 == 0) {
      ASSERT_EQ(ring.mount(flash), LinkStatus::kOk);
      ASSERT_EQ(contents(ring), found) << "a second start finds the same";
    }
    renew(promises, found, ring.dropped());
    live(ring, power, random, promises, 10);
    check(contents(ring), ring.dropped(), promises);
    ASSERT_FALSE(HasFatalFailure());
    ASSERT_EQ(flash.overwrites(), 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(Tears, RingCuts, ::testing::Values(fakes::Tear::kPrefix, fakes::Tear::kScattered),
                         [](const auto& each) { return each.param == fakes::Tear::kPrefix ? "Prefix" : "Scattered"; });

// Cut, start, cut again while it puts things right: at random, hundreds of times on one flash.
TEST(RingStorm, LosesNothingThatWasPromised) {
  fakes::FakePower power;
  fakes::FakeRandom chance(5);
  fakes::FakePartition flash(kSectors * kSector, kSector, &power);
  flash.tear(fakes::Tear::kScattered);
  Promises promises;
  Ring ring;
  ASSERT_EQ(ring.mount(flash), LinkStatus::kOk);
  for (int start = 0; start < 2000; ++start) {
    SCOPED_TRACE(start);
    power.cut_after(chance.next(900));
    if (start % 2 == 0 || ring.mount(flash) == LinkStatus::kOk) live(ring, power, chance, promises, 6);
    power.restore();
    ASSERT_EQ(ring.mount(flash), LinkStatus::kOk);
    const std::deque<ModelPacket> found = contents(ring);
    check(found, ring.dropped(), promises);
    ASSERT_FALSE(HasFatalFailure());
    renew(promises, found, ring.dropped());
  }
  EXPECT_GT(ring.dropped(), 100U);
}

// As on a board: whole sectors, feature packets, and calibration windows that span several.
TEST(RingLife, OfABoardKeepsAllThatFits) {
  fakes::FakePower power;
  fakes::FakeRandom chance(9);
  fakes::FakePartition flash(16 * 4096, 4096, &power);
  Promises promises;
  Ring ring;
  for (int start = 0; start < 60; ++start) {
    SCOPED_TRACE(start);
    ASSERT_EQ(ring.mount(flash), LinkStatus::kOk);
    live(ring, power, chance, promises, 40, 900, 14'000);
    const std::deque<ModelPacket> found = contents(ring);
    check(found, ring.dropped(), promises);
    ASSERT_FALSE(HasFatalFailure());
    promises.acking = {1, 1, 0};
  }
  EXPECT_GT(ring.dropped(), 100U);
  for (int each = 0; each < 200; ++each) {
    ++promises.sequence;
    ASSERT_EQ(append(ring, {1, promises.sequence, payload_of(1, promises.sequence, 600)}), LinkStatus::kOk);
  }
  EXPECT_GE(ring.packets() * 600, 13 * 4096U) << "a full ring holds all but the sectors it needs to go on";
  EXPECT_EQ(flash.overwrites(), 0U);
}

}  // namespace
}  // namespace salus
