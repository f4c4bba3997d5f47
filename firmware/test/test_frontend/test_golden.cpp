// The front end gives the very bytes that Python gave: floats too, to the last bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>

#include "golden.h"

namespace salus {

void PrintTo(const Golden& golden, std::ostream* out) { *out << golden.name; }

namespace {

constexpr std::size_t kMemoryBytes = 48 * 1024;

void expect_same(const Golden& golden, const Window& found, const Window& wanted) {
  EXPECT_EQ(found.start_ms, wanted.start_ms);
  EXPECT_EQ(found.aux, wanted.aux);
  ASSERT_EQ(found.values.size(), wanted.values.size());
  for (std::size_t i = 0; i < found.values.size(); ++i) {
    ASSERT_EQ(0, std::memcmp(&found.values[i], &wanted.values[i], sizeof(float)))
        << "value " << i << " is " << found.values[i] << ", not " << wanted.values[i];
  }
  std::vector<std::int8_t> int8(found.values.size());
  quantise({found.values.data(), found.values.size()}, golden.scale, golden.zero_point, {int8.data(), int8.size()});
  EXPECT_EQ(int8, wanted.int8);
}

class GoldenVectors : public testing::TestWithParam<Golden> {
 protected:
  // Replay, each push in pieces of `piece` samples.
  void replay(std::size_t piece) {
    const Golden& golden = GetParam();
    std::vector<std::uint8_t> memory(kMemoryBytes, 0xA5);
    FrontEnd front_end;
    front_end.set_wrist(golden.wrist);
    ASSERT_EQ(front_end.configure(view(golden.frontend), golden.channels, view(memory)), FrontEndStatus::kOk);
    for (const Push& push : golden.pushes) {
      Collector collector;
      if (push.don) front_end.don();
      const std::size_t step = piece * golden.channels;
      std::size_t at = 0;
      do {  // a push of no samples moves the clock too
        const std::size_t count = std::min(step, push.samples.size() - at);
        const double t0_ms = push.t0_ms + static_cast<double>(at / golden.channels) * 1000.0 / front_end.rate_hz();
        if (!push.don) {
          ASSERT_EQ(front_end.push({push.samples.data() + at, count}, t0_ms, collector), FrontEndStatus::kOk);
        }
        at += count;
      } while (at < push.samples.size());
      ASSERT_EQ(collector.windows.size(), push.windows.size());
      for (std::size_t i = 0; i < push.windows.size(); ++i) expect_same(golden, collector.windows[i], push.windows[i]);
    }
  }
};

TEST_P(GoldenVectors, AreGivenToTheLastBit) { replay(1U << 20); }

TEST_P(GoldenVectors, ComeFromSinglesToo) { replay(1); }

INSTANTIATE_TEST_SUITE_P(Files, GoldenVectors, testing::ValuesIn(read_golden()),
                         [](const testing::TestParamInfo<Golden>& file) { return file.param.name; });

TEST(Golden, HasAFileForEachBlock) {
  for (const char* name :
       {"beats", "cancel", "filter", "magnitude", "orient", "resample", "scale", "spectrum", "wrist"}) {
    EXPECT_FALSE(golden_of(name).pushes.empty()) << name;
  }
}

}  // namespace
}  // namespace salus
