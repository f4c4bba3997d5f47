#include <gtest/gtest.h>

#include "base/span.h"

namespace salus {
namespace {

TEST(Span, PartsShareTheValuesOfTheWhole) {
  std::uint8_t values[] = {1, 2, 3, 4, 5};
  MutableBytes whole(values);
  whole.part(1, 3)[0] = 9;
  EXPECT_EQ(values[1], 9);
  EXPECT_EQ(whole.from(3).size(), 2U);
  EXPECT_EQ(whole.first(2)[1], 9);
}

TEST(Span, OfNothingIsEmpty) {
  EXPECT_TRUE(Bytes().empty());
  EXPECT_EQ(Bytes().begin(), Bytes().end());
}

TEST(Span, ReadsWhatItMayWrite) {
  std::uint8_t values[] = {7};
  const Bytes reading = MutableBytes(values);
  EXPECT_EQ(reading[0], 7);
}

}  // namespace
}  // namespace salus
