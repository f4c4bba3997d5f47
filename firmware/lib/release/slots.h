// Four slots on one partition: two for bases, two for personal models. Each holds a signed manifest, then a model.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/span.h"
#include "board/board.h"
#include "release/records.h"

namespace salus::release {

class Slots {
 public:
  // The room for a signed manifest, before it is rounded up to whole sectors.
  static constexpr std::size_t kBaseManifestBytes = 16 * 1024;
  static constexpr std::size_t kPersonalManifestBytes = 4 * 1024;

  explicit Slots(Partition& partition);

  // Whether the partition is mapped, and large enough for a sector of model in each slot.
  [[nodiscard]] bool usable() const;
  [[nodiscard]] std::size_t manifest_capacity(std::uint8_t slot) const;
  [[nodiscard]] std::size_t model_capacity(std::uint8_t slot) const;

  // Erase what is there and write another one. False: flash does not hold it.
  [[nodiscard]] bool write_manifest(std::uint8_t slot, Bytes signed_manifest);
  // The model's bytes from `offset` on, which come in order. A sector is erased when its first byte is written, so
  // that a piece whose writing was cut short is simply written again.
  [[nodiscard]] bool write_model(std::uint8_t slot, std::size_t offset, Bytes data);

  // As flash has them; `size` is at most the capacity.
  [[nodiscard]] Bytes manifest(std::uint8_t slot, std::size_t size) const;
  [[nodiscard]] Bytes model(std::uint8_t slot, std::size_t size) const;

 private:
  [[nodiscard]] std::size_t start(std::uint8_t slot) const;
  [[nodiscard]] std::size_t size(std::uint8_t slot) const;
  [[nodiscard]] bool program(std::size_t at, Bytes data);

  Partition& partition_;
  std::size_t sector_;
  std::size_t base_size_;
  std::size_t personal_size_;
};

}  // namespace salus::release
