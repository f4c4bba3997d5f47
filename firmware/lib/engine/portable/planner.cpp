#include "engine/portable/planner.h"

namespace salus::portable {

namespace {

constexpr std::uint32_t kUnplaced = 0xFFFFFFFF;
constexpr std::uint32_t kAlignment = 4;  // of the int32 sums and int16 columns that some slots hold

bool meet(const Slot& a, const Slot& b) { return a.first <= b.last && b.first <= a.last; }

Slot* largest_unplaced(Span<Slot> slots) {
  Slot* found = nullptr;
  for (Slot& slot : slots) {
    if (slot.at == kUnplaced && (found == nullptr || slot.bytes > found->bytes)) found = &slot;
  }
  return found;
}

// The lowest place from `at` on that is free of the slots already placed, or a higher one to look at next.
std::uint32_t next_candidate(Span<Slot> slots, const Slot& wanted, std::uint32_t at) {
  for (const Slot& slot : slots) {
    if (slot.at == kUnplaced || slot.bytes == 0 || !meet(slot, wanted)) continue;
    if (slot.at < at + wanted.bytes && at < slot.at + slot.bytes) return slot.at + slot.bytes;
  }
  return at;
}

}  // namespace

std::size_t plan(Span<Slot> slots) {
  std::size_t needed = 0;
  for (Slot& slot : slots) {
    slot.bytes = (slot.bytes + kAlignment - 1) & ~(kAlignment - 1);
    slot.at = slot.bytes == 0 ? 0 : kUnplaced;
  }
  for (Slot* slot = largest_unplaced(slots); slot != nullptr; slot = largest_unplaced(slots)) {
    std::uint32_t at = 0;
    for (std::uint32_t next = next_candidate(slots, *slot, at); next != at; next = next_candidate(slots, *slot, at)) {
      at = next;
    }
    slot->at = at;
    if (at + slot->bytes > needed) needed = at + slot->bytes;
  }
  return needed;
}

}  // namespace salus::portable
