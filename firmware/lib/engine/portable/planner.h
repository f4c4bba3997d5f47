// Which bytes of the arena each tensor has while it is needed; bytes are reused as soon as nobody reads them again.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/span.h"

namespace salus::portable {

struct Slot {
  static constexpr std::uint16_t kNever = 0xFFFF;

  std::uint32_t at = 0;  // the answer
  std::uint32_t bytes = 0;
  std::uint16_t first = kNever;  // the operation that writes it
  std::uint16_t last = kNever;   // the last one that reads it
};

// Give every slot of some bytes a place that no other one has at the same time: the largest first, each as low as it
// fits. The number of bytes that are needed in all.
std::size_t plan(Span<Slot> slots);

}  // namespace salus::portable
