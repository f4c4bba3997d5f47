// Places in the arena.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "engine/portable/planner.h"

namespace salus::portable {
namespace {

Slot slot(std::uint32_t bytes, std::uint16_t first, std::uint16_t last) { return {0, bytes, first, last}; }

std::size_t plan_all(std::vector<Slot>& slots) { return plan({slots.data(), slots.size()}); }

TEST(Plan, GivesTheSameBytesToTensorsThatNeverMeet) {
  std::vector<Slot> slots = {slot(100, 0, 1), slot(60, 1, 2), slot(100, 2, 3)};
  EXPECT_EQ(plan_all(slots), 160U);
  EXPECT_EQ(slots[0].at, slots[2].at);
}

TEST(Plan, RoundsEachToWholeWords) {
  std::vector<Slot> slots = {slot(5, 0, 1), slot(3, 0, 1)};
  EXPECT_EQ(plan_all(slots), 12U);
  EXPECT_EQ(slots[1].at % 4, 0U);
}

TEST(Plan, NeedsNothingForNothing) {
  std::vector<Slot> slots = {slot(0, Slot::kNever, Slot::kNever), slot(0, 0, 1)};
  EXPECT_EQ(plan_all(slots), 0U);
}

TEST(Plan, FillsAGapBetweenTwoThatLive) {
  std::vector<Slot> slots = {slot(400, 0, 0), slot(200, 0, 3), slot(100, 1, 3), slot(300, 2, 3)};
  EXPECT_EQ(plan_all(slots), 600U);
}

TEST(Plan, NeverLetsTwoMeetInTheSameBytes) {
  std::mt19937 random(1);
  for (int turn = 0; turn < 300; ++turn) {
    std::vector<Slot> slots;
    for (unsigned i = 0; i < 1 + random() % 20; ++i) {
      const auto first = static_cast<std::uint16_t>(random() % 12);
      slots.push_back(
          slot(static_cast<std::uint32_t>(random() % 200), first, static_cast<std::uint16_t>(first + random() % 4)));
    }
    const std::size_t needed = plan_all(slots);
    for (std::size_t a = 0; a < slots.size(); ++a) {
      ASSERT_LE(slots[a].at + slots[a].bytes, needed);
      for (std::size_t b = 0; b < a; ++b) {
        const bool together = slots[a].first <= slots[b].last && slots[b].first <= slots[a].last;
        const bool apart = slots[a].at + slots[a].bytes <= slots[b].at || slots[b].at + slots[b].bytes <= slots[a].at;
        ASSERT_TRUE(!together || apart || slots[a].bytes == 0 || slots[b].bytes == 0);
      }
    }
  }
}

}  // namespace
}  // namespace salus::portable
