// A flash partition in memory that behaves as NOR flash does, also when its power is cut.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "board/board.h"
#include "board/fakes/fake_power.h"

namespace salus::fakes {

// Which bytes of an operation are done when the power goes in its midst.
enum class Tear : std::uint8_t {
  kPrefix,     // those before the cut
  kScattered,  // any: each byte is old, new, or somewhere between
};

class FakePartition final : public Partition {
 public:
  explicit FakePartition(std::size_t size_bytes, std::size_t sector_bytes = 4096, FakePower* power = nullptr)
      : data_(size_bytes, 0xFF), sector_bytes_(sector_bytes), power_(power) {}

  void tear(Tear tear) { tear_ = tear; }

  // The next `count` programs and erases succeed, and then all fail, having changed nothing: worn out flash.
  void fail_after_operations(std::size_t count) { operations_left_ = count; }
  void mend() { operations_left_ = static_cast<std::size_t>(-1); }

  [[nodiscard]] std::size_t size_bytes() const override { return data_.size(); }
  [[nodiscard]] std::size_t sector_bytes() const override { return sector_bytes_; }

  [[nodiscard]] bool read(std::size_t offset, MutableBytes out) const override {
    if (!within(offset, out.size()) || off()) return false;
    if (!out.empty()) std::memcpy(out.data(), data_.data() + offset, out.size());
    return true;
  }

  [[nodiscard]] bool erase(std::size_t offset, std::size_t length) override {
    if (!within(offset, length) || offset % sector_bytes_ != 0 || length % sector_bytes_ != 0) return false;
    if (!start_operation()) return false;
    erased_sectors_ += length / sector_bytes_;
    return change(offset, length, [](std::size_t) { return std::uint8_t{0xFF}; });
  }

  [[nodiscard]] bool program(std::size_t offset, Bytes data) override {
    if (!within(offset, data.size()) || !start_operation()) return false;
    return change(offset, data.size(), [&](std::size_t at) {
      const std::uint8_t old = data_[offset + at];
      if ((data[at] & ~old) != 0) ++overwrites_;
      return static_cast<std::uint8_t>(old & data[at]);
    });
  }

  [[nodiscard]] const std::uint8_t* mapped() const override { return data_.data(); }

  // Bytes that somebody programmed without an erase before, so that bits which ought to be set are not. A library that
  // keeps to the flash's rules has none.
  [[nodiscard]] std::size_t overwrites() const { return overwrites_; }
  [[nodiscard]] std::size_t operations() const { return operations_; }
  [[nodiscard]] std::size_t erased_sectors() const { return erased_sectors_; }

  // What the flash holds, for a test to look at or to damage.
  [[nodiscard]] std::vector<std::uint8_t>& data() { return data_; }

 private:
  [[nodiscard]] bool within(std::size_t offset, std::size_t length) const {
    return offset <= data_.size() && length <= data_.size() - offset;
  }
  [[nodiscard]] bool off() const { return power_ != nullptr && power_->off(); }

  [[nodiscard]] bool start_operation() {
    if (off() || operations_left_ == 0) return false;
    if (operations_left_ != static_cast<std::size_t>(-1)) --operations_left_;
    ++operations_;
    return true;
  }

  // Put `wanted(i)` at each byte, a step of the supply each, until it is done or the power is cut.
  template <typename Wanted>
  bool change(std::size_t offset, std::size_t length, Wanted wanted) {
    std::size_t done = 0;
    while (done < length && (power_ == nullptr || power_->step())) ++done;
    if (done == length) {
      for (std::size_t at = 0; at < length; ++at) data_[offset + at] = wanted(at);
      return true;
    }
    for (std::size_t at = 0; at < length; ++at) {
      const std::uint8_t old = data_[offset + at];
      const std::uint8_t changing = static_cast<std::uint8_t>(old ^ wanted(at));
      const std::uint8_t changed = tear_ == Tear::kScattered ? noise() : at < done ? 0xFF : 0;
      data_[offset + at] = static_cast<std::uint8_t>(old ^ (changing & changed));
    }
    return false;
  }

  // Repeatable: xorshift32, then nothing, all or some of the byte.
  std::uint8_t noise() {
    noise_ ^= noise_ << 13;
    noise_ ^= noise_ >> 17;
    noise_ ^= noise_ << 5;
    switch (noise_ >> 30) {
      case 0:
        return 0;
      case 1:
        return 0xFF;
      default:
        return static_cast<std::uint8_t>(noise_ >> 8);
    }
  }

  std::vector<std::uint8_t> data_;
  std::size_t sector_bytes_;
  FakePower* power_;
  Tear tear_ = Tear::kPrefix;
  std::size_t operations_left_ = static_cast<std::size_t>(-1);
  std::size_t operations_ = 0;
  std::size_t erased_sectors_ = 0;
  std::size_t overwrites_ = 0;
  std::uint32_t noise_ = 2463534242U;
};

}  // namespace salus::fakes
