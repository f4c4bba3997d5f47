#include "../../src/native/board_partition.h"
#include "folder.h"
#include "hex.h"

namespace salus {
namespace {

class FilePartitionTest : public InFolder {
 protected:
  std::string path() const { return folder + "/flash.bin"; }
  static std::string read(const FilePartition& flash, std::size_t offset, std::size_t size) {
    std::vector<std::uint8_t> bytes(size);
    return flash.read(offset, view(bytes)) ? hex(view(bytes)) : "failed";
  }
};

TEST_F(FilePartitionTest, IsErasedWhenNew) {
  FilePartition flash(path(), 8192);
  ASSERT_TRUE(flash.ready());
  EXPECT_EQ(flash.size_bytes(), 8192U);
  EXPECT_EQ(read(flash, 8188, 4), "ffffffff");
  EXPECT_EQ(flash.mapped()[0], 0xFF);
}

TEST_F(FilePartitionTest, KeepsWhatWasProgrammedAcrossStarts) {
  const auto data = unhex("0102030405");
  {
    FilePartition flash(path(), 8192);
    ASSERT_TRUE(flash.program(4094, view(data)));
  }
  FilePartition flash(path(), 8192);
  EXPECT_EQ(read(flash, 4093, 7), "ff0102030405ff");
}

TEST_F(FilePartitionTest, ClearsBitsAndErasesWholeSectors) {
  FilePartition flash(path(), 8192);
  const auto first = unhex("f0"), second = unhex("3c");
  ASSERT_TRUE(flash.program(5000, view(first)));
  ASSERT_TRUE(flash.program(5000, view(second)));
  EXPECT_EQ(read(flash, 5000, 1), "30");
  EXPECT_FALSE(flash.erase(5000, 4096));
  EXPECT_FALSE(flash.erase(4096, 100));
  ASSERT_TRUE(flash.erase(4096, 4096));
  EXPECT_EQ(read(flash, 5000, 1), "ff");
}

TEST_F(FilePartitionTest, KeepsInsideOfItself) {
  FilePartition flash(path(), 8192);
  const auto data = unhex("0000");
  EXPECT_FALSE(flash.program(8191, view(data)));
  EXPECT_FALSE(flash.erase(8192, 4096));
  EXPECT_FALSE(flash.erase(4096, SIZE_MAX - 4095));
  EXPECT_EQ(read(flash, 8191, 2), "failed");
  EXPECT_EQ(read(flash, SIZE_MAX, 2), "failed");
  EXPECT_EQ(read(flash, 8191, 1), "ff");
}

TEST_F(FilePartitionTest, IsNotReadyWhereItCannotBe) {
  FilePartition nowhere(folder + "/missing/flash.bin", 8192);
  EXPECT_FALSE(nowhere.ready());
  EXPECT_FALSE(nowhere.erase(0, 4096));
  EXPECT_FALSE(FilePartition(path(), 5000).ready());
}

}  // namespace
}  // namespace salus
