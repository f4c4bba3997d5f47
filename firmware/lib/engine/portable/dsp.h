// The few instructions of the ARMv7E-M DSP extension that the kernels use. Each does two multiplications, or four
// conversions, where plain C++ does one; nothing is rounded in another way.
#pragma once

#if defined(__ARM_FEATURE_DSP) && defined(__ARM_ARCH_ISA_THUMB) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define SALUS_DSP 1
#else
#define SALUS_DSP 0
#endif

#include <cstdint>
#include <cstring>

namespace salus::portable {

// Four bytes from any address, the first one lowest.
inline std::uint32_t load_word(const void* from) {
  std::uint32_t word;
  std::memcpy(&word, from, sizeof(word));
  return word;
}

#if SALUS_DSP

// Bytes 0 and 2 of `bytes`, signed, as two halves.
inline std::uint32_t even_bytes(std::uint32_t bytes) {
  std::uint32_t halves;
  asm("sxtb16 %0, %1" : "=r"(halves) : "r"(bytes));
  return halves;
}

// Bytes 1 and 3.
inline std::uint32_t odd_bytes(std::uint32_t bytes) {
  std::uint32_t halves;
  asm("sxtb16 %0, %1, ror #8" : "=r"(halves) : "r"(bytes));
  return halves;
}

// The same, each plus its half of `offsets`.
inline std::uint32_t even_bytes_plus(std::uint32_t offsets, std::uint32_t bytes) {
  std::uint32_t halves;
  asm("sxtab16 %0, %1, %2" : "=r"(halves) : "r"(offsets), "r"(bytes));
  return halves;
}

inline std::uint32_t odd_bytes_plus(std::uint32_t offsets, std::uint32_t bytes) {
  std::uint32_t halves;
  asm("sxtab16 %0, %1, %2, ror #8" : "=r"(halves) : "r"(offsets), "r"(bytes));
  return halves;
}

// sum + low·low + high·high
inline std::int32_t multiply_halves(std::uint32_t a, std::uint32_t b, std::int32_t sum) {
  std::int32_t result;
  asm("smlad %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
  return result;
}

inline std::int32_t multiply_low(std::uint32_t a, std::uint32_t b, std::int32_t sum) {
  std::int32_t result;
  asm("smlabb %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
  return result;
}

inline std::int32_t multiply_high_halves(std::uint32_t a, std::uint32_t b, std::int32_t sum) {
  std::int32_t result;
  asm("smlatt %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
  return result;
}

// (a · b + 2^31) · 2^-32
inline std::int32_t multiply_rounding(std::int32_t a, std::int32_t b) {
  std::int32_t result;
  asm("smmulr %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
  return result;
}

inline std::int32_t saturate_byte(std::int32_t x) {
  std::int32_t result;
  asm("ssat %0, #8, %1" : "=r"(result) : "r"(x));
  return result;
}

// The larger of each pair of signed bytes.
inline std::uint32_t larger_bytes(std::uint32_t a, std::uint32_t b) {
  std::uint32_t result;
  asm("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(result) : "r"(a), "r"(b) : "cc");
  return result;
}

#endif  // SALUS_DSP

}  // namespace salus::portable
