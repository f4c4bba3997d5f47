#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace salus {

// A test with a folder of its own, gone after it.
class InFolder : public testing::Test {
 protected:
  void SetUp() override {
    folder = testing::TempDir() + "salus-test-XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::string folder;
};

}  // namespace salus
