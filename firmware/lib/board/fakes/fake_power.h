// One supply for a fake board's store and partitions: it can be cut after any number of steps.
#pragma once

#include <cstdint>
#include <limits>

namespace salus::fakes {

// A step is one byte programmed, one sector's byte erased in a partition's tear, or one write to a store. Once cut,
// whatever needs the supply fails until `restore`, as a board that starts again.
class FakePower {
 public:
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  // The next `steps` succeed, none after them.
  void cut_after(std::uint64_t steps) { left_ = steps; }
  void restore() { left_ = kNever; }

  // Take one step; false when the supply is gone.
  bool step() {
    if (left_ == 0) return false;
    ++taken_;
    if (left_ != kNever) --left_;
    return true;
  }

  [[nodiscard]] bool off() const { return left_ == 0; }
  // Steps since the beginning: a test runs once uncut to learn how many there are, then cuts at each.
  [[nodiscard]] std::uint64_t taken() const { return taken_; }

 private:
  std::uint64_t left_ = kNever;
  std::uint64_t taken_ = 0;
};

}  // namespace salus::fakes
