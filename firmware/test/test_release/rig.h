// A wearable's flash, keys and engine for tests of releases, and the releases that Python signed
// (tests/golden/release/vectors.txt, made by tests/firmware/release_vectors.py).
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "board/fakes/fakes.h"
#include "golden.h"
#include "release/updater.h"

namespace salus::release {

using Buffer = std::vector<std::uint8_t>;

struct Case {
  std::string name;
  std::string model;
  std::string code;
  Buffer signed_manifest;
};

struct Vectors {
  std::map<std::string, Buffer> keys;
  std::map<std::string, Buffer> models;
  std::vector<Case> cases;

  const Case& operator[](const std::string& name) const {
    for (const Case& each : cases) {
      if (each.name == name) return each;
    }
    ADD_FAILURE() << "no case " << name;
    std::abort();
  }
};

inline Vectors read_vectors() {
  Vectors found;
  for (const Row& row : golden_rows("release/vectors.txt", {"key", "model", "case"})) {
    if (row[0] == "key") found.keys[row[1]] = golden_bytes(row[2]);
    if (row[0] == "case") found.cases.push_back({row[1], row[2], row[3] == "-" ? "" : row[3], golden_bytes(row[4])});
    if (row[0] != "model") continue;
    Buffer model = golden_bytes(row[2]);
    const Buffer tail = golden_bytes(row[4]);
    model.resize(golden_number(row[3]) - tail.size(), '.');
    model.insert(model.end(), tail.begin(), tail.end());
    found.models[row[1]] = model;
  }
  return found;
}

inline const Vectors& vectors() {
  static const Vectors kVectors = read_vectors();
  return kVectors;
}

// As salus_hil.virtual.engine.FakeEngine: the first bytes of SHA-256 over model and input.
class FakeEngine final : public Engine {
 public:
  EngineStatus load(Bytes model, MutableBytes arena) override {
    loaded_ = false;
    ++loads;
    if (model.size() < 6 || std::memcmp(model.data(), "fake", 4) != 0) return EngineStatus::kMalformed;
    if (arena.size() < 64) return EngineStatus::kArenaTooSmall;
    model_ = model;
    personal_ = model[5] == 'p';
    loaded_ = true;
    return EngineStatus::kOk;
  }

  EngineStatus run(Span<const std::int8_t> input, Span<std::int8_t> output) override {
    if (!loaded_) return EngineStatus::kNotLoaded;
    if (input.size() != this->input().bytes || output.size() != 8) return EngineStatus::kWrongSize;
    Sha256 hash;
    hash.update(model_);
    hash.update(Bytes(reinterpret_cast<const std::uint8_t*>(input.data()), input.size()));
    const Digest digest = hash.finish();
    std::memcpy(output.data(), digest.data(), output.size());
    return EngineStatus::kOk;
  }

  std::size_t arena_used_bytes() const override { return loaded_ ? 64 : 0; }
  TensorInfo input() const override {
    TensorInfo info;
    info.scale = personal_ ? 6.0F / 255.0F : 0.03125F;
    info.zero_point = personal_ ? -128 : 0;
    info.bytes = personal_ ? 8 : 128;
    return info;
  }
  TensorInfo output() const override {
    TensorInfo info;
    info.scale = personal_ ? 0.125F : 6.0F / 255.0F;
    info.zero_point = personal_ ? 0 : -128;
    info.bytes = 8;
    return info;
  }

  int loads = 0;

 private:
  Bytes model_;
  bool loaded_ = false;
  bool personal_ = false;
};

// A protobuf field with bytes.
inline Buffer message(std::uint8_t field, const Buffer& body) {
  Buffer made{static_cast<std::uint8_t>(field << 3 | 2)};
  std::size_t left = body.size();
  for (; left >= 128; left >>= 7) made.push_back(static_cast<std::uint8_t>(left | 0x80));
  made.push_back(static_cast<std::uint8_t>(left));
  made.insert(made.end(), body.begin(), body.end());
  return made;
}

// One board: what is in its flash outlives the updater, as a restart shows.
class Wearable {
 public:
  static constexpr std::size_t kFlashBytes = 128 * 1024;

  Wearable() : partition(kFlashBytes, 4096, &power), store(&power) { restart(); }

  ReleaseStatus restart(ResetCause cause = ResetCause::kPowerOn) {
    updater.~Updater();
    new (&updater) Updater({partition, store, engine, view(arena), view(scratch)}, trust());
    return updater.start(cause);
  }

  static Trust trust() {
    return {view(vectors().keys.at("release")), view(vectors().keys.at("gateway")), view(vectors().keys.at("chain"))};
  }

  // The first model, as a factory brings it.
  void provision() {
    const Case& factory = vectors()["factory"];
    const Buffer offer = message(1, factory.signed_manifest);
    ASSERT_EQ(send(factory, updater.provision(view(offer))).progress, Progress::kActive);
  }

  // Offer, then chunks as they are asked for: what is said last.
  Outcome transfer(const std::string& name, std::size_t chunk_bytes = 4096) {
    const Case& each = vectors()[name];
    return send(each, updater.offer(view(each.signed_manifest)), chunk_bytes);
  }

  // Go on where the wearable said, until it says something else, or nothing is left to send.
  Outcome send(const Case& each, Outcome outcome, std::size_t chunk_bytes = 4096) {
    while (outcome.progress == Progress::kReceiving) {
      const Outcome next = send_chunk(each, outcome.next_offset, chunk_bytes);
      if (next.progress == Progress::kNothing) break;
      outcome = next;
    }
    return outcome;
  }

  Outcome send_chunk(const Case& each, std::size_t offset, std::size_t chunk_bytes = 4096) {
    const Buffer& model = vectors().models.at(each.model);
    Offer offer;
    read_offer(view(each.signed_manifest), offer);
    const Digest& digest = offer.manifest.model.sha256;
    const std::size_t left = model.size() - std::min(offset, model.size());
    return updater.chunk(Bytes(digest.data(), digest.size()), static_cast<std::uint32_t>(offset),
                         view(model).part(model.size() - left, std::min(chunk_bytes, left)));
  }

  fakes::FakePower power;
  fakes::FakePartition partition;
  fakes::FakeStore store;
  FakeEngine engine;
  Buffer arena = Buffer(32768);
  Buffer scratch = Buffer(64);
  Updater updater{{partition, store, engine, view(arena), view(scratch)}, trust()};
};

}  // namespace salus::release
