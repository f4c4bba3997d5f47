// What the console asks, and how a wearable begins, is told who it is, and ends.
#include <limits>

#include "rig.h"

namespace salus::wearable {
namespace {

TEST(Hello, OfAFactoryIsNobodys) {
  Rig rig;
  console::HelloReply reply = {};
  ASSERT_TRUE(rig.device->hello(reply).done());
  EXPECT_STREQ(reply.firmware_version, "1.2.3");
  EXPECT_STREQ(reply.board, "fake");
  EXPECT_STREQ(reply.device, "");
  EXPECT_FALSE(reply.provisioned);
  EXPECT_EQ(reply.base_sha256.size, 0U);
  EXPECT_STREQ(rig.inject(0, 1).code, "not_provisioned");
  EXPECT_STREQ(rig.device->say_labels({}).code, "not_provisioned");
  EXPECT_FALSE(rig.network.started());
}

TEST(Hello, OfAnEnrolledOneSaysWhoItIsAndWhatItRuns) {
  Rig rig;
  rig.make_ready();
  console::HelloReply reply = {};
  ASSERT_TRUE(rig.device->hello(reply).done());
  EXPECT_STREQ(reply.device, "w1");
  EXPECT_STREQ(reply.task, "sway");
  EXPECT_EQ(reply.model_version, 1U);
  EXPECT_TRUE(reply.provisioned);
}

TEST(Model, WithoutOneNothingIsMeasured) {
  Rig rig;
  rig.enrol();
  EXPECT_STREQ(rig.inject(0, 1).code, "no_model");
  console::GoldenResult golden = {};
  EXPECT_STREQ(rig.device->run_golden(false, golden).code, "no_model");
  console::InferenceResult inference;
  EXPECT_STREQ(rig.device->run_inference({}, true, inference).code, "no_model");
}

TEST(Model, TheFirstComesUnsignedByTheConsoleAndIsKept) {
  Rig rig;
  rig.take_first_model();
  EXPECT_EQ(rig.status().model_version, 1U);
  rig.restart();
  EXPECT_EQ(rig.status().model_version, 1U);
  console::GoldenResult golden = {};
  ASSERT_TRUE(rig.device->run_golden(false, golden).done());
  EXPECT_GT(golden.inputs, 0U);
  EXPECT_EQ(golden.mismatches, 0U);
}

TEST(Model, OneInferenceAtATime) {
  Rig rig;
  rig.make_ready();
  const std::vector<std::int8_t> window(kWindow * 4, 5);
  console::InferenceResult result;
  ASSERT_TRUE(rig.device->run_inference(Span<const std::int8_t>(window.data(), window.size()), false, result).done());
  EXPECT_EQ(result.output.size(), 8U);
  EXPECT_STREQ(rig.device->run_inference(Span<const std::int8_t>(window.data(), 5), false, result).code, "wrong_size");
  EXPECT_EQ(rig.statistics().inferences, 1U);
}

TEST(Release, WhatIsNoMessageIsRefused) {
  Rig rig;
  rig.make_ready();
  const Octets junk = {0xFF, 0xFF};
  Bytes status;
  EXPECT_STREQ(rig.device->release(view(junk), status).code, "malformed");
  const Octets refused = Writing().octets(1, view(release::vectors()["stranger"].signed_manifest)).made;
  ASSERT_TRUE(rig.device->release(view(refused), status).done());
  EXPECT_EQ(Fields(status).number(2), 3U);
  EXPECT_EQ(Fields(status).text(4), "bad_signature");
  EXPECT_TRUE(rig.heard("event").empty());  // whoever holds the cable is told
}

struct Piece : testing::Test {
  Rig rig;
  void SetUp() override { rig.make_ready(); }
};

TEST_F(Piece, AFrameThatComesTwiceChangesNothing) {
  ASSERT_TRUE(rig.inject(0, 40).done());
  EXPECT_EQ(rig.reply.next_sample, 40U);
  const std::uint64_t windows = rig.reply.windows;
  ASSERT_TRUE(rig.inject(0, 40).done());
  EXPECT_EQ(rig.reply.next_sample, 40U);
  EXPECT_EQ(rig.reply.windows, windows);
  ASSERT_TRUE(rig.inject(20, 40).done());  // half of it is known
  EXPECT_EQ(rig.reply.next_sample, 60U);
}

TEST_F(Piece, TheSamplesMoveTheClockAndTimeStandsStillBetween) {
  ASSERT_TRUE(rig.inject(0, 50).done());
  EXPECT_EQ(rig.reply.clock_ms, kStartMs + 1000);
  rig.clock.advance_ms(5000);
  EXPECT_EQ(rig.status().clock_ms, kStartMs + 1000);
  ASSERT_TRUE(rig.device->set_clock(kStartMs).done());
  rig.clock.advance_ms(7);
  EXPECT_EQ(rig.status().clock_ms, kStartMs + 7);
}

TEST_F(Piece, AGapIsRefused) {
  EXPECT_STREQ(rig.inject(5, 5).code, "gap");
  ASSERT_TRUE(rig.inject(0, 10).done());
  EXPECT_STREQ(rig.inject(11, 5).code, "gap");
  EXPECT_STREQ(rig.inject(10, 5, false, kStartMs + 1).code, "gap");
  EXPECT_TRUE(rig.inject(10, 5).done());
}

TEST_F(Piece, SamplesThatCannotBeAreRefused) {
  ASSERT_TRUE(rig.inject(0, 10).done());
  const float values[] = {1.0F, 2.0F, std::numeric_limits<float>::quiet_NaN()};
  console::InjectSamples request;
  request.start_ms = kStartMs;
  request.first_sample = 10;
  request.channels = 3;
  request.values = values;
  EXPECT_STREQ(rig.device->inject_samples(request, rig.reply).code, "not_finite");
  request.channels = 1;
  EXPECT_STREQ(rig.device->inject_samples(request, rig.reply).code, "malformed");
  EXPECT_EQ(rig.status().next_sample, 10U);
}

TEST_F(Piece, ANewPieceSealsWhatTheOldOneLeft) {
  ASSERT_TRUE(rig.inject(0, kWindow).done());
  rig.poll();
  EXPECT_TRUE(rig.heard("feature").empty());
  ASSERT_TRUE(rig.inject(0, kWindow, false, kStartMs + 60'000).done());
  rig.poll();
  EXPECT_EQ(rig.heard("feature").size(), 1U);
}

TEST_F(Piece, WhenNoSamplesComeWhatWaitsIsSealed) {
  ASSERT_TRUE(rig.inject(0, kWindow).done());
  rig.clock.advance_ms(Wearable::kIdleUs / 1000 + 1);
  rig.poll();
  EXPECT_EQ(rig.heard("feature").size(), 1U);
}

TEST_F(Piece, LabelsFollowTheFeaturesThatTheyAreOf) {
  ASSERT_TRUE(rig.inject(0, kWindow).done());
  const Octets labels = {1, 2, 3};
  ASSERT_TRUE(rig.device->say_labels(view(labels)).done());
  rig.poll();
  const std::vector<Said> said = rig.heard();
  ASSERT_EQ(said.size(), 2U);
  EXPECT_EQ(said[0].kind, "feature");
  EXPECT_EQ(said[1].kind, "label");
  EXPECT_EQ(said[1].plaintext, labels);
  const Octets large(30'000);
  EXPECT_STREQ(rig.device->say_labels(view(large)).code, "too_large");
}

TEST(Sensor, ItsSamplesAreMeasured) {
  Rig rig(true);
  rig.make_ready();
  rig.sensor->add(static_cast<double>(kStartMs), std::vector<float>(kChannels * (kWindow + 3 * kHop), 0.25F));
  rig.poll(10);
  EXPECT_EQ(rig.heard("feature").size(), 1U);
}

TEST(Sensor, ThatGivesNoNumbersIsCountedAndTheNextSamplesAreTaken) {
  Rig rig(true);
  rig.make_ready();
  rig.sensor->add(static_cast<double>(kStartMs), std::vector<float>(kChannels, std::numeric_limits<float>::infinity()));
  rig.poll(1);
  EXPECT_EQ(rig.refused("not_finite"), 1U);
  rig.sensor->add(static_cast<double>(kStartMs + 1000), std::vector<float>(kChannels * (kWindow + 3 * kHop), 0.25F));
  rig.poll(10);
  EXPECT_EQ(rig.heard("feature").size(), 1U);
}

TEST(Provision, BrokerAndSettingsMayChangeAndTheLinkFollows) {
  Rig rig;
  rig.make_ready();
  console::Provision request;
  request.broker_url = "mqtts://other:8883";
  ASSERT_TRUE(rig.device->provision(request).done());
  EXPECT_FALSE(rig.status().link_up);
  EXPECT_EQ(rig.network.ending(), Network::Ending::kGoodbye);
  rig.connect();
  EXPECT_TRUE(rig.status().link_up);
  ASSERT_TRUE(rig.device->provision(rig.provision()).code == nullptr);  // the same once more
}

TEST(Provision, ALinkNeedsCountersThatKnowItsSecret) {
  Rig rig;
  rig.enrol();
  rig.store.values().erase(Counters::kKey);
  rig.restart();
  EXPECT_FALSE(rig.network.started());
  EXPECT_STREQ(rig.device->provision(rig.provision()).code, "not_enrolled");
}

TEST(LinkControl, DropsTheLinkAsIfTheCableWasPulled) {
  Rig rig;
  rig.make_ready();
  ASSERT_TRUE(rig.device->control_link(false).done());
  EXPECT_EQ(rig.network.ending(), Network::Ending::kCut);
  EXPECT_FALSE(rig.status().link_wanted);
  ASSERT_TRUE(rig.inject_windows(4).done());
  EXPECT_EQ(rig.status().ring_packets, 1U);
  ASSERT_TRUE(rig.device->control_link(true).done());
  rig.connect();
  EXPECT_EQ(rig.heard("feature").size(), 1U);
}

TEST(Reset, SaysGoodbyeFirst) {
  Rig rig;
  rig.make_ready();
  ASSERT_TRUE(rig.inject(0, kWindow).done());
  ASSERT_TRUE(rig.device->reset().done());
  EXPECT_EQ(rig.reset.restarts(), 0);
  rig.poll();
  const std::vector<Said> said = rig.heard("state");
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].fields().number(1), 2U);
  EXPECT_EQ(said[0].fields().number(5), 1U);  // the feature that waited was sealed
  EXPECT_EQ(rig.reset.restarts(), 1);
  EXPECT_TRUE(rig.device->left());
  EXPECT_EQ(rig.network.ending(), Network::Ending::kGoodbye);
}

TEST(Reset, WaitsNotForEverForABrokerThatSaysNothing) {
  Rig rig;
  rig.make_ready();
  rig.network.hold_confirmations(true);
  rig.device->leave();
  rig.poll();
  EXPECT_FALSE(rig.device->left());
  rig.clock.advance_ms(Wearable::kLeaveUs / 1000);
  rig.poll();
  EXPECT_TRUE(rig.device->left());
  EXPECT_EQ(rig.reset.restarts(), 0);
}

TEST(FactoryErase, LeavesNothingButTheMarkOfTheSecret) {
  Rig rig;
  rig.make_ready();
  ASSERT_TRUE(rig.inject_windows(8).done());
  ASSERT_TRUE(rig.device->factory_erase().done());
  rig.poll();
  EXPECT_EQ(rig.reset.restarts(), 1);
  rig.restart();
  console::HelloReply reply = {};
  ASSERT_TRUE(rig.device->hello(reply).done());
  EXPECT_FALSE(reply.provisioned);
  EXPECT_STREQ(reply.device, "");
  EXPECT_STREQ(reply.task, "");
  EXPECT_EQ(rig.status().ring_packets, 0U);
  EXPECT_EQ(rig.statistics().features, 0U);
  EXPECT_STREQ(rig.device->provision(rig.provision()).code, "spent_secret");
  rig.secret.assign(32, 9);
  rig.enrol();
  rig.take_first_model();
  EXPECT_EQ(rig.status().boot, 1U);
}

TEST(FactoryErase, ThatAPowerCutEndsCanBeSaidAgain) {
  for (std::uint64_t steps = 0;; steps += 977) {
    Rig rig;
    rig.make_ready();
    ASSERT_TRUE(rig.inject_windows(8).done());
    rig.power.cut_after(steps);
    const bool whole = rig.device->factory_erase().done();
    rig.power.restore();
    rig.restart();
    ASSERT_TRUE(rig.device->factory_erase().done()) << steps;
    rig.restart();
    ASSERT_EQ(rig.status().ring_packets, 0U);
    ASSERT_EQ(rig.status().model_version, 0U);
    if (whole) return;
  }
}

TEST(Statistics, SayWhatWasDone) {
  Rig rig;
  rig.make_ready();
  ASSERT_TRUE(rig.inject_windows(4).done());
  const console::Statistics said = rig.statistics();
  EXPECT_EQ(said.features, 4U);
  EXPECT_EQ(said.packets, 1U);
  EXPECT_EQ(said.inferences, 4U);
  EXPECT_EQ(said.arena_high_water_bytes, 64U);
  EXPECT_EQ(said.heap_low_water_bytes, 900U);
  EXPECT_EQ(said.stack_low_water_bytes, 800U);
  EXPECT_EQ(said.ring_high_water_packets, 1U);
  EXPECT_GT(said.raw_window_bytes, 4U * kWindow * 4 * 2);
  ASSERT_EQ(said.sent_bytes_count, 2U);
  EXPECT_STREQ(said.sent_bytes[0].name, "state");
  EXPECT_STREQ(said.sent_bytes[1].name, "feature");
  EXPECT_EQ(rig.status().free_heap_bytes, 1000U);
}

}  // namespace
}  // namespace salus::wearable
