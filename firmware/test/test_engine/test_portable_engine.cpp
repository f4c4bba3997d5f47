// The portable engine on TFLM's golden vectors, and on models that are damaged, cut short or do not fit.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "engine/portable/portable_engine.h"
#include "golden.h"

namespace salus {

void PrintTo(const Golden& golden, std::ostream* out) { *out << golden.name; }

namespace {

class Models : public testing::TestWithParam<Golden> {};

TEST_P(Models, ComputeWhatTflmComputes) {
  const Golden& golden = GetParam();
  std::vector<std::uint8_t> arena(1 << 16, 0xA5);
  PortableEngine engine;
  ASSERT_EQ(engine.load(view(golden.model), {arena.data(), arena.size()}), EngineStatus::kOk);
  ASSERT_EQ(engine.input().bytes, golden.input.size());
  std::vector<std::int8_t> output(engine.output().bytes);
  for (int turn = 0; turn < 2; ++turn) {  // nothing is left of the first
    ASSERT_EQ(engine.run({golden.input.data(), golden.input.size()}, {output.data(), output.size()}),
              EngineStatus::kOk);
    EXPECT_EQ(output, golden.output);
  }
}

TEST_P(Models, RunInTheArenaThatTheySayTheyUseAndInNoSmaller) {
  const Golden& golden = GetParam();
  std::vector<std::uint8_t> large(1 << 16);
  PortableEngine engine;
  ASSERT_EQ(engine.load(view(golden.model), {large.data(), large.size()}), EngineStatus::kOk);
  const std::size_t used = engine.arena_used_bytes();
  std::vector<std::uint8_t> arena(used);
  std::vector<std::int8_t> output(golden.output.size());
  ASSERT_EQ(engine.load(view(golden.model), {arena.data(), used}), EngineStatus::kOk);
  ASSERT_EQ(engine.run({golden.input.data(), golden.input.size()}, {output.data(), output.size()}), EngineStatus::kOk);
  EXPECT_EQ(output, golden.output);
  EXPECT_EQ(engine.load(view(golden.model), {arena.data(), used - 1}), EngineStatus::kArenaTooSmall);
}

// Each copy has memory of its own, so that ASan sees what is read outside of it.
TEST_P(Models, CutShortAreRefused) {
  const Golden& golden = GetParam();
  std::vector<std::uint8_t> arena(1 << 16);
  for (std::size_t size = 0; size < golden.model.size(); size += 11) {
    const std::vector<std::uint8_t> cut(golden.model.begin(), golden.model.begin() + static_cast<std::ptrdiff_t>(size));
    PortableEngine engine;
    const EngineStatus status = engine.load(view(cut), {arena.data(), arena.size()});
    EXPECT_TRUE(status == EngineStatus::kMalformed || status == EngineStatus::kUnsupported) << size;
  }
}

TEST_P(Models, DamagedAreRefusedOrRun) {
  const Golden& golden = GetParam();
  std::mt19937 random(7);
  std::vector<std::uint8_t> arena(1 << 14);
  for (int turn = 0; turn < 200; ++turn) {
    std::vector<std::uint8_t> damaged = golden.model;
    static constexpr std::uint8_t kValues[] = {0, 1, 0x7F, 0x80, 0xFF};
    for (int i = 0; i < 2; ++i) damaged[random() % damaged.size()] = kValues[random() % sizeof kValues];
    PortableEngine engine;
    if (engine.load(view(damaged), {arena.data(), arena.size()}) != EngineStatus::kOk) continue;
    std::vector<std::int8_t> input(engine.input().bytes, 3);
    std::vector<std::int8_t> output(engine.output().bytes);
    EXPECT_EQ(engine.run({input.data(), input.size()}, {output.data(), output.size()}), EngineStatus::kOk);
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, Models, testing::ValuesIn(goldens()),
                         [](const testing::TestParamInfo<Golden>& each) { return each.param.name; });

TEST(Golden, VectorsAreThere) { EXPECT_GE(goldens().size(), 60U); }

class PortableEngineTest : public testing::Test {
 protected:
  EngineStatus load(const std::vector<std::uint8_t>& model) {
    return engine_.load(view(model), {arena_.data(), arena_.size()});
  }
  const Golden& golden_ = golden("fully_connected_0");
  std::vector<std::uint8_t> arena_ = std::vector<std::uint8_t>(1 << 16);
  PortableEngine engine_;
};

TEST_F(PortableEngineTest, RunsNothingBeforeAModelIsLoaded) {
  std::int8_t value = 0;
  EXPECT_EQ(engine_.run({&value, 1}, {&value, 1}), EngineStatus::kNotLoaded);
  EXPECT_EQ(engine_.arena_used_bytes(), 0U);
}

TEST_F(PortableEngineTest, ForgetsTheModelWhenTheNextIsRefused) {
  ASSERT_EQ(load(golden_.model), EngineStatus::kOk);
  EXPECT_EQ(load({1, 2, 3}), EngineStatus::kMalformed);
  std::vector<std::int8_t> output(golden_.output.size());
  EXPECT_EQ(engine_.run({golden_.input.data(), golden_.input.size()}, {output.data(), output.size()}),
            EngineStatus::kNotLoaded);
  EXPECT_EQ(engine_.output().bytes, 0U);
}

TEST_F(PortableEngineTest, RefusesInputsAndOutputsOfAnotherSize) {
  ASSERT_EQ(load(golden_.model), EngineStatus::kOk);
  std::vector<std::int8_t> output(golden_.output.size());
  EXPECT_EQ(engine_.run({golden_.input.data(), golden_.input.size() - 1}, {output.data(), output.size()}),
            EngineStatus::kWrongSize);
  EXPECT_EQ(engine_.run({golden_.input.data(), golden_.input.size()}, {output.data(), output.size() - 1}),
            EngineStatus::kWrongSize);
}

TEST_F(PortableEngineTest, WritesItsOutputOverTheInput) {
  ASSERT_EQ(load(golden_.model), EngineStatus::kOk);
  std::vector<std::int8_t> both(std::max(golden_.input.size(), golden_.output.size()));
  std::copy(golden_.input.begin(), golden_.input.end(), both.begin());
  ASSERT_EQ(engine_.run({both.data(), golden_.input.size()}, {both.data(), golden_.output.size()}), EngineStatus::kOk);
  both.resize(golden_.output.size());
  EXPECT_EQ(both, golden_.output);
}

TEST_F(PortableEngineTest, TakesAModelAndAnArenaOfAnyAlignment) {
  for (std::size_t shift = 0; shift < 8; ++shift) {
    std::vector<std::uint8_t> model(shift);
    model.insert(model.end(), golden_.model.begin(), golden_.model.end());
    ASSERT_EQ(engine_.load(view(model).from(shift), {arena_.data() + shift, arena_.size() - shift}), EngineStatus::kOk);
    std::vector<std::int8_t> output(golden_.output.size());
    ASSERT_EQ(engine_.run({golden_.input.data(), golden_.input.size()}, {output.data(), output.size()}),
              EngineStatus::kOk);
    EXPECT_EQ(output, golden_.output);
  }
}

TEST_F(PortableEngineTest, DescribesBothEnds) {
  const Golden& chain = golden("chain_0");
  ASSERT_EQ(load(chain.model), EngineStatus::kOk);
  EXPECT_EQ(engine_.input().rank, 4);
  EXPECT_EQ(engine_.output().rank, 2);
  EXPECT_EQ(engine_.output().dims[1], 5);
  EXPECT_EQ(engine_.output().scale, 1.0F / 256.0F);
  EXPECT_EQ(engine_.output().zero_point, -128);
  EXPECT_EQ(engine_.output().bytes, chain.output.size());
}

TEST_F(PortableEngineTest, RefusesAnArenaOfNothing) {
  EXPECT_EQ(engine_.load(view(golden_.model), {}), EngineStatus::kArenaTooSmall);
}

TEST(EngineStatusCodes, AreAllDifferent) {
  std::vector<std::string> codes;
  for (int status = 0; status <= static_cast<int>(EngineStatus::kNotLoaded); ++status) {
    codes.emplace_back(code_of(static_cast<EngineStatus>(status)));
  }
  std::sort(codes.begin(), codes.end());
  EXPECT_EQ(std::unique(codes.begin(), codes.end()), codes.end());
  EXPECT_STREQ(code_of(EngineStatus::kOk), "ok");
}

}  // namespace
}  // namespace salus
