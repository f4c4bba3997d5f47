// Integers as big endian bytes: of nonces, and of what is kept in the store.
#pragma once

#include <cstddef>
#include <cstdint>

namespace salus {

template <typename Integer>
inline void put_big_endian(std::uint8_t* to, Integer value) {
  for (std::size_t at = sizeof(Integer); at-- > 0; value = static_cast<Integer>(value >> 8)) {
    to[at] = static_cast<std::uint8_t>(value);
  }
}

template <typename Integer>
[[nodiscard]] inline Integer get_big_endian(const std::uint8_t* from) {
  Integer value = 0;
  for (std::size_t at = 0; at < sizeof(Integer); ++at) value = static_cast<Integer>((value << 8) | from[at]);
  return value;
}

}  // namespace salus
