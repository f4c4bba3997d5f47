#pragma once

#include <string>

#include "board/board.h"

namespace salus {

// One file for each key. A write is a rename, so a killed process leaves the old value or the new one; it waits for no
// disk, since what a process wrote outlives its end (not the host's: hundreds of wearables share one here).
class FileStore : public Store {
 public:
  explicit FileStore(std::string folder);  // made when missing
  [[nodiscard]] StoreStatus read(const char* key, MutableBytes out, std::size_t& size) const override;
  [[nodiscard]] StoreStatus write(const char* key, Bytes value) override;
  [[nodiscard]] StoreStatus erase(const char* key) override;
  [[nodiscard]] StoreStatus erase_all() override;

 private:
  std::string folder_;
};

}  // namespace salus
