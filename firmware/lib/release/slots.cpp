#include "release/slots.h"

#include <algorithm>
#include <cstring>

namespace salus::release {
namespace {

constexpr std::size_t kPersonalShare = 8;  // a personal slot takes an eighth: trunk and head are small beside a base

std::size_t round_down(std::size_t value, std::size_t step) { return step == 0 ? 0 : value / step * step; }
std::size_t round_up(std::size_t value, std::size_t step) { return round_down(value + step - 1, step); }
bool is_personal(std::uint8_t slot) { return slot >= kPersonalSlots[0]; }

}  // namespace

Slots::Slots(Partition& partition)
    : partition_(partition),
      sector_(partition.sector_bytes()),
      base_size_(0),
      personal_size_(round_down(partition.size_bytes() / kPersonalShare, sector_)) {
  base_size_ = round_down((partition.size_bytes() - 2 * personal_size_) / 2, sector_);
}

bool Slots::usable() const {
  return partition_.mapped() != nullptr && sector_ != 0 && model_capacity(kBaseSlots[0]) >= sector_ &&
         model_capacity(kPersonalSlots[0]) >= sector_;
}

std::size_t Slots::manifest_capacity(std::uint8_t slot) const {
  return round_up(is_personal(slot) ? kPersonalManifestBytes : kBaseManifestBytes, sector_);
}

std::size_t Slots::model_capacity(std::uint8_t slot) const {
  const std::size_t manifest = manifest_capacity(slot);
  return size(slot) > manifest ? size(slot) - manifest : 0;
}

std::size_t Slots::size(std::uint8_t slot) const { return is_personal(slot) ? personal_size_ : base_size_; }

std::size_t Slots::start(std::uint8_t slot) const {
  return is_personal(slot) ? 2 * base_size_ + (slot - kPersonalSlots[0]) * personal_size_ : slot * base_size_;
}

bool Slots::write_manifest(std::uint8_t slot, Bytes signed_manifest) {
  const std::size_t capacity = manifest_capacity(slot);
  if (signed_manifest.size() > capacity || !partition_.erase(start(slot), capacity)) return false;
  return program(start(slot), signed_manifest);
}

bool Slots::write_model(std::uint8_t slot, std::size_t offset, Bytes data) {
  if (offset > model_capacity(slot) || data.size() > model_capacity(slot) - offset) return false;
  const std::size_t first = start(slot) + manifest_capacity(slot);
  while (!data.empty()) {
    if (offset % sector_ == 0 && !partition_.erase(first + offset, sector_)) return false;
    const std::size_t size = std::min(data.size(), sector_ - offset % sector_);
    if (!program(first + offset, data.first(size))) return false;
    offset += size;
    data = data.from(size);
  }
  return true;
}

bool Slots::program(std::size_t at, Bytes data) {
  if (data.empty()) return true;
  return partition_.program(at, data) && std::memcmp(partition_.mapped() + at, data.data(), data.size()) == 0;
}

Bytes Slots::manifest(std::uint8_t slot, std::size_t size) const {
  return Bytes(partition_.mapped() + start(slot), std::min(size, manifest_capacity(slot)));
}

Bytes Slots::model(std::uint8_t slot, std::size_t size) const {
  return Bytes(partition_.mapped() + start(slot) + manifest_capacity(slot), std::min(size, model_capacity(slot)));
}

}  // namespace salus::release
