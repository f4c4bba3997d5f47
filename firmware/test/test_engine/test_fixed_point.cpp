// The engine's integer arithmetic against real numbers, and multipliers against doubles.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "engine/portable/channel.h"
#include "engine/portable/fixed_point.h"

namespace salus::portable {
namespace {

// What TFLM computes, on a machine with doubles.
Multiplier with_doubles(double real) {
  Multiplier result;
  int exponent = 0;
  auto value = static_cast<std::int64_t>(std::round(std::frexp(real, &exponent) * 2147483648.0));
  if (value == std::int64_t{1} << 31) {
    value /= 2;
    ++exponent;
  }
  if (real == 0.0 || exponent < -31) return result;
  result.value = static_cast<std::int32_t>(value);
  result.shift = exponent;
  return result;
}

float random_float(std::mt19937& random, int exponent) {
  std::uniform_real_distribution<float> mantissa(1.0F, 2.0F);
  return std::ldexp(mantissa(random), static_cast<int>(random() % static_cast<unsigned>(2 * exponent + 1)) - exponent);
}

TEST(Quantise, IsWhatDoublesGive) {
  std::mt19937 random(1);
  for (int turn = 0; turn < 50000; ++turn) {
    const float a = random_float(random, 20);
    const float b = random_float(random, 20);
    const float c = random_float(random, 20);
    const Multiplier expected = with_doubles(static_cast<double>(a) * static_cast<double>(b) / static_cast<double>(c));
    const Multiplier found = quantise(a, b, c);
    ASSERT_EQ(found.value, expected.value) << a << ' ' << b << ' ' << c;
    ASSERT_EQ(found.shift, expected.shift) << a << ' ' << b << ' ' << c;
  }
}

TEST(Quantise, TakesPowersOfTwoHalvesAndTheSmallestNumbers) {
  for (const float a : {0.0F, 1.0F, 0.5F, 3.0F, 1.0F / 3.0F, 1.17549435e-38F, 1.4e-45F, 3.4e38F, 0.99999994F}) {
    for (const float c : {1.0F, 0.75F, 1.0F / 256.0F, 1.1e-38F, 1.4e-45F}) {
      const Multiplier expected = with_doubles(static_cast<double>(a) / static_cast<double>(c));
      const Multiplier found = quantise(a, 1.0F, c);
      EXPECT_EQ(found.value, expected.value) << a << ' ' << c;
      EXPECT_EQ(found.shift, expected.shift) << a << ' ' << c;
    }
  }
  EXPECT_EQ(quantise(1.0F, 1.0F, 1.0F, 5).shift, 6);
}

TEST(Divide, RoundsDown) {
  std::mt19937_64 random(2);
  for (int turn = 0; turn < 1000; ++turn) {
    const std::uint64_t numerator = random() >> random() % 60;
    const auto denominator = static_cast<std::uint32_t>(random() % 0xFFFFFFFF + 1);
    ASSERT_EQ(divide(numerator, denominator), numerator / denominator);
  }
}

TEST(Rescale, OfTheUsualCaseIsTheGeneralOne) {
  std::mt19937 random(3);
  for (int turn = 0; turn < 20000; ++turn) {
    const Multiplier by{static_cast<std::int32_t>(1U << 30 | (random() & 0x3FFFFFFF)),
                        -1 - static_cast<std::int32_t>(random() % 31)};
    const std::int32_t sum = static_cast<std::int32_t>(random()) >> (2 + random() % 20);
    const Channel usual{by.value, -by.shift - 1};
    const Channel any{by.value, by.shift - Channel::kAnyShift};
    const std::int32_t zero_point = static_cast<std::int32_t>(random() % 256) - 128;
    ASSERT_EQ(rescale(sum, usual, zero_point), rescale(sum, any, zero_point)) << sum << ' ' << by.shift;
    ASSERT_EQ(rescale(sum, any, zero_point), clamp(scale(sum, by) + zero_point, -128, 127));
  }
}

TEST(ShiftRightRounding, RoundsHalvesAwayFromZero) {
  EXPECT_EQ(shift_right_rounding(5, 1), 3);
  EXPECT_EQ(shift_right_rounding(-5, 1), -3);
  EXPECT_EQ(shift_right_rounding(-4, 3), -1);
  EXPECT_EQ(shift_right_rounding(7, 0), 7);
  EXPECT_EQ(shift_right_rounding(0x7FFFFFFF, 31), 1);
}

TEST(MultiplyHigh, SaturatesWhereBothAreTheSmallest) {
  constexpr std::int32_t kSmallest = std::numeric_limits<std::int32_t>::min();
  EXPECT_EQ(multiply_high(kSmallest, kSmallest), std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ(multiply_high(1 << 30, 1 << 30), 1 << 29);
}

TEST(ExpOfNegative, IsNearTheExponential) {
  for (int integer_bits = 4; integer_bits <= 5; ++integer_bits) {
    const double unit = std::ldexp(1.0, 31 - integer_bits);
    for (double x = 0.0; x > -15.0; x -= 0.0371) {
      const auto fixed = static_cast<std::int32_t>(x * unit);
      EXPECT_NEAR(exp_of_negative(fixed, integer_bits) / 2147483648.0, std::exp(x), 2e-7) << x;
    }
  }
}

TEST(OneOverOnePlus, IsNearTheReciprocal) {
  for (double x = 0.0; x < 1.0; x += 0.0137) {
    const auto fixed = static_cast<std::int32_t>(x * 2147483648.0);
    EXPECT_NEAR(one_over_one_plus(fixed) / 2147483648.0, 1.0 / (1.0 + x), 1e-8) << x;
  }
}

}  // namespace
}  // namespace salus::portable
