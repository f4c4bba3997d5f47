#include "engine/portable/fixed_point.h"

#include <cstring>

namespace salus::portable {

namespace {

constexpr std::int32_t kOne = std::numeric_limits<std::int32_t>::max();  // 1 in units of 2^-31, as near as can be

std::int32_t shift_left_saturating(std::int32_t x, int exponent) {
  const std::int64_t wide = std::int64_t{x} * (std::int64_t{1} << exponent);
  if (wide > std::numeric_limits<std::int32_t>::max()) return std::numeric_limits<std::int32_t>::max();
  if (wide < std::numeric_limits<std::int32_t>::min()) return std::numeric_limits<std::int32_t>::min();
  return static_cast<std::int32_t>(wide);
}

// A float that is not negative, as an integer times 2^exponent.
std::uint32_t mantissa(float real, int& exponent) {
  std::uint32_t bits;
  std::memcpy(&bits, &real, sizeof(bits));
  const std::uint32_t fraction = bits & 0x7FFFFF;
  const auto biased = static_cast<int>(bits >> 23 & 0xFF);
  exponent = (biased == 0 ? 1 : biased) - 150;
  return biased == 0 ? fraction : fraction | 0x800000;
}

// exp(x) for x in [-1/4, 0): the Taylor series to the fourth power around -1/8.
std::int32_t exp_of_small(std::int32_t x) {
  constexpr std::int32_t kExpOfMinusEighth = 1895147668;
  constexpr std::int32_t kThird = 715827883;
  const std::int32_t d = add_wrapping(x, std::int32_t{1} << 28);
  const std::int32_t d2 = multiply_high(d, d);
  const std::int32_t d3 = multiply_high(d2, d);
  const std::int32_t d4 = multiply_high(d2, d2);
  const std::int32_t d4_over_4 = shift_right_rounding(d4, 2);
  const std::int32_t cubes = multiply_high(add_wrapping(d4_over_4, d3), kThird);
  const std::int32_t terms = shift_right_rounding(add_wrapping(cubes, d2), 1);
  return add_wrapping(kExpOfMinusEighth, multiply_high(kExpOfMinusEighth, add_wrapping(d, terms)));
}

}  // namespace

std::uint64_t divide(std::uint64_t numerator, std::uint32_t denominator) {
  std::uint64_t quotient = 0;
  std::uint64_t rest = 0;
  for (int bit = 63; bit >= 0; --bit) {
    rest = rest << 1 | (numerator >> bit & 1);
    quotient <<= 1;
    if (rest < denominator) continue;
    rest -= denominator;
    quotient |= 1;
  }
  return quotient;
}

Multiplier quantise(float a, float b, float c, int exponent) {
  Multiplier result;
  int exponents[3];
  const std::uint64_t numerator = std::uint64_t{mantissa(a, exponents[0])} * mantissa(b, exponents[1]);
  const std::uint32_t denominator = mantissa(c, exponents[2]);
  if (numerator == 0) return result;

  // 54 bits of the quotient, from the numerator's highest bit on.
  constexpr int kBits = 54;
  std::uint64_t quotient = 0;
  std::uint64_t rest = 0;
  int bit = 64;
  while (quotient >> (kBits - 1) == 0) {
    --bit;
    rest = rest << 1 | (bit >= 0 ? numerator >> bit & 1 : 0);
    quotient <<= 1;
    if (rest < denominator) continue;
    rest -= denominator;
    quotient |= 1;
  }
  const bool beyond = rest != 0 || (bit > 0 && numerator << (64 - bit) != 0);
  // To 53 bits, halves to even; then to 31, halves up.
  if ((quotient & 1) != 0 && (beyond || (quotient & 2) != 0)) quotient += 2;
  std::uint64_t value = ((quotient >> 1) + (1U << 21)) >> 22;
  int shift = exponents[0] + exponents[1] - exponents[2] + exponent + kBits + bit;
  if (value >> 31 != 0) {
    value >>= 1;
    ++shift;
  }
  if (shift < -31) return result;
  result.value = static_cast<std::int32_t>(value);
  result.shift = shift;
  return result;
}

std::int32_t exp_of_negative(std::int32_t x, int integer_bits) {
  // exp(-2^k) in units of 2^-31 for k = -2 … 4: a product of those whose bit is set in the whole quarters of -x.
  static constexpr std::int32_t kFactors[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
  const int fraction_bits = 31 - integer_bits;
  if (x == 0) return kOne;
  const std::int32_t quarter = std::int32_t{1} << (fraction_bits - 2);
  const std::int32_t below = (x & (quarter - 1)) - quarter;
  std::int32_t result = exp_of_small(shift_left_saturating(below, integer_bits));
  const std::int32_t quarters = below - x;
  for (int k = -2; k < integer_bits; ++k) {
    if ((quarters & (std::int32_t{1} << (fraction_bits + k))) != 0) result = multiply_high(result, kFactors[k + 2]);
  }
  return result;
}

std::int32_t one_over_one_plus(std::int32_t x) {
  // Newton's iteration for 1/d, d = (1 + x)/2 in [1/2, 1); the iterates have two bits before the point.
  constexpr std::int32_t k48Over17 = 1515870810;
  constexpr std::int32_t kMinus32Over17 = -1010580540;
  constexpr std::int32_t kOneOfTwoBits = std::int32_t{1} << 29;
  const std::int64_t sum = std::int64_t{x} + kOne;
  const auto half = static_cast<std::int32_t>((sum + (sum >= 0 ? 1 : -1)) / 2);
  std::int32_t guess = add_wrapping(k48Over17, multiply_high(half, kMinus32Over17));
  for (int i = 0; i < 3; ++i) {
    const std::int32_t error = kOneOfTwoBits - multiply_high(half, guess);
    guess = add_wrapping(guess, shift_left_saturating(multiply_high(guess, error), 2));
  }
  return shift_left_saturating(guess, 1);
}

}  // namespace salus::portable
