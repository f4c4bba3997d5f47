#include "board_flash.h"

#include <algorithm>
#include <cstring>

#include "crypto/crypto.h"

namespace salus {
namespace {

constexpr std::uint8_t kMagic[] = {'s', 'a', 'l', 'u', 's', 'f', '1', '\0'};
constexpr std::size_t kErasedFrom = 0x010000;  // after magic and seed

std::uint8_t* flash(std::size_t offset) { return reinterpret_cast<std::uint8_t*>(kFlashBase + offset); }

Digest link_of(const char* purpose, const std::uint8_t* seed) { return signed_digest(purpose, {seed, kDigestBytes}); }

}  // namespace

void prepare_flash() {
  if (std::memcmp(flash(0), kMagic, sizeof kMagic) == 0) return;
  std::memset(flash(kErasedFrom), 0xFF, kFlashBytes - kErasedFrom);
  std::memcpy(flash(0), kMagic, sizeof kMagic);  // last: a cut before it begins anew
}

bool FlashPartition::inside(std::size_t offset, std::size_t length) const {
  return offset <= place_.size_bytes && length <= place_.size_bytes - offset;
}

bool FlashPartition::read(std::size_t offset, MutableBytes out) const {
  if (!inside(offset, out.size())) return false;
  if (!out.empty()) std::memcpy(out.data(), mapped() + offset, out.size());
  return true;
}

bool FlashPartition::erase(std::size_t offset, std::size_t length) {
  if (!inside(offset, length) || offset % kSectorBytes != 0 || length % kSectorBytes != 0) return false;
  std::memset(flash(place_.offset + offset), 0xFF, length);
  return true;
}

bool FlashPartition::program(std::size_t offset, Bytes data) {
  if (!inside(offset, data.size())) return false;
  std::uint8_t* to = flash(place_.offset + offset);
  for (const std::uint8_t byte : data) {
    *to = static_cast<std::uint8_t>(*to & byte);
    ++to;
  }
  return true;
}

const std::uint8_t* FlashPartition::mapped() const { return flash(place_.offset); }

bool SeededRandom::fill(MutableBytes out) {
  std::uint8_t* seed = flash(kSeedOffset);
  const bool blank = std::all_of(seed, seed + kDigestBytes, [](std::uint8_t byte) { return byte == 0; }) ||
                     std::all_of(seed, seed + kDigestBytes, [](std::uint8_t byte) { return byte == 0xFF; });
  if (blank) return false;
  for (std::size_t at = 0; at < out.size();) {
    const Digest bytes = link_of("salus/qemu_m4 random", seed);
    const Digest next = link_of("salus/qemu_m4 seed", seed);
    std::memcpy(seed, next.data(), next.size());
    const std::size_t size = std::min(out.size() - at, bytes.size());
    std::memcpy(out.data() + at, bytes.data(), size);
    at += size;
  }
  return true;
}

}  // namespace salus
