#pragma once

#include <string>

#include "board/board.h"

namespace salus {

// Flash in a file that is mapped into memory: a killed process leaves as much of an erase or a program as it had done.
class FilePartition : public Partition {
 public:
  static constexpr std::size_t kSectorBytes = 4096;

  // An erased file is made when there is none of this size; see `ready`.
  FilePartition(const std::string& path, std::size_t size_bytes);
  ~FilePartition() override;
  FilePartition(const FilePartition&) = delete;
  FilePartition& operator=(const FilePartition&) = delete;

  [[nodiscard]] bool ready() const { return data_ != nullptr; }
  [[nodiscard]] std::size_t size_bytes() const override { return size_bytes_; }
  [[nodiscard]] std::size_t sector_bytes() const override { return kSectorBytes; }
  [[nodiscard]] bool read(std::size_t offset, MutableBytes out) const override;
  [[nodiscard]] bool erase(std::size_t offset, std::size_t length) override;
  [[nodiscard]] bool program(std::size_t offset, Bytes data) override;
  [[nodiscard]] const std::uint8_t* mapped() const override { return data_; }

 private:
  [[nodiscard]] bool inside(std::size_t offset, std::size_t length) const;
  std::size_t size_bytes_;
  std::uint8_t* data_ = nullptr;
};

}  // namespace salus
