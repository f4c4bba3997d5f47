// A store in memory: each write is one step of the supply, and is done whole or not at all.
#pragma once

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "board/board.h"
#include "board/fakes/fake_power.h"

namespace salus::fakes {

class FakeStore final : public Store {
 public:
  static constexpr std::size_t kMaxValueBytes = 4000;  // of a blob in NVS

  explicit FakeStore(FakePower* power = nullptr) : power_(power) {}

  [[nodiscard]] StoreStatus read(const char* key, MutableBytes out, std::size_t& size) const override {
    size = 0;
    if (!is_key(key) || failing_ || off()) return StoreStatus::kFailed;
    const auto found = values_.find(key);
    if (found == values_.end()) return StoreStatus::kMissing;
    size = found->second.size();
    if (size > out.size()) return StoreStatus::kTooLarge;
    if (size != 0) std::memcpy(out.data(), found->second.data(), size);
    return StoreStatus::kOk;
  }

  [[nodiscard]] StoreStatus write(const char* key, Bytes value) override {
    if (!is_key(key) || !step()) return StoreStatus::kFailed;
    if (value.size() > kMaxValueBytes) return StoreStatus::kTooLarge;
    values_[key].assign(value.begin(), value.end());
    ++writes_;
    return StoreStatus::kOk;
  }

  [[nodiscard]] StoreStatus erase(const char* key) override {
    if (!is_key(key) || !step()) return StoreStatus::kFailed;
    return values_.erase(key) != 0 ? StoreStatus::kOk : StoreStatus::kMissing;
  }

  [[nodiscard]] StoreStatus erase_all() override {
    if (!step()) return StoreStatus::kFailed;
    values_.clear();
    return StoreStatus::kOk;
  }

  // Reads and writes fail, and change nothing, while this is set.
  void fail(bool failing) { failing_ = failing; }

  [[nodiscard]] std::size_t writes() const { return writes_; }
  // What is kept, for a test to look at, to damage, or to put back as it was.
  [[nodiscard]] std::map<std::string, std::vector<std::uint8_t>>& values() { return values_; }

 private:
  [[nodiscard]] static bool is_key(const char* key) {
    const std::size_t length = std::strlen(key);
    return length >= 1 && length <= kMaxKeyLength;
  }
  [[nodiscard]] bool off() const { return power_ != nullptr && power_->off(); }
  [[nodiscard]] bool step() { return !failing_ && (power_ == nullptr || power_->step()); }

  std::map<std::string, std::vector<std::uint8_t>> values_;
  FakePower* power_;
  bool failing_ = false;
  std::size_t writes_ = 0;
};

}  // namespace salus::fakes
