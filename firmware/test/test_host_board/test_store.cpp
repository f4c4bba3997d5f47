#include <fstream>

#include "../../src/native/board_store.h"
#include "folder.h"
#include "hex.h"

namespace salus {
namespace {

class FileStoreTest : public InFolder {
 protected:
  std::string read(FileStore& store, const char* key) {
    std::uint8_t value[64];
    std::size_t size = 0;
    const StoreStatus status = store.read(key, value, size);
    if (status == StoreStatus::kMissing) return "missing";
    if (status == StoreStatus::kTooLarge) return "too large";
    if (status != StoreStatus::kOk) return "failed";
    return {reinterpret_cast<const char*>(value), size};
  }
};

TEST_F(FileStoreTest, KeepsWhatWasWrittenAcrossStarts) {
  {
    FileStore store(folder + "/nvs");
    EXPECT_EQ(store.write("boot", text("7")), StoreStatus::kOk);
    EXPECT_EQ(store.write("boot", text("eight")), StoreStatus::kOk);
    EXPECT_EQ(store.write("empty", {}), StoreStatus::kOk);
  }
  FileStore store(folder + "/nvs");
  EXPECT_EQ(read(store, "boot"), "eight");
  EXPECT_EQ(read(store, "empty"), "");
  EXPECT_EQ(read(store, "other"), "missing");
}

TEST_F(FileStoreTest, SaysThatAValueIsTooLarge) {
  FileStore store(folder + "/nvs");
  const std::vector<std::uint8_t> large(65, 1);
  ASSERT_EQ(store.write("large", view(large)), StoreStatus::kOk);
  EXPECT_EQ(read(store, "large"), "too large");
}

TEST_F(FileStoreTest, ErasesOneOrAll) {
  FileStore store(folder + "/nvs");
  ASSERT_EQ(store.write("one", text("1")), StoreStatus::kOk);
  ASSERT_EQ(store.write("two", text("2")), StoreStatus::kOk);
  EXPECT_EQ(store.erase("one"), StoreStatus::kOk);
  EXPECT_EQ(store.erase("one"), StoreStatus::kMissing);
  EXPECT_EQ(read(store, "two"), "2");
  EXPECT_EQ(store.erase_all(), StoreStatus::kOk);
  EXPECT_EQ(read(store, "two"), "missing");
}

TEST_F(FileStoreTest, KeepsTheOldValueWhenAWriteIsCut) {
  FileStore store(folder + "/nvs");
  ASSERT_EQ(store.write("key", text("old")), StoreStatus::kOk);
  std::ofstream(folder + "/nvs/.new") << "ne";  // as far as the cut write came
  FileStore again(folder + "/nvs");
  EXPECT_EQ(read(again, "key"), "old");
  EXPECT_EQ(again.write("key", text("new")), StoreStatus::kOk);
  EXPECT_EQ(read(again, "key"), "new");
}

TEST_F(FileStoreTest, TakesNoKeyThatIsAPath) {
  FileStore store(folder + "/nvs");
  for (const char* key : {"", "../out", "a/b", ".new", "sixteen_letters_"}) {
    EXPECT_EQ(store.write(key, text("x")), StoreStatus::kFailed) << key;
    EXPECT_EQ(store.erase(key), StoreStatus::kFailed) << key;
    EXPECT_EQ(read(store, key), "failed") << key;
  }
}

TEST_F(FileStoreTest, FailsWhereItCannotWrite) {
  FileStore store(folder + "/missing/nvs");
  EXPECT_EQ(store.write("key", text("x")), StoreStatus::kFailed);
  EXPECT_EQ(store.erase_all(), StoreStatus::kFailed);
}

}  // namespace
}  // namespace salus
