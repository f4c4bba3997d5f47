// What a ring must hold, as plain containers: the tests hold the real one against it.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <vector>

#include "board/fakes/fakes.h"
#include "link/ring.h"

namespace salus {

struct ModelPacket {
  std::uint32_t boot;
  std::uint64_t sequence;
  std::vector<std::uint8_t> payload;

  bool operator==(const ModelPacket& other) const {
    return boot == other.boot && sequence == other.sequence && payload == other.payload;
  }
};

// A payload that tells which packet it is of, and whose bytes include 0xFF.
inline std::vector<std::uint8_t> payload_of(std::uint32_t boot, std::uint64_t sequence, std::size_t size) {
  fakes::FakeRandom random(boot * 1000003ULL + sequence * 7919ULL + size);
  std::vector<std::uint8_t> payload(size);
  for (std::uint8_t& byte : payload) byte = static_cast<std::uint8_t>(random.next(8) == 0 ? 0xFF : random.next(256));
  return payload;
}

inline LinkStatus append(Ring& ring, const ModelPacket& packet, Kind kind = Kind::kFeature) {
  return ring.append(kind, {packet.boot, packet.sequence, Bytes(packet.payload.data(), packet.payload.size())});
}

// All that the ring holds, oldest first, by its own iteration.
inline std::deque<ModelPacket> contents(Ring& ring) {
  std::deque<ModelPacket> all;
  RingPacket packet;
  for (bool more = ring.first(packet); more; more = ring.after(packet.at, packet)) {
    ModelPacket each{packet.boot, packet.sequence, std::vector<std::uint8_t>(packet.size)};
    EXPECT_TRUE(ring.waits(packet));
    EXPECT_EQ(ring.read(packet, MutableBytes(each.payload.data(), each.payload.size())), LinkStatus::kOk);
    all.push_back(each);
  }
  EXPECT_EQ(all.size(), ring.packets());
  return all;
}

}  // namespace salus
