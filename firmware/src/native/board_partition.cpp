#include "board_partition.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

namespace salus {
namespace {

bool has_size(const std::string& path, std::size_t size_bytes) {
  struct stat about {};
  return stat(path.c_str(), &about) == 0 && static_cast<std::size_t>(about.st_size) == size_bytes;
}

// Under another name first: a process killed here leaves no half partition.
bool make_erased(const std::string& path, std::size_t size_bytes) {
  const std::string fresh = path + ".new";
  std::FILE* file = std::fopen(fresh.c_str(), "wb");
  if (file == nullptr) return false;
  std::uint8_t sector[FilePartition::kSectorBytes];
  std::memset(sector, 0xFF, sizeof sector);
  bool written = true;
  for (std::size_t at = 0; written && at < size_bytes; at += sizeof sector) {
    written = std::fwrite(sector, sizeof sector, 1, file) == 1;
  }
  const bool closed = std::fclose(file) == 0;
  return written && closed && std::rename(fresh.c_str(), path.c_str()) == 0;
}

}  // namespace

FilePartition::FilePartition(const std::string& path, std::size_t size_bytes) : size_bytes_(size_bytes) {
  if (size_bytes % kSectorBytes != 0) return;
  if (!has_size(path, size_bytes) && !make_erased(path, size_bytes)) return;
  const int file = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return;
  void* mapping = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (mapping != MAP_FAILED) data_ = static_cast<std::uint8_t*>(mapping);
}

FilePartition::~FilePartition() {
  if (data_ != nullptr) munmap(data_, size_bytes_);
}

bool FilePartition::inside(std::size_t offset, std::size_t length) const {
  return data_ != nullptr && offset <= size_bytes_ && length <= size_bytes_ - offset;
}

bool FilePartition::read(std::size_t offset, MutableBytes out) const {
  if (!inside(offset, out.size())) return false;
  if (!out.empty()) std::memcpy(out.data(), data_ + offset, out.size());
  return true;
}

bool FilePartition::erase(std::size_t offset, std::size_t length) {
  if (!inside(offset, length) || offset % kSectorBytes != 0 || length % kSectorBytes != 0) return false;
  std::memset(data_ + offset, 0xFF, length);
  return true;
}

bool FilePartition::program(std::size_t offset, Bytes data) {
  if (!inside(offset, data.size())) return false;
  for (std::size_t at = 0; at < data.size(); ++at) {
    data_[offset + at] = static_cast<std::uint8_t>(data_[offset + at] & data[at]);
  }
  return true;
}

}  // namespace salus
