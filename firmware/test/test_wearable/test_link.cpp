// What goes up, what comes down, and what becomes of it.
#include "rig.h"

namespace salus::wearable {
namespace {

const Octets kConsent(32, 'c');

struct LinkTest : testing::Test {
  Rig rig;
  void SetUp() override { rig.make_ready(); }
  Octets seal_request() { return rig.seal("command", Writing().message(2, Writing()).made); }
};

TEST_F(LinkTest, ItIsConnectedAsItsTopicsSay) {
  EXPECT_EQ(rig.network.topics(),
            (std::vector<std::string>{Rig::topic("release"), Rig::topic("command"), Rig::topic("ack")}));
  EXPECT_EQ(rig.network.will().topic, Rig::topic("state"));
  const Bytes will = rig.network.will().payload;
  EXPECT_EQ(std::string(will.begin(), will.end()), "lost");
}

TEST_F(LinkTest, WindowsBecomePacketsOfSoManyFeatures) {
  ASSERT_TRUE(rig.inject_windows(6).done());
  rig.poll();
  const std::vector<Said> said = rig.heard();
  ASSERT_EQ(said.size(), 2U);
  EXPECT_EQ(said[0].kind, "feature");
  EXPECT_FALSE(said[0].retain);
  const Fields first = said[0].fields(), second = said[1].fields();
  EXPECT_EQ(first.text(1), "sway");
  EXPECT_EQ(first.number(2), 1U);
  EXPECT_EQ(first.octets(3), rig.base_sha256());
  EXPECT_EQ(first.number(4), kStartMs);
  EXPECT_EQ(first.number(5), 640U);
  EXPECT_EQ(first.all(6).size(), 4U);
  EXPECT_EQ(second.number(4), kStartMs + 4 * 320);
  ASSERT_EQ(second.all(6).size(), 2U);
  EXPECT_EQ(Fields(view(second.all(6)[1])).number(1), 320U);
  EXPECT_EQ(Fields(view(second.all(6)[1])).octets(2).size(), 8U);
}

TEST_F(LinkTest, APacketStaysUntilItsAck) {
  ASSERT_TRUE(rig.inject_windows(4).done());
  rig.poll();
  const std::vector<Said> said = rig.heard("feature");
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(rig.status().ring_packets, 1U);
  EXPECT_EQ(rig.status().in_flight_packets, 1U);
  rig.acknowledge(said[0]);
  EXPECT_EQ(rig.status().ring_packets, 0U);
  EXPECT_EQ(rig.status().in_flight_packets, 0U);
  rig.clock.advance_ms(5000);
  rig.poll();
  EXPECT_TRUE(rig.heard("feature").empty());
}

TEST_F(LinkTest, WithoutAnAckTheSameBytesComeAgainLaterAndLater) {
  ASSERT_TRUE(rig.inject_windows(4).done());
  rig.poll();
  const std::vector<std::uint8_t> payload = rig.network.published().back().payload;
  std::size_t sent = rig.network.published().size();
  for (const std::uint64_t wait_ms : {1000U, 2000U, 3000U}) {
    rig.clock.advance_ms(wait_ms - 1);
    rig.poll();
    EXPECT_EQ(rig.network.published().size(), sent) << wait_ms;
    rig.clock.advance_ms(1);
    rig.poll();
    ASSERT_EQ(rig.network.published().size(), ++sent) << wait_ms;
    EXPECT_EQ(rig.network.published().back().payload, payload);
  }
  EXPECT_EQ(rig.statistics().resent_packets, 3U);
}

TEST_F(LinkTest, OnlySoManyAreInFlight) {
  for (std::size_t at = 0; at < 40; ++at) ASSERT_TRUE(rig.inject_windows(1, kStartMs + at * 60'000).done());
  rig.poll(20);
  std::vector<Said> said = rig.heard("feature");
  ASSERT_EQ(said.size(), Outbox::kInFlight);
  rig.acknowledge(said[3]);
  const std::vector<Said> next = rig.heard("feature");
  ASSERT_EQ(next.size(), 1U);
  EXPECT_GT(next[0].sequence, said.back().sequence);
}

TEST_F(LinkTest, AReconnectSaysTheStateAndSendsAllAgain) {
  ASSERT_TRUE(rig.inject_windows(8).done());
  rig.poll();
  ASSERT_EQ(rig.heard("feature").size(), 2U);
  rig.network.disconnect();
  rig.poll();
  EXPECT_FALSE(rig.status().link_up);
  rig.connect();
  const std::vector<Said> said = rig.heard();
  ASSERT_EQ(said.size(), 3U);
  EXPECT_EQ(said[0].kind, "state");
  EXPECT_TRUE(said[0].retain);
  EXPECT_EQ(said[0].fields().number(1), 1U);
  EXPECT_EQ(said[0].fields().text(2), "sway");
  EXPECT_EQ(said[0].fields().number(5), 2U);
  EXPECT_EQ(said[1].kind, "feature");
}

TEST_F(LinkTest, ANetworkThatTakesNothingIsAskedAgain) {
  rig.network.full(true);
  ASSERT_TRUE(rig.inject_windows(4).done());
  rig.hear("command", Writing().message(2, Writing()).made);
  EXPECT_TRUE(rig.heard().empty());
  rig.network.full(false);
  rig.poll();
  const std::vector<Said> said = rig.heard();
  ASSERT_EQ(said.size(), 2U);
  EXPECT_EQ(said[0].kind, "state");
}

TEST_F(LinkTest, WhatTheGatewayRefusesIsNotSentAgain) {
  ASSERT_TRUE(rig.inject_windows(4).done());
  rig.poll();
  const Said said = rig.heard("feature")[0];
  const Writing refusal = Writing().number(1, said.boot).number(2, said.sequence).text(3, "wrong_shape");
  rig.hear("ack", Writing().message(2, refusal).made);
  EXPECT_EQ(rig.status().ring_packets, 0U);
  EXPECT_EQ(rig.refused("by gateway wrong_shape"), 1U);
  EXPECT_EQ(rig.statistics().dropped_packets, 0U);
}

TEST_F(LinkTest, BeyondTheBoundTheOldestGo) {
  console::Provision bound;
  bound.ring_packets = 3;
  ASSERT_TRUE(rig.device->provision(bound).done());
  rig.network.disconnect();
  for (std::size_t at = 0; at < 5; ++at) ASSERT_TRUE(rig.inject_windows(1, kStartMs + at * 60'000).done());
  EXPECT_EQ(rig.reply.ring_packets, 3U);
  EXPECT_EQ(rig.reply.ring_capacity_packets, 3U);
  EXPECT_EQ(rig.status().dropped_packets, 2U);
  rig.connect();
  const std::vector<Said> said = rig.heard();
  ASSERT_EQ(said.size(), 4U);
  EXPECT_EQ(said[0].fields().number(6), 2U);
  EXPECT_EQ(said[1].fields().number(4), kStartMs + 2 * 60'000);
}

TEST_F(LinkTest, ARequestIsAnsweredWithTheState) {
  rig.hear("command", Writing().message(2, Writing()).made);
  const std::vector<Said> said = rig.heard("state");
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].fields().octets(4), rig.base_sha256());
  EXPECT_EQ(rig.status().heard_messages, 1U);
}

TEST_F(LinkTest, WhatIsNotGenuineIsRefusedAndCounted) {
  const Octets once = seal_request();
  rig.network.deliver(Rig::topic("command").c_str(), view(once));
  rig.network.deliver(Rig::topic("command").c_str(), view(once));
  EXPECT_EQ(rig.refused("replayed"), 1U);
  rig.network.deliver(Rig::topic("ack").c_str(), view(seal_request()));
  EXPECT_EQ(rig.refused("wrong_key"), 1U);
  rig.network.deliver(Rig::topic("command").c_str(), {});
  EXPECT_EQ(rig.refused("truncated"), 1U);
  rig.network.deliver("salus/1/home/w2/command", view(seal_request()));
  rig.hear("command", {});
  rig.hear("ack", {0xFF});
  rig.hear("release", {0xFF});
  EXPECT_EQ(rig.refused("malformed"), 4U);
  rig.network.deliver(Rig::topic("state").c_str(), view(rig.seal("state", {})));
  EXPECT_EQ(rig.refused("malformed"), 5U);
}

TEST_F(LinkTest, CalibrationSendsWindowsUntilItsEnd) {
  rig.calibrate(kStartMs + 640 + 2 * 320, kConsent, rig.base_sha256());
  EXPECT_EQ(rig.status().calibrate_until_ms, kStartMs + 1280);
  (void)rig.heard();
  ASSERT_TRUE(rig.inject_windows(8).done());
  rig.poll();
  std::size_t windows = 0;
  for (const Said& said : rig.heard("window")) {
    const Fields batch = said.fields();
    EXPECT_EQ(batch.octets(8), kConsent);
    EXPECT_EQ(batch.number(4), kWindow);
    EXPECT_EQ(batch.number(5), 4U);
    EXPECT_LE(batch.all(7).size(), 2U);
    windows += batch.all(7).size();
  }
  EXPECT_EQ(windows, 3U);
  EXPECT_EQ(rig.statistics().windows, 3U);
}

TEST_F(LinkTest, TheStateSaysWhenCalibrationBeginsAndEnds) {
  ASSERT_TRUE(rig.inject_windows(1).done());
  rig.poll();
  (void)rig.heard();
  rig.calibrate(kStartMs + 5000, kConsent, rig.base_sha256());
  std::vector<Said> said = rig.heard("state");
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].fields().number(8), 1U);
  ASSERT_TRUE(rig.inject_windows(1, kStartMs + 6000).done());
  rig.poll();
  said = rig.heard("state");
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].fields().number(8), 0U);
}

TEST_F(LinkTest, AConsentThatIsWithdrawnTakesWhatWaitsWithIt) {
  rig.calibrate(kStartMs + 60'000, kConsent, rig.base_sha256());
  ASSERT_TRUE(rig.inject(0, kWindow).done());
  rig.calibrate(0, {}, {});
  ASSERT_TRUE(rig.inject(kWindow, 10 * kHop, true).done());
  rig.poll();
  EXPECT_TRUE(rig.heard("window").empty());
  EXPECT_EQ(rig.status().calibrate_until_ms, 0U);
}

TEST_F(LinkTest, CalibrationOfAnotherBaseIsRefused) {
  rig.calibrate(kStartMs + 60'000, kConsent, Octets(32, 1));
  EXPECT_EQ(rig.refused("other_base"), 1U);
  EXPECT_EQ(rig.status().calibrate_until_ms, 0U);
  rig.calibrate(kStartMs + 60'000, Octets(31, 1), rig.base_sha256());
  EXPECT_EQ(rig.refused("malformed"), 1U);
}

TEST_F(LinkTest, ConsentAndCountsOutliveAPowerCut) {
  rig.calibrate(kStartMs + 60'000, kConsent, rig.base_sha256());
  ASSERT_TRUE(rig.inject_windows(4).done());
  rig.restart();
  EXPECT_EQ(rig.status().calibrate_until_ms, kStartMs + 60'000);
  EXPECT_EQ(rig.status().boot, 2U);
  EXPECT_EQ(rig.statistics().features, 4U);
  EXPECT_EQ(rig.statistics().packets, 3U);
  EXPECT_EQ(rig.status().ring_packets, 3U);
}

TEST_F(LinkTest, ANewBaseEndsTheCampaignAndNamesItself) {
  rig.calibrate(kStartMs + 3'600'000, kConsent, rig.base_sha256());
  ASSERT_TRUE(rig.inject(0, kWindow).done());  // a feature that waits for its packet
  const Octets before = rig.base_sha256();
  rig.take("v2", false);
  EXPECT_EQ(rig.status().model_version, 2U);
  EXPECT_EQ(rig.status().calibrate_until_ms, 0U);
  ASSERT_TRUE(rig.inject(kWindow, kHop, true).done());
  rig.poll(10);
  std::vector<Octets> bases;
  std::vector<std::uint64_t> progress;
  for (const Said& said : rig.heard()) {
    if (said.kind == "feature") bases.push_back(said.fields().octets(3));
    if (said.kind == "event") progress.push_back(Fields(view(said.fields().octets(5))).number(2));
  }
  EXPECT_EQ(bases, (std::vector<Octets>{before, rig.base_sha256()}));
  EXPECT_EQ(progress, (std::vector<std::uint64_t>{1, 1, 1, 2}));
  EXPECT_EQ(rig.statistics().model_versions_count, 2U);
}

TEST_F(LinkTest, ARefusedReleaseIsSaidWithItsCode) {
  rig.take("stranger", false);
  const std::vector<Said> said = rig.heard("event");
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].fields().number(1), 4U);
  EXPECT_EQ(said[0].fields().text(3), "bad_signature");
  EXPECT_EQ(Fields(view(said[0].fields().octets(5))).text(4), "bad_signature");
  EXPECT_EQ(rig.refused("release bad_signature"), 1U);
}

TEST_F(LinkTest, ASilentGatewayIsToldAgainWhereATransferStands) {
  const release::Case& each = release::vectors()["v2"];
  rig.hear("release", Writing().octets(1, view(each.signed_manifest)).made);
  ASSERT_EQ(rig.heard("event").size(), 1U);
  rig.clock.advance_ms(Wearable::kSilenceUs / 1000 + 1);
  rig.poll();
  EXPECT_FALSE(rig.heard("event").empty());
}

TEST_F(LinkTest, APersonalModelRaisesItsPatientsAlarms) {
  rig.take("personal", false);
  const std::uint32_t version = rig.status().personal_version;
  EXPECT_GT(version, 0U);
  (void)rig.heard();
  for (std::size_t at = 0; at < 4; ++at) ASSERT_TRUE(rig.inject_windows(20, kStartMs + at * 60'000).done());
  rig.poll(60);
  std::size_t alarms = 0;
  for (const Said& said : rig.heard("event")) alarms += said.fields().number(1) == 1;
  EXPECT_GT(alarms, 0U);
  EXPECT_EQ(rig.statistics().alarms, alarms);
  rig.hear("command", Writing().message(2, Writing()).made);
  EXPECT_EQ(rig.heard("state").back().fields().number(9), version);
}

}  // namespace
}  // namespace salus::wearable
