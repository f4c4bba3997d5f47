// The board's flash: its PSRAM, which the emulator keeps in a file, so that it outlives resets and the emulator's end.
//
//   qemu-system-arm -M mps2-an386,memory-backend=flash -object
//   memory-backend-file,id=flash,size=16M,share=on,mem-path=F
//
// A new file F may hold zeros; its bytes kSeedOffset to kSeedOffset + 31 must be random, or Random fails (this machine
// has no generator of its own).
#pragma once

#include <cstdint>

#include "board/board.h"

namespace salus {

constexpr std::uintptr_t kFlashBase = 0x21000000;
constexpr std::size_t kFlashBytes = 16U << 20;
constexpr std::size_t kSectorBytes = 4096;
constexpr std::size_t kSeedOffset = 4096;

// Where each partition lies.
struct FlashPlace {
  std::size_t offset;
  std::size_t size_bytes;
};
constexpr FlashPlace kStorePlace = {0x010000, 128U << 10};
constexpr FlashPlace kRingPlace = {0x100000, 1U << 20};
constexpr FlashPlace kReleasePlace = {0x200000, 2U << 20};

class FlashPartition : public Partition {
 public:
  explicit FlashPartition(FlashPlace place) : place_(place) {}
  [[nodiscard]] std::size_t size_bytes() const override { return place_.size_bytes; }
  [[nodiscard]] std::size_t sector_bytes() const override { return kSectorBytes; }
  [[nodiscard]] bool read(std::size_t offset, MutableBytes out) const override;
  [[nodiscard]] bool erase(std::size_t offset, std::size_t length) override;
  [[nodiscard]] bool program(std::size_t offset, Bytes data) override;
  [[nodiscard]] const std::uint8_t* mapped() const override;

 private:
  [[nodiscard]] bool inside(std::size_t offset, std::size_t length) const;
  FlashPlace place_;
};

// A file that was never a flash becomes an erased one. Before any partition is used.
void prepare_flash();

// A chain of SHA-256 from the seed in the flash; the next link is stored before a byte leaves, so none comes twice.
class SeededRandom : public Random {
 public:
  [[nodiscard]] bool fill(MutableBytes out) override;
};

}  // namespace salus
