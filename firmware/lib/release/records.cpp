#include "release/records.h"

#include <algorithm>
#include <array>

namespace salus::release {
namespace {

constexpr char kStateKey[] = "release";
constexpr char kTransferKey[] = "transfer";
constexpr std::uint8_t kFormat = 1;
constexpr std::size_t kSlotRecordBytes = 4 + kDigestBytes;
constexpr std::size_t kStateBytes = 5 + 8 + kSlots * kSlotRecordBytes;
constexpr std::size_t kTransferBytes = 4 + kSlotRecordBytes + 4;

// Little endian, whatever the processor: a store may be read by another board's program.
class Writer {
 public:
  explicit Writer(MutableBytes out) : out_(out) {}
  void byte(std::uint8_t value) { out_[at_++] = value; }
  void word(std::uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) byte(static_cast<std::uint8_t>(value >> shift));
  }
  void slot(const SlotRecord& record) {
    word(record.manifest_bytes);
    for (const std::uint8_t value : record.manifest_sha256) byte(value);
  }

 private:
  MutableBytes out_;
  std::size_t at_ = 0;
};

class Reader {
 public:
  explicit Reader(Bytes data) : data_(data) {}
  std::uint8_t byte() { return data_[at_++]; }
  std::uint32_t word() {
    std::uint32_t value = 0;
    for (int shift = 0; shift < 32; shift += 8) value |= static_cast<std::uint32_t>(byte()) << shift;
    return value;
  }
  SlotRecord slot() {
    SlotRecord record;
    record.manifest_bytes = word();
    for (std::uint8_t& value : record.manifest_sha256) value = byte();
    return record;
  }

 private:
  Bytes data_;
  std::size_t at_ = 0;
};

// kOk: `data` is full and of our format.
StoreStatus read(const Store& store, const char* key, MutableBytes data) {
  std::size_t size = 0;
  const StoreStatus status = store.read(key, data, size);
  if (status == StoreStatus::kMissing) return status;
  return status == StoreStatus::kOk && size == data.size() && data[0] == kFormat ? StoreStatus::kOk
                                                                                 : StoreStatus::kFailed;
}

bool is_slot(std::uint8_t slot, const std::uint8_t (&among)[2]) {
  return slot == kNoSlot || slot == among[0] || slot == among[1];
}

}  // namespace

StoreStatus load(const Store& store, State& state) {
  std::array<std::uint8_t, kStateBytes> data{};
  const StoreStatus status = read(store, kStateKey, MutableBytes(data.data(), data.size()));
  if (status != StoreStatus::kOk) return status;
  Reader reader(Bytes(data.data(), data.size()));
  State found;
  (void)reader.byte();
  found.base = reader.byte();
  found.personal = reader.byte();
  const std::uint8_t trial = reader.byte();
  found.crashes = reader.byte();
  found.base_floor = reader.word();
  found.personal_floor = reader.word();
  for (SlotRecord& slot : found.slots) slot = reader.slot();
  if (!is_slot(found.base, kBaseSlots) || !is_slot(found.personal, kPersonalSlots)) return StoreStatus::kFailed;
  if (trial > static_cast<std::uint8_t>(Trial::kPersonal)) return StoreStatus::kFailed;
  found.trial = static_cast<Trial>(trial);
  state = found;
  return StoreStatus::kOk;
}

StoreStatus load(const Store& store, Transfer& transfer) {
  std::array<std::uint8_t, kTransferBytes> data{};
  const StoreStatus status = read(store, kTransferKey, MutableBytes(data.data(), data.size()));
  if (status != StoreStatus::kOk) return status;
  Reader reader(Bytes(data.data(), data.size()));
  Transfer found;
  (void)reader.byte();
  found.slot = reader.byte();
  found.factory = reader.byte() != 0;
  found.tests = reader.byte();
  found.record = reader.slot();
  found.received_bytes = reader.word();
  if (found.slot >= kSlots) return StoreStatus::kFailed;
  transfer = found;
  return StoreStatus::kOk;
}

bool save(Store& store, const State& state) {
  std::array<std::uint8_t, kStateBytes> data{};
  Writer writer(MutableBytes(data.data(), data.size()));
  writer.byte(kFormat);
  writer.byte(state.base);
  writer.byte(state.personal);
  writer.byte(static_cast<std::uint8_t>(state.trial));
  writer.byte(state.crashes);
  writer.word(state.base_floor);
  writer.word(state.personal_floor);
  for (const SlotRecord& slot : state.slots) writer.slot(slot);
  return store.write(kStateKey, Bytes(data.data(), data.size())) == StoreStatus::kOk;
}

bool save(Store& store, const Transfer& transfer) {
  std::array<std::uint8_t, kTransferBytes> data{};
  Writer writer(MutableBytes(data.data(), data.size()));
  writer.byte(kFormat);
  writer.byte(transfer.slot);
  writer.byte(transfer.factory ? 1 : 0);
  writer.byte(transfer.tests);
  writer.slot(transfer.record);
  writer.word(transfer.received_bytes);
  return store.write(kTransferKey, Bytes(data.data(), data.size())) == StoreStatus::kOk;
}

bool forget_transfer(Store& store) {
  const StoreStatus status = store.erase(kTransferKey);
  return status == StoreStatus::kOk || status == StoreStatus::kMissing;
}

}  // namespace salus::release
