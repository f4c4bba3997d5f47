#include "board_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace salus {
namespace {

constexpr mode_t kOwnerOnly = 0600;  // values are secrets too

// A key is a file's name, so it holds nothing that a path could be made of.
bool valid(const char* key) {
  const std::size_t length = std::strlen(key);
  return length > 0 && length <= Store::kMaxKeyLength && key[0] != '.' && std::strchr(key, '/') == nullptr;
}

bool write_all(int file, Bytes value) {
  for (std::size_t at = 0; at < value.size();) {
    const ssize_t size = ::write(file, value.data() + at, value.size() - at);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return false;
    at += static_cast<std::size_t>(size);
  }
  return true;
}

}  // namespace

FileStore::FileStore(std::string folder) : folder_(std::move(folder)) { mkdir(folder_.c_str(), 0700); }

StoreStatus FileStore::read(const char* key, MutableBytes out, std::size_t& size) const {
  size = 0;
  if (!valid(key)) return StoreStatus::kFailed;
  const int file = open((folder_ + "/" + key).c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return errno == ENOENT ? StoreStatus::kMissing : StoreStatus::kFailed;
  struct stat about {};
  StoreStatus status = fstat(file, &about) == 0 ? StoreStatus::kOk : StoreStatus::kFailed;
  const auto stored = static_cast<std::size_t>(about.st_size);
  if (status == StoreStatus::kOk && stored > out.size()) status = StoreStatus::kTooLarge;
  if (status == StoreStatus::kOk && ::read(file, out.data(), stored) != static_cast<ssize_t>(stored)) {
    status = StoreStatus::kFailed;
  }
  close(file);
  if (status != StoreStatus::kFailed) size = stored;
  return status;
}

StoreStatus FileStore::write(const char* key, Bytes value) {
  if (!valid(key)) return StoreStatus::kFailed;
  const std::string path = folder_ + "/" + key, fresh = folder_ + "/.new";
  const int file = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kOwnerOnly);
  if (file < 0) return StoreStatus::kFailed;
  const bool written = write_all(file, value);
  const bool closed = close(file) == 0;
  if (!written || !closed || std::rename(fresh.c_str(), path.c_str()) != 0) return StoreStatus::kFailed;
  return StoreStatus::kOk;
}

StoreStatus FileStore::erase(const char* key) {
  if (!valid(key)) return StoreStatus::kFailed;
  if (unlink((folder_ + "/" + key).c_str()) == 0) return StoreStatus::kOk;
  return errno == ENOENT ? StoreStatus::kMissing : StoreStatus::kFailed;
}

StoreStatus FileStore::erase_all() {
  DIR* folder = opendir(folder_.c_str());
  if (folder == nullptr) return StoreStatus::kFailed;
  StoreStatus status = StoreStatus::kOk;
  while (const dirent* entry = readdir(folder)) {
    if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
    if (unlink((folder_ + "/" + entry->d_name).c_str()) != 0) status = StoreStatus::kFailed;
  }
  closedir(folder);
  return status;
}

}  // namespace salus
