// How deep the stack has ever been. There is no heap on this board.
#pragma once

#include "wearable/parts.h"

namespace salus {

class StackVitals final : public wearable::Vitals {
 public:
  static constexpr std::size_t kStackBytes = 32U << 10;  // what the program may use of it

  // Paints what is not used yet: call it first.
  StackVitals();
  [[nodiscard]] std::uint32_t free_heap_bytes() const override { return 0; }
  [[nodiscard]] std::uint32_t heap_low_water_bytes() const override { return 0; }
  [[nodiscard]] std::uint32_t stack_low_water_bytes() const override;
};

}  // namespace salus
