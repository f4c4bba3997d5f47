#include <gtest/gtest.h>

#include "base/crc32.h"
#include "hex.h"

namespace salus {
namespace {

TEST(Crc32, GivesTheCheckValueOfTheStandard) { EXPECT_EQ(crc32(0, text("123456789")), 0xCBF43926U); }

TEST(Crc32, TakesItsBytesInPieces) {
  EXPECT_EQ(crc32(crc32(0, text("1234")), text("56789")), crc32(0, text("123456789")));
  EXPECT_EQ(crc32(0, {}), 0U);
}

}  // namespace
}  // namespace salus
