// What the store keeps of releases: which slots are active, and how far a transfer has come. Each is one atomic write.
#pragma once

#include <cstddef>
#include <cstdint>

#include "board/board.h"
#include "crypto/crypto.h"

namespace salus::release {

constexpr std::uint8_t kNoSlot = 0xFF;
constexpr std::uint8_t kBaseSlots[2] = {0, 1};
constexpr std::uint8_t kPersonalSlots[2] = {2, 3};
constexpr std::size_t kSlots = 4;

enum class Trial : std::uint8_t { kNone, kBase, kPersonal };

// The signed manifest of a slot, as it was checked: flash that says anything else is damaged.
struct SlotRecord {
  std::uint32_t manifest_bytes = 0;
  Digest manifest_sha256{};
};

struct State {
  std::uint8_t base = kNoSlot;
  std::uint8_t personal = kNoSlot;
  Trial trial = Trial::kNone;
  std::uint8_t crashes = 0;      // since the swap on trial
  std::uint32_t base_floor = 0;  // the highest version that was ever active: only upward
  std::uint32_t personal_floor = 0;
  SlotRecord slots[kSlots];
};

struct Transfer {
  std::uint8_t slot = kNoSlot;
  bool factory = false;
  std::uint8_t tests = 0;  // self-tests begun: one that crashes the device is not tried for ever
  SlotRecord record;
  std::uint32_t received_bytes = 0;
};

// kMissing leaves `state` as it is when made; kFailed also stands for a record of another format.
[[nodiscard]] StoreStatus load(const Store& store, State& state);
[[nodiscard]] StoreStatus load(const Store& store, Transfer& transfer);
[[nodiscard]] bool save(Store& store, const State& state);
[[nodiscard]] bool save(Store& store, const Transfer& transfer);
[[nodiscard]] bool forget_transfer(Store& store);

}  // namespace salus::release
