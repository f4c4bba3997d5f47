// A wearable on a board of fakes, and the gateway's side of its link.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "../test_release/rig.h"
#include "board/fakes/fakes.h"
#include "link/keys.h"
#include "link/opener.h"
#include "link/sealer.h"
#include "proto.h"
#include "wearable/wearable.h"

namespace salus::wearable {

constexpr std::uint64_t kStartMs = 1'767'225'600'000;
constexpr std::size_t kChannels = 3;  // as tests/hil/rig.py: 50 Hz, windows of 32 samples, 16 apart
constexpr std::size_t kWindow = 32;
constexpr std::size_t kHop = 16;

class FakeVitals final : public Vitals {
 public:
  [[nodiscard]] std::uint32_t free_heap_bytes() const override { return 1000; }
  [[nodiscard]] std::uint32_t heap_low_water_bytes() const override { return 900; }
  [[nodiscard]] std::uint32_t stack_low_water_bytes() const override { return 800; }
};

// What the wearable said, opened.
struct Said {
  std::string kind;
  std::uint32_t boot;
  std::uint64_t sequence;
  std::uint32_t id;
  bool retain;
  Octets plaintext;

  [[nodiscard]] Fields fields() const { return Fields(view(plaintext)); }
};

struct Rig {
  fakes::FakePower power;
  fakes::FakeStore store{&power};
  fakes::FakePartition ring{64 * 1024, 4096, &power};
  fakes::FakePartition slots{128 * 1024, 4096, &power};
  fakes::FakeClock clock;
  fakes::FakeReset reset;
  fakes::FakeNetwork network;
  FakeVitals vitals;
  release::FakeEngine base_engine, personal_engine;
  std::optional<fakes::FakeSensor> sensor;
  std::vector<float> front_end = std::vector<float>(16 * 1024), windows = std::vector<float>(4 * kWindow * 4);
  Octets base_arena = Octets(32768), personal_arena = Octets(4096), input = Octets(1024), features = Octets(2048),
         packet = Octets(20 * 1024), inbox = Octets(20 * 1024);
  std::unique_ptr<Wearable> device;
  Octets secret = Octets(32, 7);
  Octets chain = release::vectors().keys.at("chain");
  Sealer down;
  std::size_t read = 0;

  explicit Rig(bool with_sensor = false) {
    if (with_sensor) sensor.emplace(kChannels, 50.0);
    start_device();
  }

  void start_device() {
    const auto floats = [](std::vector<float>& all) {
      return MutableBytes(reinterpret_cast<std::uint8_t*>(all.data()), all.size() * sizeof(float));
    };
    const auto octets = [](Octets& all) { return MutableBytes(all.data(), all.size()); };
    const Parts parts = {"1.2.3",     "fake",         clock,   reset,  store,
                         ring,        slots,          network, vitals, sensor ? &*sensor : nullptr,
                         base_engine, personal_engine};
    const Memory memory = {floats(front_end), octets(base_arena), octets(personal_arena), octets(input),
                           octets(features),  floats(windows),    octets(packet),         octets(inbox)};
    device = std::make_unique<Wearable>(parts, memory);
    device->start();
  }

  // As after the power came back.
  void restart() {
    network.disconnect();
    network.stop(Network::Ending::kCut);
    start_device();
  }

  [[nodiscard]] console::Provision provision() const {
    console::Provision all;
    all.device = "w1";
    all.federation = "home";
    all.broker_url = "mqtt://broker";
    all.link_secret = view(secret);
    all.chain_id = view(chain);
    all.release_public_key = view(release::vectors().keys.at("release"));
    all.gateway_public_key = view(release::vectors().keys.at("gateway"));
    all.features_per_packet = 4;
    all.windows_per_packet = 2;
    all.ack_timeout_ms = 1000;
    return all;
  }

  void enrol() {
    ASSERT_TRUE(device->provision(provision()).done());
    ASSERT_EQ(down.start(view_of(keys().down), 1), LinkStatus::kOk);
  }

  void take_first_model() { take("factory", true); }

  void take(const std::string& name, bool by_console) {
    const release::Case& each = release::vectors()[name];
    const Octets& model = release::vectors().models.at(each.model);
    Octets message = Writing().octets(1, view(each.signed_manifest)).made;
    const Octets digest = Fields(view(Fields(view(each.signed_manifest)).octets(1))).octets(6);
    for (std::size_t offset = 0;; offset += 4096) {
      if (by_console) {
        Bytes status;
        ASSERT_TRUE(device->release(view(message), status).done());
      } else {
        hear("release", message);
      }
      if (offset >= model.size()) return;
      const std::size_t size = std::min<std::size_t>(4096, model.size() - offset);
      Writing chunk;
      chunk.octets(1, view(digest));
      if (offset != 0) chunk.number(2, offset);
      chunk.octets(3, view(model).part(offset, size));
      message = Writing().message(2, chunk).made;
    }
  }

  // Enrolled, with a model, connected; what was said on the way is forgotten.
  void make_ready() {
    enrol();
    take_first_model();
    connect();
    (void)heard();
  }

  void connect() {
    network.connect();
    poll();
  }

  void poll(int times = 6) {
    for (int at = 0; at < times; ++at) device->poll();
  }

  [[nodiscard]] LinkKeys keys() const {
    LinkKeys keys{};
    EXPECT_EQ(derive_keys(view(secret), view(chain), "w1", keys), LinkStatus::kOk);
    return keys;
  }

  static Bytes view_of(const LinkKey& key) { return Bytes(key.data(), key.size()); }
  static std::string topic(const std::string& kind) { return "salus/1/home/w1/" + kind; }

  // What was published since the last call, opened with the wearable's key.
  std::vector<Said> heard() {
    std::vector<Said> found;
    for (; read < network.published().size(); ++read) {
      const auto& message = network.published()[read];
      Said said{message.topic.substr(topic("").size()), 0, 0, message.id, message.retain,
                Octets(message.payload.size())};
      Opened opened{};
      EXPECT_EQ(open_packet(view_of(keys().up), message.topic.c_str(), view(message.payload),
                            MutableBytes(said.plaintext.data(), said.plaintext.size()), opened),
                LinkStatus::kOk);
      said.boot = opened.boot;
      said.sequence = opened.sequence;
      said.plaintext.assign(opened.plaintext.begin(), opened.plaintext.end());
      found.push_back(said);
    }
    return found;
  }
  std::vector<Said> heard(const std::string& kind) {
    std::vector<Said> found;
    for (const Said& said : heard()) {
      if (said.kind == kind) found.push_back(said);
    }
    return found;
  }

  Octets seal(const std::string& kind, const Octets& plaintext) {
    Octets out(plaintext.size() + kPacketOverheadBytes);
    Sealed sealed{};
    EXPECT_EQ(down.seal(topic(kind).c_str(), view(plaintext), MutableBytes(out.data(), out.size()), sealed),
              LinkStatus::kOk);
    return Octets(sealed.payload.begin(), sealed.payload.end());
  }
  void hear(const std::string& kind, const Octets& plaintext) {
    network.deliver(topic(kind).c_str(), view(seal(kind, plaintext)));
    poll();
  }
  void acknowledge(const Said& said) {
    const Writing range = Writing().number(1, said.boot).number(2, said.sequence).number(3, said.sequence);
    hear("ack", Writing().message(1, range).made);
  }
  void calibrate(std::uint64_t until_ms, const Octets& consent, const Octets& base) {
    Writing order;
    if (until_ms != 0) order.number(1, until_ms);
    order.octets(2, view(consent)).octets(3, view(base));
    hear("command", Writing().message(1, order).made);
  }

  // Samples that depend on their index alone.
  console::Outcome inject(std::size_t first, std::size_t count, bool ends = false, std::uint64_t start_ms = kStartMs) {
    std::vector<float> values;
    for (std::size_t at = first * kChannels; at < (first + count) * kChannels; ++at) {
      values.push_back(static_cast<float>((at * 37) % 101) / 50.0F - 1.0F);
    }
    console::InjectSamples request;
    request.start_ms = start_ms;
    request.first_sample = first;
    request.channels = kChannels;
    request.values = Span<const float>(values.data(), values.size());
    request.ends_piece = ends;
    return device->inject_samples(request, reply);
  }
  // As many samples as make so many windows.
  console::Outcome inject_windows(std::size_t count, std::uint64_t start_ms = kStartMs) {
    return inject(0, kWindow + (count - 1) * kHop, true, start_ms);
  }

  [[nodiscard]] console::Status status() {
    console::Status said = {};
    EXPECT_TRUE(device->status(said).done());
    return said;
  }
  [[nodiscard]] console::Statistics statistics() {
    console::Statistics said = {};
    EXPECT_TRUE(device->statistics(said).done());
    return said;
  }
  [[nodiscard]] std::uint64_t refused(const std::string& code) {
    const console::Statistics said = statistics();
    for (std::size_t at = 0; at < said.refused_count; ++at) {
      if (code == said.refused[at].name) return said.refused[at].count;
    }
    return 0;
  }
  [[nodiscard]] Octets base_sha256() {
    const console::Status said = status();
    return Octets(said.base_sha256.bytes, said.base_sha256.bytes + said.base_sha256.size);
  }

  console::InjectReply reply = {};
};

}  // namespace salus::wearable
