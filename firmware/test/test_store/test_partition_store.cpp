#include <gtest/gtest.h>

#include <map>

#include "board/fakes/fakes.h"
#include "hex.h"
#include "store/partition_store.h"

namespace salus {
namespace {

using fakes::FakePartition;
using fakes::FakePower;
using Values = std::map<std::string, std::string>;

constexpr const char* kKeys[] = {"boot", "ring", "secret", "version"};

std::string read(const Store& store, const char* key) {
  std::vector<std::uint8_t> value(PartitionStore::kMaxValueBytes);
  std::size_t size = 0;
  const StoreStatus status = store.read(key, view(value), size);
  if (status == StoreStatus::kMissing) return "-";
  return status == StoreStatus::kOk ? std::string(value.begin(), value.begin() + static_cast<long>(size)) : "failed";
}

Values contents(const Store& store) {
  Values values;
  for (const char* key : kKeys) values[key] = read(store, key);
  return values;
}

TEST(PartitionStore, KeepsTheLastValueAcrossStarts) {
  FakePartition flash(8192);
  {
    PartitionStore store(flash);
    ASSERT_TRUE(store.mount());
    EXPECT_EQ(store.write("boot", text("1")), StoreStatus::kOk);
    EXPECT_EQ(store.write("boot", text("two")), StoreStatus::kOk);
    EXPECT_EQ(store.write("ring", {}), StoreStatus::kOk);
    EXPECT_EQ(read(store, "boot"), "two");
  }
  PartitionStore store(flash);
  ASSERT_TRUE(store.mount());
  EXPECT_EQ(read(store, "boot"), "two");
  EXPECT_EQ(read(store, "ring"), "");
  EXPECT_EQ(read(store, "bo"), "-");
  EXPECT_EQ(flash.overwrites(), 0U);
}

TEST(PartitionStore, ErasesOneOrAll) {
  FakePartition flash(8192);
  PartitionStore store(flash);
  ASSERT_TRUE(store.mount());
  ASSERT_EQ(store.write("boot", text("1")), StoreStatus::kOk);
  ASSERT_EQ(store.write("secret", text("a very secret value")), StoreStatus::kOk);
  ASSERT_EQ(store.write("ring", text("3")), StoreStatus::kOk);
  EXPECT_EQ(store.erase("boot"), StoreStatus::kOk);
  EXPECT_EQ(store.erase("boot"), StoreStatus::kMissing);
  ASSERT_TRUE(store.mount());
  EXPECT_EQ(contents(store),
            (Values{{"boot", "-"}, {"ring", "3"}, {"secret", "a very secret value"}, {"version", "-"}}));
  EXPECT_EQ(store.erase_all(), StoreStatus::kOk);
  ASSERT_TRUE(store.mount());
  EXPECT_EQ(contents(store), (Values{{"boot", "-"}, {"ring", "-"}, {"secret", "-"}, {"version", "-"}}));
  const std::string left(flash.data().begin(), flash.data().end());
  EXPECT_EQ(left.find("secret"), std::string::npos) << "an erased secret is still in the flash";
}

TEST(PartitionStore, GoesOnForeverInLittleSpace) {
  FakePartition flash(8192);
  PartitionStore store(flash);
  ASSERT_TRUE(store.mount());
  ASSERT_EQ(store.write("secret", text("stays")), StoreStatus::kOk);
  for (int boot = 0; boot < 5000; ++boot) {
    ASSERT_EQ(store.write("boot", text(std::to_string(boot).c_str())), StoreStatus::kOk) << boot;
  }
  EXPECT_EQ(read(store, "boot"), "4999");
  EXPECT_EQ(read(store, "secret"), "stays");
  EXPECT_EQ(flash.overwrites(), 0U);
  EXPECT_LT(flash.erased_sectors(), 40U) << "each sector wears out after so many erases";
}

TEST(PartitionStore, RefusesWhatItCannotHold) {
  FakePartition flash(64U << 10);
  PartitionStore store(flash);
  ASSERT_TRUE(store.mount());
  std::vector<std::uint8_t> large(PartitionStore::kMaxValueBytes, 'x');
  EXPECT_EQ(store.write("large", view(large)), StoreStatus::kOk);
  large.push_back('x');
  EXPECT_EQ(store.write("larger", view(large)), StoreStatus::kTooLarge);
  EXPECT_EQ(store.write("", text("x")), StoreStatus::kFailed);
  EXPECT_EQ(store.write("sixteen_letters_", text("x")), StoreStatus::kFailed);
  std::uint8_t small[4];
  std::size_t size = 0;
  EXPECT_EQ(store.read("large", small, size), StoreStatus::kTooLarge);
  EXPECT_EQ(size, PartitionStore::kMaxValueBytes);
  EXPECT_EQ(store.read("", small, size), StoreStatus::kFailed);
  EXPECT_EQ(store.erase(""), StoreStatus::kFailed);
}

TEST(PartitionStore, KeepsWhatItHasWhenItIsFull) {
  FakePartition flash(512, 256);
  PartitionStore store(flash);
  ASSERT_TRUE(store.mount());
  const std::vector<std::uint8_t> half(100, 'h');
  ASSERT_EQ(store.write("boot", view(half)), StoreStatus::kOk);
  ASSERT_EQ(store.write("ring", view(half)), StoreStatus::kOk);
  EXPECT_EQ(store.write("secret", view(half)), StoreStatus::kFailed);
  EXPECT_EQ(read(store, "boot"), std::string(100, 'h'));
  EXPECT_EQ(store.write("boot", text("short")), StoreStatus::kOk);
  EXPECT_EQ(store.write("secret", text("fits now")), StoreStatus::kOk);
  ASSERT_TRUE(store.mount());
  EXPECT_EQ(contents(store),
            (Values{{"boot", "short"}, {"ring", std::string(100, 'h')}, {"secret", "fits now"}, {"version", "-"}}));
}

TEST(PartitionStore, HasSoManyKeysAndNoMore) {
  FakePartition flash(16384);
  PartitionStore store(flash);
  ASSERT_TRUE(store.mount());
  for (std::size_t key = 0; key < PartitionStore::kMaxKeys; ++key) {
    ASSERT_EQ(store.write(("key" + std::to_string(key)).c_str(), text("x")), StoreStatus::kOk);
  }
  EXPECT_EQ(store.write("another", text("x")), StoreStatus::kFailed);
  EXPECT_EQ(store.write("key63", text("y")), StoreStatus::kOk);
  ASSERT_TRUE(store.mount());
  EXPECT_EQ(read(store, "key63"), "y");
}

TEST(PartitionStore, TakesNoFlashThatItCannotHalveOrRead) {
  FakePartition odd(4096 * 3, 4096);
  EXPECT_FALSE(PartitionStore(odd).mount());
  FakePower power;
  FakePartition dead(8192, 4096, &power);
  power.cut_after(0);
  EXPECT_FALSE(PartitionStore(dead).mount());
}

TEST(PartitionStore, StartsAnewOnAForeignPartition) {
  FakePartition flash(8192);
  std::fill(flash.data().begin(), flash.data().end(), std::uint8_t{0x5A});
  PartitionStore store(flash);
  ASSERT_TRUE(store.mount());
  EXPECT_EQ(store.write("boot", text("1")), StoreStatus::kOk);
  for (int again = 0; again < 300; ++again) ASSERT_EQ(store.write("ring", text("over and over")), StoreStatus::kOk);
  EXPECT_EQ(read(store, "boot"), "1");
}

// Writes and erasures that fill a half of 256 bytes several times over.
class Script {
 public:
  static constexpr int kSteps = 40;

  // What the store holds after step `step` of a run from nothing.
  static Values after(int step) {
    Values values = {{"boot", "-"}, {"ring", "-"}, {"secret", "-"}, {"version", "-"}};
    for (int at = 0; at < step; ++at) values[key(at)] = value(at);
    return values;
  }
  static StoreStatus take(Store& store, int step) {
    if (value(step) != "-") return store.write(key(step), text(value(step).c_str()));
    const StoreStatus status = store.erase(key(step));
    return status == StoreStatus::kMissing ? StoreStatus::kOk : status;
  }

 private:
  static const char* key(int step) { return kKeys[(step * 7 + step / 5) % 4]; }
  static std::string value(int step) {
    return step % 9 == 8 ? "-"
                         : std::string(static_cast<std::size_t>(step * 13 % 29), static_cast<char>('a' + step % 26));
  }
};

class PartitionStoreCut : public testing::TestWithParam<fakes::Tear> {};

TEST_P(PartitionStoreCut, HoldsTheOldOrTheNewWhereverThePowerGoes) {
  FakePower uncut;
  {
    FakePartition flash(512, 256, &uncut);
    PartitionStore store(flash);
    ASSERT_TRUE(store.mount());
    for (int step = 0; step < Script::kSteps; ++step) ASSERT_EQ(Script::take(store, step), StoreStatus::kOk) << step;
    EXPECT_EQ(contents(store), Script::after(Script::kSteps));
    EXPECT_GT(flash.erased_sectors(), 4U) << "the script never filled a half";
  }
  for (std::uint64_t cut = 0; cut < uncut.taken(); ++cut) {
    FakePower power;
    FakePartition flash(512, 256, &power);
    flash.tear(GetParam());
    power.cut_after(cut);
    PartitionStore store(flash);
    int done = 0;
    if (store.mount()) {
      while (done < Script::kSteps && Script::take(store, done) == StoreStatus::kOk) ++done;
    }
    power.restore();
    PartitionStore restarted(flash);
    ASSERT_TRUE(restarted.mount()) << cut;
    const Values found = contents(restarted);
    ASSERT_TRUE(found == Script::after(done) || (done < Script::kSteps && found == Script::after(done + 1)))
        << "cut after " << cut << " steps of the supply, in step " << done;
    const int next = found == Script::after(done) ? done : done + 1;
    for (int step = next; step < Script::kSteps; ++step) {
      ASSERT_EQ(Script::take(restarted, step), StoreStatus::kOk) << cut << " " << step;
    }
    ASSERT_EQ(contents(restarted), Script::after(Script::kSteps)) << cut;
    ASSERT_EQ(flash.overwrites(), 0U) << cut;
  }
}

INSTANTIATE_TEST_SUITE_P(Tears, PartitionStoreCut, testing::Values(fakes::Tear::kPrefix, fakes::Tear::kScattered));

}  // namespace
}  // namespace salus
