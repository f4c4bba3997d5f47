// Frames: what is sent comes back, damage never does, and no noise stops what follows it.
#include <gtest/gtest.h>

#include <random>

#include "console/frame_reader.h"
#include "console/frame_writer.h"
#include "host.h"

namespace salus::console::test {
namespace {

constexpr std::size_t kLongest = 700;

struct Line {
  Octets memory = Octets(FrameReader::memory_bytes(kLongest));
  FrameReader reader{MutableBytes(memory.data(), memory.size())};

  std::vector<Octets> feed(const Octets& data) {
    std::vector<Octets> found;
    Bytes rest(data.data(), data.size());
    MutableBytes frame;
    while (reader.next(rest, frame)) found.emplace_back(frame.begin(), frame.end());
    return found;
  }
};

Octets written(const Octets& payload) {
  Port port;
  FrameWriter writer(port);
  writer.begin();
  writer.append(Bytes(payload.data(), payload.size() / 2));
  writer.append(Bytes(payload.data(), payload.size()).from(payload.size() / 2));
  EXPECT_TRUE(writer.end());
  return port.out;
}

// Runs without zeros across COBS's block of 254, zeros alone, both ends.
std::vector<Octets> payloads() {
  std::vector<Octets> all;
  for (const std::size_t size : {0, 1, 2, 249, 250, 251, 253, 254, 255, 256, 504, 505, 508, 700}) {
    all.push_back(Octets(size, 0));
    all.push_back(Octets(size, 0xFF));
    Octets counting;
    for (std::size_t i = 0; i < size; ++i) counting.push_back(static_cast<std::uint8_t>(i));
    all.push_back(counting);
  }
  return all;
}

TEST(FrameWriter, WritesWhatAPlainEncoderWrites) {
  for (const Octets& payload : payloads()) EXPECT_EQ(written(payload), wire(payload)) << payload.size();
}

TEST(FrameWriter, CountsWhatThePortDoesNotTake) {
  Port port;
  FrameWriter writer(port);
  port.refuse = true;
  writer.begin();
  writer.append(Bytes(port.out.data(), 0));
  EXPECT_FALSE(writer.end());
  port.refuse = false;
  writer.begin();
  EXPECT_TRUE(writer.end());
  EXPECT_EQ(writer.lost_frames(), 1U);
  EXPECT_EQ(port.out, wire({}));
}

// A port that took the end of a frame but not its middle has not taken it.
TEST(FrameWriter, WritesNothingMoreOfAFrameThatWasNotTaken) {
  struct Stumbling : Writer {
    bool write(Bytes) override { return ++writes != 2; }
    int writes = 0;
  };
  Stumbling port;
  FrameWriter writer(port);
  writer.begin();
  const Octets payload(1000, 1);
  writer.append(Bytes(payload.data(), payload.size()));
  EXPECT_FALSE(writer.end());
  EXPECT_EQ(port.writes, 2);
}

TEST(FrameReader, ReadsWhatWasWrittenHoweverItIsCut) {
  for (const std::size_t step : {1, 3, 255, 100000}) {
    Line line;
    Octets stream;
    for (const Octets& payload : payloads()) stream = stream + wire(payload);
    std::vector<Octets> found;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      const std::size_t end = std::min(at + step, stream.size());
      const auto first = stream.begin() + static_cast<std::ptrdiff_t>(at);
      for (Octets& each : line.feed(Octets(first, stream.begin() + static_cast<std::ptrdiff_t>(end)))) {
        found.push_back(std::move(each));
      }
    }
    EXPECT_EQ(found, payloads());
    EXPECT_EQ(line.reader.counters().received_bytes, stream.size());
    EXPECT_EQ(line.reader.counters().noise_bytes, 0U);
  }
}

TEST(FrameReader, TakesNoDamagedFrame) {
  const Octets good = wire(octets("a frame of some length, for damage"));
  for (std::size_t at = 1; at + 1 < good.size(); ++at) {
    for (const int flip : {0x01, 0x80, 0xFF}) {
      Octets bad = good;
      bad[at] = static_cast<std::uint8_t>(bad[at] ^ flip);
      Line line;
      EXPECT_TRUE(line.feed(bad).empty()) << at;
      EXPECT_EQ(line.feed(good).size(), 1U) << at;
    }
  }
}

TEST(FrameReader, TakesNoHalfFrame) {
  const Octets good = wire(octets("half of this is no frame"));
  for (std::size_t length = 2; length < good.size() - 1; ++length) {
    Line line;
    const Octets half(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_TRUE(line.feed(half).empty());
    EXPECT_EQ(line.feed(good).size(), 1U) << length;
    EXPECT_EQ(line.reader.counters().damaged_frames, 1U);
    EXPECT_EQ(line.reader.counters().noise_bytes, length - 1);
  }
}

TEST(FrameReader, SurvivesGarbage) {
  std::mt19937 random(5);
  Line line;
  std::size_t whole = 0;
  for (int round = 0; round < 200; ++round) {
    Octets garbage(random() % 2000);
    for (std::uint8_t& byte : garbage) byte = static_cast<std::uint8_t>(random());
    EXPECT_TRUE(line.feed(garbage).empty());
    whole += line.feed(wire(octets("after"))).size();
  }
  EXPECT_EQ(whole, 200U);
}

TEST(FrameReader, SkipsAFloodAndGoesOn) {
  Line line;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(line.feed(Octets(1000, 0x55)).empty());
  EXPECT_EQ(line.feed(wire(octets("after"))).size(), 1U);
  EXPECT_EQ(line.reader.counters().long_frames, 1U);
  EXPECT_EQ(line.reader.counters().noise_bytes, 1'000'000U);
}

TEST(FrameReader, TakesTheLongestAndNotOneByteMore) {
  Line line;
  EXPECT_EQ(line.reader.max_frame_bytes(), kLongest);
  EXPECT_EQ(line.feed(wire(Octets(kLongest, 1))).size(), 1U);
  EXPECT_TRUE(line.feed(wire(Octets(kLongest + 1, 1))).empty());
  EXPECT_EQ(line.reader.counters().long_frames, 1U);
}

TEST(FrameReader, IgnoresZerosAndTooShortFrames) {
  Line line;
  EXPECT_TRUE(line.feed(Octets(50, 0)).empty());
  EXPECT_EQ(line.reader.counters().damaged_frames, 0U);
  EXPECT_TRUE(line.feed({1, 0, 2, 9, 0}).empty());
  EXPECT_EQ(line.reader.counters().damaged_frames, 2U);
}

}  // namespace
}  // namespace salus::console::test
