// The front end refuses what it cannot take, changes nothing then, and keeps what it is to keep.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "golden.h"

namespace salus {
namespace {

constexpr std::size_t kMemoryBytes = 48 * 1024;
const char* const kNames[] = {"beats", "cancel",   "filter", "magnitude",  "orient",          "resample",
                              "scale", "spectrum", "wrist",  "chain_fall", "chain_heartrate", "chain_arrhythmia"};

struct Built {
  explicit Built(const Golden& of) : golden(of), memory(kMemoryBytes) {
    status = front_end.configure(view(golden.frontend), golden.channels, view(memory));
  }
  FrontEndStatus push(const Push& push, Collector& collector) {
    return front_end.push({push.samples.data(), push.samples.size()}, push.t0_ms, collector);
  }
  const Golden& golden;
  std::vector<std::uint8_t> memory;
  FrontEnd front_end;
  FrontEndStatus status;
};

TEST(FrontEnd, SaysWhatItsWindowsAre) {
  Built beats(golden_of("beats"));
  ASSERT_EQ(beats.status, FrontEndStatus::kOk);
  EXPECT_EQ(beats.front_end.rows(), 70U);
  EXPECT_EQ(beats.front_end.channels(), 2U);
  EXPECT_EQ(beats.front_end.aux_values(), 17U);
  EXPECT_EQ(beats.front_end.duration_ms(), 700U);
  Built heart(golden_of("chain_heartrate"));
  EXPECT_EQ(heart.front_end.rows(), 128U);
  EXPECT_EQ(heart.front_end.channels(), 2U);
  EXPECT_EQ(heart.front_end.duration_ms(), 4000U);
  EXPECT_EQ(heart.front_end.raw_channels(), 5U);
  EXPECT_EQ(heart.front_end.rate_hz(), 125.0F);
}

TEST(FrontEnd, SaysNothingBeforeItIsConfigured) {
  FrontEnd front_end;
  Collector collector;
  const float sample = 0.0F;
  EXPECT_EQ(front_end.push({&sample, 1}, 0.0, collector), FrontEndStatus::kNotConfigured);
  EXPECT_EQ(front_end.restore({}), FrontEndStatus::kNotConfigured);
  front_end.reset();
  front_end.don();
  EXPECT_EQ(front_end.rows() + front_end.channels() + front_end.aux_values() + front_end.raw_channels(), 0U);
  EXPECT_EQ(front_end.duration_ms(), 0U);
  EXPECT_EQ(front_end.rate_hz(), 0.0F);
  EXPECT_EQ(front_end.memory_used_bytes(), 0U);
}

TEST(FrontEnd, NeedsTheMemoryThatItSays) {
  for (const char* name : kNames) {
    const Golden& golden = golden_of(name);
    Built built(golden);
    const std::size_t used = built.front_end.memory_used_bytes();
    for (std::size_t size = 0; size < used; size += 1 + used / 97) {
      std::vector<std::uint8_t> memory(size);
      FrontEnd front_end;
      EXPECT_EQ(front_end.configure(view(golden.frontend), golden.channels, view(memory)),
                FrontEndStatus::kMemoryTooSmall)
          << name << " in " << size;
      EXPECT_EQ(front_end.rows(), 0U);
    }
    // One byte off the alignment may cost as much as the strictest one.
    std::vector<std::uint8_t> memory(used + 1 + alignof(std::max_align_t));
    FrontEnd front_end;
    EXPECT_EQ(front_end.configure(view(golden.frontend), golden.channels, view(memory).from(1)), FrontEndStatus::kOk);
  }
}

TEST(FrontEnd, RefusesAMessageCutAnywhere) {
  for (const char* name : kNames) {
    const Golden& golden = golden_of(name);
    std::vector<std::uint8_t> memory(kMemoryBytes);
    for (std::size_t size = 0; size < golden.frontend.size(); ++size) {
      FrontEnd front_end;
      const Bytes part = view(golden.frontend).first(size);
      EXPECT_NE(front_end.configure(part, golden.channels, view(memory)), FrontEndStatus::kOk) << name << " " << size;
    }
  }
}

TEST(FrontEnd, SurvivesAMessageWithAnyByteChanged) {
  for (const char* name : kNames) {
    const Golden& golden = golden_of(name);
    std::vector<std::uint8_t> memory(kMemoryBytes);
    const std::vector<float> samples(golden.channels * 40, 0.5F);
    for (std::size_t at = 0; at < golden.frontend.size(); ++at) {
      for (const unsigned flip : {1U, 128U, 255U}) {
        std::vector<std::uint8_t> changed = golden.frontend;
        changed[at] = static_cast<std::uint8_t>(changed[at] ^ flip);
        FrontEnd front_end;
        Collector collector;
        const bool taken = front_end.configure(view(changed), golden.channels, view(memory)) == FrontEndStatus::kOk;
        EXPECT_EQ(front_end.push({samples.data(), samples.size()}, 1e12, collector),
                  taken ? FrontEndStatus::kOk : FrontEndStatus::kNotConfigured);
      }
    }
  }
}

TEST(FrontEnd, RefusesAnotherNumberOfChannels) {
  std::vector<std::uint8_t> memory(kMemoryBytes);
  for (const char* name : {"scale", "wrist", "chain_fall"}) {
    for (const std::size_t channels : {0, 2, 5, 7, 17}) {
      FrontEnd front_end;
      EXPECT_EQ(front_end.configure(view(golden_of(name).frontend), channels, view(memory)),
                FrontEndStatus::kWrongFrontEnd);
    }
  }
}

TEST(FrontEnd, RefusesSamplesThatAreNotFiniteAndChangesNothing) {
  const Golden& golden = golden_of("filter");
  Built built(golden);
  Collector collector;
  for (const Push& push : golden.pushes) {
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      Push broken = push;
      broken.samples.back() = bad;
      EXPECT_EQ(built.push(broken, collector), FrontEndStatus::kNotFinite);
    }
    Push timeless = push;
    timeless.t0_ms = std::numeric_limits<double>::quiet_NaN();
    EXPECT_EQ(built.push(timeless, collector), FrontEndStatus::kNotFinite);
    Push odd = push;
    odd.samples.push_back(0.0F);
    EXPECT_EQ(built.push(odd, collector), FrontEndStatus::kMalformed);
    const std::size_t before = collector.windows.size();
    ASSERT_EQ(built.push(push, collector), FrontEndStatus::kOk);
    ASSERT_EQ(collector.windows.size(), before + push.windows.size());
    for (std::size_t i = 0; i < push.windows.size(); ++i) {
      EXPECT_EQ(collector.windows[before + i].values, push.windows[i].values);
    }
  }
}

TEST(FrontEnd, AResetIsANewStretch) {
  const Golden& golden = golden_of("filter");
  Built built(golden);
  Collector first;
  Collector again;
  ASSERT_EQ(built.push(golden.pushes[2], first), FrontEndStatus::kOk);
  built.front_end.reset();
  ASSERT_EQ(built.push(golden.pushes[2], again), FrontEndStatus::kOk);
  ASSERT_FALSE(first.windows.empty());
  ASSERT_EQ(first.windows.size(), again.windows.size());
  EXPECT_EQ(first.windows[0].values, again.windows[0].values);
  EXPECT_EQ(first.windows[0].start_ms, again.windows[0].start_ms);
}

TEST(FrontEnd, TimeBeforeTheEpochIsTakenForTheEpoch) {
  Built built(golden_of("scale"));
  Collector collector;
  Push push = built.golden.pushes[2];
  push.t0_ms = -5000.0;
  ASSERT_EQ(built.push(push, collector), FrontEndStatus::kOk);
  ASSERT_FALSE(collector.windows.empty());
  EXPECT_EQ(collector.windows[0].start_ms, 0U);
}

// All pushes up to the first donning; then what is kept is of a stance.
void put_on(Built& built, Collector& collector) {
  for (const Push& push : built.golden.pushes) {
    if (push.don) return;
    ASSERT_EQ(built.push(push, collector), FrontEndStatus::kOk);
  }
}

TEST(Orientation, OutlivesARestart) {
  Built before(golden_of("orient"));
  std::uint8_t kept[FrontEnd::kKeptBytes];
  EXPECT_EQ(before.front_end.keep(kept), 0U) << "nothing is known yet";
  Collector ignored;
  put_on(before, ignored);
  ASSERT_EQ(before.front_end.keep(kept), FrontEnd::kKeptBytes);
  EXPECT_EQ(before.front_end.keep(MutableBytes(kept).first(10)), 0U);
  before.front_end.reset();

  Built after(golden_of("orient"));
  ASSERT_EQ(after.front_end.restore(kept), FrontEndStatus::kOk);
  Collector one;
  Collector other;
  ASSERT_EQ(before.push(before.golden.pushes[0], one), FrontEndStatus::kOk);
  ASSERT_EQ(after.push(after.golden.pushes[0], other), FrontEndStatus::kOk);
  ASSERT_FALSE(one.windows.empty());
  EXPECT_EQ(one.windows[0].values, other.windows[0].values);
  after.front_end.don();
  EXPECT_EQ(after.front_end.keep(kept), 0U);
}

TEST(Orientation, RefusesWhatWasNotKept) {
  Built built(golden_of("orient"));
  Collector ignored;
  put_on(built, ignored);
  std::uint8_t kept[FrontEnd::kKeptBytes];
  ASSERT_EQ(built.front_end.keep(kept), FrontEnd::kKeptBytes);
  EXPECT_EQ(built.front_end.restore(Bytes(kept).first(79)), FrontEndStatus::kMalformed);
  kept[15] ^= 0x40;  // the first number's exponent
  EXPECT_EQ(built.front_end.restore(kept), FrontEndStatus::kMalformed);
  kept[15] ^= 0x40;
  kept[0] ^= 1;
  EXPECT_EQ(built.front_end.restore(kept), FrontEndStatus::kMalformed);
  Built other(golden_of("filter"));
  EXPECT_EQ(other.front_end.restore(kept), FrontEndStatus::kWrongFrontEnd);
}

TEST(Quantise, RoundsHalvesToEvenAndClips) {
  const float values[] = {
      0.5F, 1.5F, 2.5F, -0.5F, -1.5F, 200.0F, -200.0F, 126.6F, 3e38F, -3e38F, std::numeric_limits<float>::quiet_NaN()};
  std::int8_t out[11];
  quantise(values, 1.0F, 0, out);
  const std::int8_t wanted[] = {0, 2, 2, 0, -2, 127, -128, 127, 127, -128, -128};
  for (std::size_t i = 0; i < 11; ++i) EXPECT_EQ(out[i], wanted[i]) << i;
  quantise(Span<const float>(values).first(8), 1.0F, -128, Span<std::int8_t>(out).first(8));
  const std::int8_t shifted[] = {-128, -126, -126, -128, -128, 72, -128, -1};
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(out[i], shifted[i]) << i;
}

TEST(FrontEndStatus, HasACodeEach) {
  EXPECT_STREQ(code_of(FrontEndStatus::kOk), "ok");
  EXPECT_STREQ(code_of(FrontEndStatus::kMalformed), "malformed");
  EXPECT_STREQ(code_of(FrontEndStatus::kWrongFrontEnd), "wrong_frontend");
  EXPECT_STREQ(code_of(FrontEndStatus::kMemoryTooSmall), "memory_too_small");
  EXPECT_STREQ(code_of(FrontEndStatus::kNotConfigured), "not_configured");
  EXPECT_STREQ(code_of(FrontEndStatus::kNotFinite), "not_finite");
  EXPECT_STREQ(code_of(static_cast<FrontEndStatus>(99)), "unknown");
}

}  // namespace
}  // namespace salus
