// The console: each request reaches the handler as it was said, and has one answer.
#include <gtest/gtest.h>

#include <limits>

#include "console/console.h"
#include "host.h"
#include "spy.h"

namespace salus::console::test {
namespace {

constexpr std::size_t kLongest = 2048;

struct ConsoleTest : testing::Test {
  Octets memory = Octets(FrameReader::memory_bytes(kLongest));
  Port port;
  Spy spy;
  Console console{port, spy, MutableBytes(memory.data(), memory.size())};

  void SetUp() override { console.set_carried(&spy); }

  std::vector<Answer> feed(const Octets& data) {
    port.out.clear();
    console.feed(Bytes(data.data(), data.size()));
    return answers(port.out);
  }

  // The one answer to a request.
  Answer ask(std::uint32_t tag, const Octets& body) {
    const std::vector<Answer> all = feed(wire(frame(41, tag, body)));
    EXPECT_EQ(all.size(), 1U);
    if (all.size() != 1) return {};
    EXPECT_EQ(all[0].id, 41U);
    return all[0];
  }

  void expect_done(std::uint32_t tag, const Octets& body) {
    EXPECT_EQ(ask(tag, body).tag, salus_console_v1_Frame_done_tag);
  }

  void expect_failure(std::uint32_t tag, const Octets& body, const char* code) {
    const Answer answer = ask(tag, body);
    EXPECT_EQ(answer.tag, salus_console_v1_Frame_failure_tag);
    EXPECT_EQ(field_text(answer.body, salus_console_v1_Failure_code_tag), code);
  }

  template <typename Message>
  Message decoded(const Answer& answer, const pb_msgdesc_t& fields, Message message) {
    pb_istream_t stream = pb_istream_from_buffer(answer.body.data(), answer.body.size());
    EXPECT_TRUE(pb_decode(&stream, &fields, &message));
    return message;
  }
};

TEST_F(ConsoleTest, SaysHello) {
  const Answer answer = ask(salus_console_v1_Frame_hello_tag, {});
  ASSERT_EQ(answer.tag, salus_console_v1_Frame_hello_reply_tag);
  const HelloReply reply = decoded(answer, salus_console_v1_HelloReply_msg, HelloReply{});
  EXPECT_STREQ(reply.device, "w1");
  EXPECT_TRUE(reply.provisioned);
  EXPECT_EQ(reply.max_frame_bytes, kLongest);
}

TEST_F(ConsoleTest, ProvisionsEveryField) {
  const Octets secret(32, 1), release(33, 2), gateway(33, 3), chain(32, 4);
  expect_done(salus_console_v1_Frame_provision_tag,
              text(1, "w1") + text(2, "ward") + text(3, "pass word") + text(4, "mqtts://u:p@h:1") + text(5, "PEM") +
                  bytes(6, secret) + bytes(7, release) + bytes(8, gateway) + bytes(9, chain) + text(10, "north") +
                  number(11, 2) + number(12, 500) + number(13, 8) + number(14, 4) + number(15, 10000) +
                  text(16, "CERTIFICATE") + text(17, "KEY"));
  EXPECT_EQ(spy.device, "w1");
  EXPECT_EQ(spy.ssid, "ward");
  EXPECT_EQ(spy.password, "pass word");
  EXPECT_EQ(spy.url, "mqtts://u:p@h:1");
  EXPECT_EQ(spy.ca, "PEM");
  EXPECT_EQ(spy.certificate, "CERTIFICATE");
  EXPECT_EQ(spy.key, "KEY");
  EXPECT_EQ(spy.secret, secret);
  EXPECT_EQ(spy.release_key, release);
  EXPECT_EQ(spy.gateway_key, gateway);
  EXPECT_EQ(spy.chain_id, chain);
  EXPECT_EQ(spy.federation, "north");
  EXPECT_EQ(spy.provisioned.wrist, salus_console_v1_Provision_Wrist_RIGHT);
  EXPECT_EQ(spy.provisioned.ring_packets, 500U);
  EXPECT_EQ(spy.provisioned.features_per_packet, 8U);
  EXPECT_EQ(spy.provisioned.windows_per_packet, 4U);
  EXPECT_EQ(spy.provisioned.ack_timeout_ms, 10000U);
}

TEST_F(ConsoleTest, AnEmptyProvisionGivesNothing) {
  expect_done(salus_console_v1_Frame_provision_tag, {});
  EXPECT_EQ(spy.device, "");
  EXPECT_TRUE(spy.secret.empty());
  EXPECT_EQ(spy.provisioned.wrist, salus_console_v1_Provision_Wrist_WRIST_UNSPECIFIED);
}

TEST_F(ConsoleTest, OfAFieldGivenTwiceTheLastHolds) {
  expect_done(salus_console_v1_Frame_provision_tag, text(1, "longer") + text(1, "w2"));
  EXPECT_EQ(spy.device, "w2");
}

TEST_F(ConsoleTest, RefusesAMalformedProvision) {
  const std::uint32_t tag = salus_console_v1_Frame_provision_tag;
  expect_failure(tag, bytes(1, {'a', 0, 'b'}), "malformed");
  expect_failure(tag, bytes(6, Octets(31, 1)), "malformed");
  expect_failure(tag, bytes(7, Octets(32, 1)), "malformed");
  expect_failure(tag, bytes(8, Octets(34, 1)), "malformed");
  expect_failure(tag, bytes(9, Octets(1, 1)), "malformed");
  expect_failure(tag, number(11, 3), "malformed");
  expect_failure(tag, number(11, 200), "malformed");
  expect_failure(tag, number(1, 5), "malformed");                    // a number where text belongs
  expect_failure(tag, varint(1 << 3 | 2) + varint(9), "malformed");  // longer than the body
  EXPECT_TRUE(spy.calls.empty());
}

TEST_F(ConsoleTest, TellsStatus) {
  const Answer answer = ask(salus_console_v1_Frame_status_request_tag, {});
  ASSERT_EQ(answer.tag, salus_console_v1_Frame_status_tag);
  const Status status = decoded(answer, salus_console_v1_Status_msg, Status{});
  EXPECT_EQ(status.boot, 7U);
  EXPECT_EQ(status.dropped_packets, 1ULL << 40);
}

TEST_F(ConsoleTest, InjectsSamplesAtAnyAlignment) {
  const std::vector<float> values{0.5F, -1.0F, 3e-39F, 9.75F, 1e30F, -0.0F};
  for (std::uint64_t id = 1; id < 1ULL << 31; id <<= 7) {  // longer and longer request ids shift the floats
    const Octets body = floats(3, values) + number(1, 1'767'225'600'000) + number(2, 3) + number(4, 900) + number(5, 1);
    const std::vector<Answer> all =
        feed(wire(frame(static_cast<std::uint32_t>(id), salus_console_v1_Frame_inject_samples_tag, body)));
    ASSERT_EQ(all.size(), 1U);
    ASSERT_EQ(all[0].tag, salus_console_v1_Frame_inject_reply_tag);
    EXPECT_EQ(decoded(all[0], salus_console_v1_InjectReply_msg, InjectReply{}).next_sample, 902U);
    EXPECT_EQ(spy.values, values);
    EXPECT_EQ(spy.injected.start_ms, 1'767'225'600'000U);
    EXPECT_EQ(spy.injected.first_sample, 900U);
    EXPECT_EQ(spy.injected.channels, 3U);
    EXPECT_TRUE(spy.injected.ends_piece);
  }
}

TEST_F(ConsoleTest, ASampleFrameMayOnlyEndAPiece) {
  EXPECT_EQ(ask(salus_console_v1_Frame_inject_samples_tag, number(2, 1) + number(5, 1)).tag,
            salus_console_v1_Frame_inject_reply_tag);
  EXPECT_TRUE(spy.values.empty());
}

TEST_F(ConsoleTest, RefusesSamplesThatAreNone) {
  const std::uint32_t tag = salus_console_v1_Frame_inject_samples_tag;
  expect_failure(tag, floats(3, {1.0F}), "malformed");                                     // no channels
  expect_failure(tag, floats(3, {1.0F, 2.0F}) + number(2, 3), "malformed");                // part of a sample
  expect_failure(tag, bytes(3, {1, 2, 3}) + number(2, 1), "malformed");                    // part of a float
  expect_failure(tag, floats(3, {1.0F}) + floats(3, {1.0F}) + number(2, 1), "malformed");  // two runs
  expect_failure(tag, varint(3 << 3 | 5) + Octets(4, 1) + number(2, 1), "malformed");      // not packed
  expect_failure(tag, floats(3, {std::numeric_limits<float>::quiet_NaN()}) + number(2, 1), "malformed");
  expect_failure(tag, floats(3, {std::numeric_limits<float>::infinity()}) + number(2, 1), "malformed");
  EXPECT_TRUE(spy.calls.empty());
}

TEST_F(ConsoleTest, RunsGoldenAndInference) {
  const Answer golden = ask(salus_console_v1_Frame_run_golden_tag, number(1, 1));
  ASSERT_EQ(golden.tag, salus_console_v1_Frame_golden_result_tag);
  EXPECT_EQ(decoded(golden, salus_console_v1_GoldenResult_msg, GoldenResult{}).inputs, 16U);
  EXPECT_TRUE(spy.flag);

  const Answer result = ask(salus_console_v1_Frame_run_inference_tag, bytes(1, {0x80, 0x00, 0x7F}));
  ASSERT_EQ(result.tag, salus_console_v1_Frame_inference_result_tag);
  EXPECT_EQ(spy.input, (std::vector<std::int8_t>{-128, 0, 127}));
  EXPECT_FALSE(spy.flag);
  EXPECT_EQ(result.body, bytes(1, {0x80, 0x00, 0x7F}) + number(2, 300));
}

TEST_F(ConsoleTest, SetsTheClock) {
  expect_done(salus_console_v1_Frame_set_clock_tag, number(1, 1'767'225'600'000));
  EXPECT_EQ(spy.clock_ms, 1'767'225'600'000U);
  expect_failure(salus_console_v1_Frame_set_clock_tag, {}, "malformed");
}

TEST_F(ConsoleTest, HandsOverReleasesAndLabels) {
  const Answer answer = ask(salus_console_v1_Frame_release_chunk_tag, text(1, "an offer"));
  ASSERT_EQ(answer.tag, salus_console_v1_Frame_release_reply_tag);
  EXPECT_EQ(answer.body, bytes(1, {8, 7}));
  EXPECT_EQ(spy.message, octets("an offer"));
  expect_done(salus_console_v1_Frame_say_labels_tag, text(1, "labels"));
  EXPECT_EQ(spy.message, octets("labels"));
}

TEST_F(ConsoleTest, ControlsLinkResetAndErase) {
  expect_done(salus_console_v1_Frame_link_control_tag, number(1, 1));
  EXPECT_TRUE(spy.flag);
  expect_done(salus_console_v1_Frame_link_control_tag, {});
  EXPECT_FALSE(spy.flag);
  expect_done(salus_console_v1_Frame_reset_tag, {});
  expect_done(salus_console_v1_Frame_factory_erase_tag, {});
  EXPECT_EQ(spy.calls, (std::vector<std::string>{"link", "link", "reset", "erase"}));
}

TEST_F(ConsoleTest, TellsStatisticsWithItsOwnCounters) {
  feed({'x', 0});
  feed(wire({0xFF}));
  const Answer answer = ask(salus_console_v1_Frame_statistics_request_tag, {});
  ASSERT_EQ(answer.tag, salus_console_v1_Frame_statistics_tag);
  const Statistics statistics = decoded(answer, salus_console_v1_Statistics_msg, Statistics{});
  EXPECT_EQ(statistics.latency_us_log2_count, 9U);
  EXPECT_EQ(statistics.latency_us_log2[8], 5U);
  EXPECT_EQ(statistics.console.frames, 2U);
  EXPECT_EQ(statistics.console.malformed_frames, 1U);
  EXPECT_EQ(statistics.console.damaged_frames, 1U);
  EXPECT_EQ(statistics.console.noise_bytes, 1U);
}

TEST_F(ConsoleTest, EchoesTheLongestFrame) {
  const Octets data(kLongest - 11, 0xA5);  // version, id, tags and lengths take 11 bytes
  ASSERT_EQ(frame(41, salus_console_v1_Frame_echo_tag, bytes(1, data)).size(), kLongest);
  EXPECT_EQ(ask(salus_console_v1_Frame_echo_tag, bytes(1, data)).body, bytes(1, data));
}

TEST_F(ConsoleTest, AMalformedBodyIsRefusedByEveryRequestThatHasOne) {
  for (const std::uint32_t tag :
       {salus_console_v1_Frame_run_golden_tag, salus_console_v1_Frame_run_inference_tag,
        salus_console_v1_Frame_set_clock_tag, salus_console_v1_Frame_release_chunk_tag,
        salus_console_v1_Frame_say_labels_tag, salus_console_v1_Frame_link_control_tag, salus_console_v1_Frame_echo_tag,
        salus_console_v1_Frame_inject_samples_tag, salus_console_v1_Frame_link_state_tag,
        salus_console_v1_Frame_publish_done_tag, salus_console_v1_Frame_deliver_tag}) {
    expect_failure(tag, varint(1 << 3 | 2) + varint(1000), "malformed");
  }
  EXPECT_TRUE(spy.calls.empty());
}

TEST_F(ConsoleTest, TellsTheHandlersRefusal) {
  spy.outcome = {"busy", "a release is under way"};
  for (const std::uint32_t tag : {salus_console_v1_Frame_hello_tag, salus_console_v1_Frame_status_request_tag,
                                  salus_console_v1_Frame_run_golden_tag, salus_console_v1_Frame_run_inference_tag,
                                  salus_console_v1_Frame_release_chunk_tag,
                                  salus_console_v1_Frame_statistics_request_tag, salus_console_v1_Frame_reset_tag}) {
    expect_failure(tag, {}, "busy");
  }
  expect_failure(salus_console_v1_Frame_inject_samples_tag, number(2, 1), "busy");
  EXPECT_EQ(field_text(ask(salus_console_v1_Frame_reset_tag, {}).body, salus_console_v1_Failure_detail_tag),
            "a release is under way");
}

TEST_F(ConsoleTest, RefusesOtherVersionsAndWhatItDoesNotKnow) {
  const std::vector<Answer> all = feed(wire(frame(9, salus_console_v1_Frame_hello_tag, {}, 2)));
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(field_text(all[0].body, salus_console_v1_Failure_code_tag), "version");
  expect_failure(salus_console_v1_Frame_done_tag, {}, "unsupported");
  expect_failure(40, {}, "unsupported");
  EXPECT_EQ(feed(wire(number(1, 1) + number(2, 5)))[0].tag, salus_console_v1_Frame_failure_tag);
  console.set_carried(nullptr);
  expect_failure(salus_console_v1_Frame_bridge_start_tag, {}, "unsupported");
  EXPECT_TRUE(spy.calls.empty());
}

TEST_F(ConsoleTest, AVendorsFieldBesideTheBodyIsSkipped) {
  const std::vector<Answer> all =
      feed(wire(frame(9, salus_console_v1_Frame_hello_tag, {}) + text(150, "vendor") + number(151, 3)));
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].tag, salus_console_v1_Frame_hello_reply_tag);
}

TEST_F(ConsoleTest, WhatIsNoFrameHasNoAnswer) {
  EXPECT_TRUE(feed(wire({0xFF, 0xFF})).empty());
  EXPECT_TRUE(feed(wire(text(1, "version is a number"))).empty());
  EXPECT_TRUE(feed(wire(varint(3 << 3 | 2) + varint(50))).empty());
  EXPECT_EQ(console.counters().malformed_frames, 3U);
}

TEST_F(ConsoleTest, ARequestWithoutIdIsDoneWithoutAnswer) {
  for (const std::uint32_t tag :
       {salus_console_v1_Frame_hello_tag, salus_console_v1_Frame_reset_tag, salus_console_v1_Frame_bridge_start_tag}) {
    EXPECT_TRUE(feed(wire(frame(0, tag, {}))).empty());
  }
  EXPECT_EQ(spy.calls.size(), 3U);
}

TEST_F(ConsoleTest, AnAnswerLongerThanAFrameIsAFailure) {
  spy.output.assign(kMaxFrameBytes, 1);
  expect_failure(salus_console_v1_Frame_run_inference_tag, {}, "too_large");
}

TEST_F(ConsoleTest, AnAnswerThatThePortDoesNotTakeIsLostAndCounted) {
  port.refuse = true;
  EXPECT_TRUE(feed(wire(frame(1, salus_console_v1_Frame_hello_tag, {}))).empty());
  EXPECT_FALSE(console.log(Level::kInfo, "nobody hears this", 1));
  port.refuse = false;
  EXPECT_EQ(console.counters().lost_writes, 2U);
  EXPECT_EQ(ask(salus_console_v1_Frame_hello_tag, {}).tag, salus_console_v1_Frame_hello_reply_tag);
}

TEST_F(ConsoleTest, LogsAreFramesOfBoundedLength) {
  EXPECT_TRUE(console.log(Level::kWarning, "ring full", 1500));
  EXPECT_TRUE(console.log(Level::kDebug, std::string(5000, 'x').c_str(), 0));
  const std::vector<Answer> all = answers(port.out);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].id, 0U);
  EXPECT_EQ(all[0].tag, salus_console_v1_Frame_log_tag);
  EXPECT_EQ(all[0].body, number(1, 3) + text(2, "ring full") + number(3, 1500));
  EXPECT_EQ(field_text(all[1].body, salus_console_v1_Log_text_tag).size(), 512U);
}

TEST_F(ConsoleTest, TheBridgeHearsWhereToConnectWithoutSecrets) {
  spy.broker_url = "mqtts://nurse:p@ss@broker:8883/x@y";
  const Answer answer = ask(salus_console_v1_Frame_bridge_start_tag, {});
  ASSERT_EQ(answer.tag, salus_console_v1_Frame_link_open_tag);
  EXPECT_EQ(answer.body, text(1, "mqtts://broker:8883/x@y") + text(2, "salus-f-w1") + text(3, "-----BEGIN") +
                             text(4, "a/release") + text(4, "a/ack") + text(5, "a/state") + text(6, "lost"));
  LinkOpen link;
  ASSERT_TRUE(spy.bridge_started(link));
  link.url = "broker";
  port.out.clear();
  EXPECT_TRUE(console.link_open(link));
  const std::vector<Answer> unasked = answers(port.out);
  ASSERT_EQ(unasked.size(), 1U);
  EXPECT_EQ(unasked[0].id, 0U);
  EXPECT_EQ(field_text(unasked[0].body, 1), "broker");
  spy.wants_link = false;
  expect_done(salus_console_v1_Frame_bridge_start_tag, {});
}

TEST_F(ConsoleTest, TheBridgeCarriesPacketsBothWays) {
  EXPECT_TRUE(console.publish(7, "a/feature", Bytes(spy.release_status.data(), 2), true));
  EXPECT_TRUE(console.link_close());
  const std::vector<Answer> all = answers(port.out);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].tag, salus_console_v1_Frame_publish_tag);
  EXPECT_EQ(all[0].body, number(1, 7) + text(2, "a/feature") + bytes(3, {8, 7}) + number(4, 1));
  EXPECT_EQ(all[1].tag, salus_console_v1_Frame_link_close_tag);
  const Octets big(kMaxFrameBytes, 1);
  EXPECT_FALSE(console.publish(8, "a/window", Bytes(big.data(), big.size()), false));

  expect_done(salus_console_v1_Frame_link_state_tag, number(1, 1));
  EXPECT_TRUE(spy.flag);
  expect_done(salus_console_v1_Frame_publish_done_tag, number(1, 7));
  EXPECT_EQ(spy.id, 7U);
  expect_done(salus_console_v1_Frame_deliver_tag, bytes(2, {1, 0, 2}) + text(1, "a/ack"));
  EXPECT_EQ(spy.device, "a/ack");
  EXPECT_EQ(spy.message, (Octets{1, 0, 2}));
  expect_failure(salus_console_v1_Frame_deliver_tag, bytes(2, {1}), "malformed");
  spy.outcome = {"busy", ""};
  expect_failure(salus_console_v1_Frame_deliver_tag, text(1, "a/ack"), "busy");
}

TEST_F(ConsoleTest, ManyRequestsInOneFeedAreAllServed) {
  Octets all;
  for (std::uint32_t id = 1; id <= 50; ++id) {
    all = all + octets("boot text") + wire(frame(id, salus_console_v1_Frame_echo_tag, number(1, id) + text(1, "x")));
    all = all + wire(frame(id + 100, salus_console_v1_Frame_hello_tag, {}));
  }
  const std::vector<Answer> got = feed(all);
  ASSERT_EQ(got.size(), 100U);
  EXPECT_EQ(got[98].id, 50U);
  EXPECT_EQ(got[99].id, 150U);
}

}  // namespace
}  // namespace salus::console::test
