// The integer arithmetic of quantised inference: what TFLM's reference kernels compute, bit for bit.
// Two roundings: a product is first rounded to its high half, then again where it is shifted right.
#pragma once

#include <cstdint>
#include <limits>

namespace salus::portable {

// A positive real number as `value` · 2^(shift − 31), `value` in [2^30, 2^31), or 0.
struct Multiplier {
  std::int32_t value = 0;
  std::int32_t shift = 0;
};

// The multiplier nearest to a · b · 2^exponent / c, where none is negative and c is not 0; below 2^-32 it is 0. The
// quotient is rounded to a double's 53 bits first, as TFLM's is: in integers, since a Cortex-M4 has no doubles.
[[nodiscard]] Multiplier quantise(float a, float b, float c, int exponent = 0);

// numerator / denominator, rounded down. A loop of few bytes, for where nobody waits.
[[nodiscard]] std::uint64_t divide(std::uint64_t numerator, std::uint32_t denominator);

// a · b · 2^-31, halves rounded up; saturates where both are the smallest number.
inline std::int32_t multiply_high(std::int32_t a, std::int32_t b) {
  constexpr std::int32_t kSmallest = std::numeric_limits<std::int32_t>::min();
  if (a == kSmallest && b == kSmallest) return std::numeric_limits<std::int32_t>::max();
  const std::int64_t product = std::int64_t{a} * b;
  return static_cast<std::int32_t>((product + (std::int64_t{1} << 30)) >> 31);
}

// x · 2^-exponent, halves rounded away from zero; `exponent` in [0, 31].
inline std::int32_t shift_right_rounding(std::int32_t x, int exponent) {
  const auto mask = static_cast<std::int32_t>((std::int64_t{1} << exponent) - 1);
  const std::int32_t remainder = x & mask;
  const std::int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> exponent) + (remainder > threshold ? 1 : 0);
}

// x · 2^exponent, wrapping as the reference kernels do on every processor that runs them.
inline std::int32_t shift_left(std::int32_t x, int exponent) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(x) << exponent);
}

inline std::int32_t add_wrapping(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
}

// x times a multiplier whose shift is in [-31, 30].
inline std::int32_t scale(std::int32_t x, Multiplier by) {
  const int left = by.shift > 0 ? by.shift : 0;
  return shift_right_rounding(multiply_high(shift_left(x, left), by.value), left - by.shift);
}

inline std::int32_t clamp(std::int32_t x, std::int32_t low, std::int32_t high) {
  const std::int32_t raised = x < low ? low : x;
  return raised > high ? high : raised;
}

inline std::int8_t saturate_int8(std::int32_t x) { return static_cast<std::int8_t>(clamp(x, -128, 127)); }

// 2^-31 · exp(x), x a number ≤ 0 with `integer_bits` (4 or 5) bits before the point.
[[nodiscard]] std::int32_t exp_of_negative(std::int32_t x, int integer_bits);

// 1 / (1 + x), both in units of 2^-31, x in [0, 1).
[[nodiscard]] std::int32_t one_over_one_plus(std::int32_t x);

}  // namespace salus::portable
