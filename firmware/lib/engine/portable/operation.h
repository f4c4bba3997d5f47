// What a loaded model is: a list of operations in the arena, each a function with its sizes and tables.
#pragma once

#include <cstdint>

#include "engine/portable/fixed_point.h"

namespace salus::portable {

// Where a tensor's bytes are: in the arena, in the caller's input, or in the model. While a model is being loaded the
// place in the arena is not known yet, and the slot that will have one stands for it.
class Operand {
 public:
  enum class Space : std::uint32_t { kNone, kArena, kInput, kModel };

  constexpr Operand() = default;
  constexpr Operand(Space space, std::uint32_t at) : bits_(static_cast<std::uint32_t>(space) << 30 | at) {}

  [[nodiscard]] constexpr Space space() const { return static_cast<Space>(bits_ >> 30); }
  [[nodiscard]] constexpr std::uint32_t at() const { return bits_ & 0x3FFFFFFFU; }

 private:
  std::uint32_t bits_ = 0;
};

// What operands point into.
class Memory {
 public:
  Memory(std::int8_t* arena, const std::int8_t* input, const std::int8_t* model)
      : arena_(arena), bases_{nullptr, arena, input, model} {}

  [[nodiscard]] const std::int8_t* read(Operand from) const {
    return bases_[static_cast<std::uint32_t>(from.space())] + from.at();
  }
  [[nodiscard]] std::int8_t* write(Operand to) const { return arena_ + to.at(); }  // only the arena is written

 private:
  std::int8_t* arena_;
  const std::int8_t* bases_[4];
};

struct Operation {
  using Run = void (*)(const Operation&, const Memory&);

  Run run = nullptr;
  Operation* next = nullptr;
  Operand first;
  Operand second;
  Operand output;
  Operand scratch;
};

// The range of values that a fused activation leaves.
struct Range {
  std::int8_t low = -128;
  std::int8_t high = 127;
};

inline std::int8_t within(std::int32_t x, Range range) {
  return static_cast<std::int8_t>(clamp(x, range.low, range.high));
}

}  // namespace salus::portable
