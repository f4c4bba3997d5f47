// A Store on a flash partition, for boards without one such as ESP-IDF's NVS.
//
// The partition has two halves. One is in use: a log of records (key, value or erasure, CRC), the last of a key counts.
// When it is full, what still counts is copied to the other half, whose header, written last, puts it in use. So a
// power cut anywhere leaves the old value or the new one.
#pragma once

#include "board/board.h"

namespace salus {

class PartitionStore : public Store {
 public:
  static constexpr std::size_t kMaxKeys = 64;
  static constexpr std::size_t kMaxValueBytes = 16U << 10;

  explicit PartitionStore(Partition& flash) : flash_(flash) {}

  // Find the half in use, or make one of an erased or foreign partition. Before anything else; false when the flash
  // fails or is too small to be halved.
  [[nodiscard]] bool mount();

  [[nodiscard]] StoreStatus read(const char* key, MutableBytes out, std::size_t& size) const override;
  [[nodiscard]] StoreStatus write(const char* key, Bytes value) override;
  [[nodiscard]] StoreStatus erase(const char* key) override;
  [[nodiscard]] StoreStatus erase_all() override;

 private:
  struct Record {
    char key[kMaxKeyLength];
    std::size_t key_length;
    std::size_t value_bytes;
    std::size_t value_at;  // from the start of the partition
    bool erased;
    bool valid;  // its header and key could be a record's
    std::uint32_t crc;

    [[nodiscard]] std::size_t end() const;
  };
  // What is to be recorded.
  struct Entry {
    const char* key;
    Bytes value;
    bool erased;
  };

  [[nodiscard]] std::size_t half_bytes() const { return flash_.size_bytes() / 2; }
  [[nodiscard]] std::size_t half_end(std::size_t half) const { return half + half_bytes(); }
  [[nodiscard]] bool read_generation(std::size_t half, std::uint32_t& generation) const;
  [[nodiscard]] bool put_in_use(std::size_t half, std::uint32_t generation);
  [[nodiscard]] bool load();
  // These three are false when the flash cannot be read; what they found is in their last argument.
  [[nodiscard]] bool read_record(std::size_t at, Record& record) const;
  [[nodiscard]] bool check(const Record& record, bool& intact) const;
  [[nodiscard]] bool look(std::size_t from, std::size_t to, bool& blank) const;
  [[nodiscard]] bool index(const Record& record, std::size_t at);
  // The key's place in the index, or the first free one; false when the flash fails, so that nothing is taken for
  // missing.
  [[nodiscard]] bool find(const char* key, std::size_t& place) const;
  [[nodiscard]] StoreStatus put(const Entry& entry);
  [[nodiscard]] bool append(std::size_t at, const Entry& entry);
  // Move to the other half all that counts but `entry.key`, then `entry`; with none, nothing at all is moved.
  [[nodiscard]] bool compact(const Entry* entry);
  [[nodiscard]] bool copy(const Record& record, std::size_t from, std::size_t to);

  Partition& flash_;
  std::size_t half_ = 0;  // where the one in use begins
  std::size_t end_ = 0;   // where its next record goes; half_end() when none may follow
  std::uint32_t generation_ = 0;
  std::size_t keys_ = 0;
  std::size_t records_[kMaxKeys] = {};  // where the record of each key that has a value begins
};

}  // namespace salus
