// The pieces that a wearable is made of, each by itself.
#include "rig.h"
#include "wearable/network_serial.h"

namespace salus::wearable {
namespace {

struct ProvisioningTest : testing::Test {
  fakes::FakePower power;
  fakes::FakeStore store{&power};
  Counters counters{store};
  Provisioning told{store, counters};
  Octets secret = Octets(32, 3), chain = Octets(32, 4), key = release::vectors().keys.at("release");

  console::Provision all() {
    console::Provision request;
    request.device = "w1";
    request.federation = "home";
    request.broker_url = "mqtt://broker";
    request.link_secret = view(secret);
    request.chain_id = view(chain);
    request.release_public_key = view(key);
    return request;
  }
};

TEST_F(ProvisioningTest, IsCompleteWithAllThatALinkNeedsAlsoInPieces) {
  console::Provision request = all();
  const Bytes late = request.link_secret;
  request.link_secret = {};
  ASSERT_TRUE(told.apply(request).done());
  EXPECT_FALSE(told.complete());
  console::Provision rest;
  rest.link_secret = late;
  ASSERT_TRUE(told.apply(rest).done());
  EXPECT_TRUE(told.complete());
}

TEST_F(ProvisioningTest, IsKept) {
  console::Provision request = all();
  request.broker_ca_pem = "ca";
  request.client_certificate_pem = "certificate";
  request.client_key_pem = "key";
  request.wifi_ssid = "ward";
  request.wifi_password = "word";
  request.features_per_packet = 16;
  request.wrist = salus_console_v1_Provision_Wrist_LEFT;
  ASSERT_TRUE(told.apply(request).done());
  Provisioning again{store, counters};
  ASSERT_TRUE(again.load());
  EXPECT_TRUE(again.complete());
  EXPECT_STREQ(again.identity().device, "w1");
  EXPECT_STREQ(again.broker().url, "mqtt://broker");
  EXPECT_STREQ(again.broker().ca_pem, "ca");
  EXPECT_STREQ(again.broker().certificate_pem, "certificate");
  EXPECT_STREQ(again.broker().key_pem, "key");
  EXPECT_STREQ(again.wifi_ssid(), "ward");
  EXPECT_STREQ(again.wifi_password(), "word");
  EXPECT_EQ(again.settings().features_per_packet, 16U);
  EXPECT_EQ(again.settings().wrist, 1U);
}

TEST_F(ProvisioningTest, WhoItIsIsSetOnce) {
  ASSERT_TRUE(told.apply(all()).done());
  ASSERT_TRUE(told.apply(all()).done());
  console::Provision other;
  other.device = "w2";
  EXPECT_STREQ(told.apply(other).code, "already_set");
  const Octets another(32, 5);
  other = {};
  other.link_secret = view(another);
  EXPECT_STREQ(told.apply(other).code, "already_set");
  other = {};
  other.chain_id = view(another);
  EXPECT_STREQ(told.apply(other).code, "already_set");
}

TEST_F(ProvisioningTest, WhatCannotBeIsRefused) {
  const std::string long_text(5000, 'x');
  const Octets zeros(32), short_secret(31, 1), no_point(33, 5);
  std::vector<console::Provision> wrong(10);
  wrong[0].device = "Not An Id";
  wrong[1].federation = "a/b";
  wrong[2].link_secret = view(short_secret);
  wrong[3].link_secret = view(zeros);
  wrong[4].gateway_public_key = view(no_point);
  wrong[5].broker_url = "http://broker";
  wrong[6].broker_ca_pem = long_text.c_str();
  wrong[7].features_per_packet = Provisioning::kMaxFeaturesPerPacket + 1;
  wrong[8].windows_per_packet = Provisioning::kMaxWindowsPerPacket + 1;
  wrong[9].device = "0123456789012345678901234567890123456789x";
  for (console::Provision& request : wrong) {
    request.wifi_ssid = "ward";
    EXPECT_STREQ(told.apply(request).code, "malformed");
  }
  EXPECT_STREQ(told.wifi_ssid(), "");
}

TEST_F(ProvisioningTest, AnErasedSecretNeverComesAgain) {
  ASSERT_TRUE(told.apply(all()).done());
  const std::uint32_t generation = told.broker_generation();
  ASSERT_TRUE(told.erase());
  EXPECT_FALSE(told.complete());
  EXPECT_NE(told.broker_generation(), generation);
  EXPECT_STREQ(told.apply(all()).code, "spent_secret");
  secret.assign(32, 6);
  EXPECT_TRUE(told.apply(all()).done());
}

TEST_F(ProvisioningTest, APowerCutLeavesAWearableThatCanBeToldAgain) {
  for (std::uint64_t steps = 0; steps < 12; ++steps) {
    fakes::FakeStore fresh{&power};
    Counters fresh_counters{fresh};
    Provisioning first{fresh, fresh_counters};
    power.cut_after(steps);
    const bool done = first.apply(all()).done();
    power.restore();
    Provisioning second{fresh, fresh_counters};
    ASSERT_TRUE(second.load());
    EXPECT_TRUE(!done || second.complete());
    ASSERT_TRUE(second.apply(all()).done()) << steps;
    ASSERT_TRUE(second.complete());
    ASSERT_EQ(fresh_counters.start(view(secret)), LinkStatus::kOk) << steps;
  }
}

TEST_F(ProvisioningTest, AStoreThatFailsIsSaid) {
  store.fail(true);
  EXPECT_FALSE(told.load());
  EXPECT_STREQ(told.apply(all()).code, "store_failed");
}

TEST(Latency, IsCountedByPowersOfTwo) {
  LatencyHistogram histogram;
  for (const std::uint64_t duration_us : {0U, 1U, 2U, 3U, 4U, 1023U, 1024U}) histogram.add(duration_us);
  histogram.add(UINT64_MAX);
  EXPECT_EQ(histogram.buckets()[0], 2U);
  EXPECT_EQ(histogram.buckets()[1], 2U);
  EXPECT_EQ(histogram.buckets()[2], 1U);
  EXPECT_EQ(histogram.buckets()[9], 1U);
  EXPECT_EQ(histogram.buckets()[10], 1U);
  EXPECT_EQ(histogram.buckets()[31], 1U);
  EXPECT_EQ(histogram.count(), 8U);
}

TEST(NamedCounts, HaveABound) {
  NamedCounts counts;
  for (int at = 0; at < 30; ++at) counts.add(("name " + std::to_string(at)).c_str());
  counts.add("name 3");
  ASSERT_EQ(counts.entries().size(), NamedCounts::kNames + 1);
  EXPECT_EQ(counts.entries()[3].count, 2U);
  EXPECT_STREQ(counts.entries()[NamedCounts::kNames].name, "other");
  EXPECT_EQ(counts.entries()[NamedCounts::kNames].count, 10U);
}

TEST(KeptTally, RemembersTheLastVersions) {
  fakes::FakeStore store;
  KeptTally tally(store);
  for (std::uint32_t version = 1; version <= 20; ++version) tally.add_version(version);
  tally.add_version(20);
  KeptTally again(store);
  again.load();
  ASSERT_EQ(again.now.version_count, Tally::kVersions);
  EXPECT_EQ(again.now.versions[0], 5U);
  EXPECT_EQ(again.now.versions[Tally::kVersions - 1], 20U);
}

TEST(KeptTally, StartsAnewWhenWhatIsKeptCannotBe) {
  fakes::FakeStore store;
  KeptTally tally(store);
  tally.now.features = 5;
  tally.save();
  store.values()["tally"].assign(store.values()["tally"].size(), 0xFF);
  store.values()["counts"].pop_back();
  tally.load();
  EXPECT_EQ(tally.now.features, 0U);
  EXPECT_EQ(tally.now.version_count, 0U);
}

TEST(Calibration, ThatCannotBeKeptIsNone) {
  fakes::FakeStore store;
  Calibration calibration(store);
  const Octets consent(32, 1);
  EXPECT_FALSE(calibration.set(1000, {}));
  store.fail(true);
  EXPECT_FALSE(calibration.set(1000, view(consent)));
  EXPECT_FALSE(calibration.covers(1));
  EXPECT_TRUE(calibration.consent().empty());
}

// The figure that the gateway's owner compares with is what really sealed windows would take.
TEST(RawWindowBytes, AreThoseOfSealedPackets) {
  Measured of;
  of.task = "sway";
  of.window_duration_ms = 640;
  of.rows = 32;
  of.channels = 4;
  of.aux = 2;
  const std::uint64_t starts[] = {kStartMs, kStartMs + 320, kStartMs + 640, kStartMs + 960, kStartMs + 1280};
  const std::vector<float> values(32 * 4, 0.5F);
  const std::int16_t aux[] = {1, 2};
  const Octets consent(32, 1), key(32, 2);
  Sealer sealer;
  ASSERT_EQ(sealer.start(view(key), 1), LinkStatus::kOk);
  std::uint64_t wanted = 0;
  for (std::size_t first = 0; first < 5; first += 2) {
    WindowView views[2];
    const std::size_t count = std::min<std::size_t>(2, 5 - first);
    for (std::size_t at = 0; at < count; ++at) {
      views[at] = {starts[first + at], Span<const float>(values.data(), values.size()), aux};
    }
    Octets plain(4096), out(4096);
    Bytes plaintext;
    ASSERT_EQ(encode_windows({of.task, 640, 32, 4, view(consent)}, Span<const WindowView>(views, count), view(plain),
                             plaintext),
              LinkStatus::kOk);
    Sealed sealed{};
    ASSERT_EQ(sealer.seal("t", plaintext, view(out), sealed), LinkStatus::kOk);
    wanted += sealed.payload.size();
  }
  EXPECT_EQ(raw_window_bytes(of, starts, 2), wanted);
}

TEST(WindowBatch, TakesAsManyAsThereIsRoomFor) {
  Rig rig;
  rig.make_ready();
  fakes::FakePartition flash(64 * 1024);
  Ring ring;
  ASSERT_EQ(ring.mount(flash), LinkStatus::kOk);
  KeptTally tally(rig.store);
  Topics topics;
  ASSERT_EQ(topics.start("home", "w1"), LinkStatus::kOk);
  Speaker speaker(ring, tally, view(rig.packet));
  ASSERT_EQ(speaker.start(view(rig.secret), 9, topics), LinkStatus::kOk);
  std::vector<float> memory(100);
  WindowBatch batch(speaker, tally, MutableBytes(reinterpret_cast<std::uint8_t*>(memory.data()), 400));
  batch.set_per_packet(8);
  Measured of;
  of.task = "sway";
  of.rows = 40;
  of.channels = 1;
  const std::vector<float> values(40, 1.0F), too_many(101, 1.0F);
  const Octets consent(32, 1), other(32, 2);
  const Span<const float> window(values.data(), values.size());
  for (std::uint64_t at = 0; at < 3; ++at) ASSERT_EQ(batch.add(of, at, window, {}, view(consent)), LinkStatus::kOk);
  EXPECT_EQ(tally.now.windows, 2U);
  ASSERT_EQ(batch.add(of, 3, window, {}, view(other)), LinkStatus::kOk);  // one packet has one consent
  EXPECT_EQ(tally.now.windows, 3U);
  EXPECT_EQ(batch.add(of, 4, Span<const float>(too_many.data(), 101), {}, view(consent)), LinkStatus::kTooLarge);
  EXPECT_EQ(batch.add(of, 4, window, {}, {}), LinkStatus::kTooLarge);
  batch.drop();
  EXPECT_TRUE(batch.empty());
}

struct Line final : console::Writer {
  std::size_t bytes = 0;
  bool taking = true;
  bool write(Bytes data) override {
    bytes += data.size();
    return taking;
  }
};

struct Ears final : Network::Listener {
  std::vector<std::string> heard;
  void connected() override { heard.push_back("connected"); }
  void disconnected() override { heard.push_back("disconnected"); }
  void received(const char* topic, Bytes payload) override {
    heard.push_back(std::string(topic) + " " + std::to_string(payload.size()));
  }
  void published(std::uint32_t id) override { heard.push_back("published " + std::to_string(id)); }
};

struct NetworkSerialTest : testing::Test {
  Rig rig;
  Line line;
  Octets memory = Octets(console::FrameReader::memory_bytes(1024));
  console::Console console{line, *rig.device, view(memory)};
  NetworkSerial network;
  Ears ears;
  console::LinkOpen link;
  const char* topics[1] = {"t"};
  const Octets payload = Octets(5);

  void SetUp() override { network.set_console(console); }
  void start() {
    network.start({"mqtt://b", "id", "", "", ""}, topics, {"w", view(payload)}, ears);
    network.poll();
  }
};

TEST_F(NetworkSerialTest, IsUpWhenTheBridgeSaysSo) {
  EXPECT_FALSE(network.bridge_started(link));
  start();
  EXPECT_GT(line.bytes, 0U);  // the host is told where to connect
  EXPECT_EQ(network.publish("t", view(payload), false), 0U);
  ASSERT_TRUE(network.bridge_started(link));
  EXPECT_STREQ(link.url, "mqtt://b");
  EXPECT_STREQ(network.delivered("t", view(payload)).code, "not_connected");
  network.link_state(true);
  network.link_state(true);
  EXPECT_TRUE(network.delivered("t", view(payload)).done());
  network.link_state(false);
  EXPECT_EQ(ears.heard, (std::vector<std::string>{"connected", "t 5", "disconnected"}));
}

TEST_F(NetworkSerialTest, TakesSoManyAtOnce) {
  start();
  ASSERT_TRUE(network.bridge_started(link));
  network.published(1);
  network.link_state(true);
  for (std::uint32_t at = 1; at <= NetworkSerial::kMostUnderWay; ++at) {
    EXPECT_EQ(network.publish("t", view(payload), at == 1), at);
  }
  EXPECT_EQ(network.publish("t", view(payload), false), 0U);
  network.published(1);
  EXPECT_NE(network.publish("t", view(payload), false), 0U);
  ASSERT_TRUE(network.bridge_started(link));  // another bridge: what the first had is lost
  network.link_state(true);
  line.taking = false;
  EXPECT_EQ(network.publish("t", view(payload), false), 0U);
  line.taking = true;
  EXPECT_NE(network.publish("t", view(payload), false), 0U);
}

TEST_F(NetworkSerialTest, EndsWithAWord) {
  start();
  ASSERT_TRUE(network.bridge_started(link));
  network.link_state(true);
  const std::size_t before = line.bytes;
  network.stop(Network::Ending::kGoodbye);
  network.stop(Network::Ending::kGoodbye);
  EXPECT_GT(line.bytes, before);
  EXPECT_EQ(ears.heard.back(), "disconnected");
  network.link_state(true);
  EXPECT_EQ(ears.heard.back(), "disconnected");
}

}  // namespace
}  // namespace salus::wearable
