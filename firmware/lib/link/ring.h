// The bounded, persistent ring of sealed packets: one leaves it on the gateway's sealed ack, or by overflow.
#pragma once

#include <cstdint>

#include "board/board.h"
#include "link/messages.h"
#include "link/ring_record.h"
#include "link/sealer.h"
#include "link/status.h"
#include "link/topics.h"

namespace salus {

// Where a packet lies; the same as long as it is in the ring.
struct RingPosition {
  std::uint32_t generation = 0;  // of its sector: counts up for ever
  std::uint32_t offset = 0;      // of its record in that sector
};

struct RingPacket {
  RingPosition at;
  Kind kind;
  std::uint32_t boot;
  std::uint64_t sequence;
  std::size_t size;  // of its payload
};

// A log over all sectors of a partition. The sector after the newest is always blank; to go on into it, its header is
// written with the count of what the oldest sector still holds added to the dropped ones, and then that sector is
// erased. So a power cut loses no packet of which `append` said kOk, other than the oldest when the ring is full, and
// these are counted. All is kept in flash; the object itself holds positions and counts only.
class Ring {
 public:
  static constexpr std::uint32_t kMinSectors = 3;
  static constexpr std::uint32_t kMinSectorBytes = 256;

  Ring() = default;

  // Find what is there, and put right what a power cut left half done. A partition with nothing of a ring in it is
  // made one. kMalformed: it is too small; kFlashFailed.
  [[nodiscard]] LinkStatus mount(Partition& partition);
  // Forget all packets and the count of dropped ones: at enrolment.
  [[nodiscard]] LinkStatus format(Partition& partition);

  // Keep a packet, durable when this is kOk; the oldest sector's are dropped when there is no room. kTooLarge;
  // kMalformed when it is not newer than the one before; kFlashFailed: it may or may not be kept.
  [[nodiscard]] LinkStatus append(Kind kind, const Sealed& sealed);

  // The oldest packet after `position`, or after nothing. False when there is none.
  [[nodiscard]] bool first(RingPacket& packet) const;
  [[nodiscard]] bool after(const RingPosition& position, RingPacket& packet) const;
  // Whether it still waits for its ack.
  [[nodiscard]] bool waits(const RingPacket& packet) const;
  // Its payload, into the first `packet.size` bytes of `out`. kGone when it has left meanwhile, and also when flash has
  // changed under it: such a one leaves, and is counted as dropped. kTooLarge, kFlashFailed.
  [[nodiscard]] LinkStatus read(const RingPacket& packet, MutableBytes out);

  // Let go of what the gateway has or never wants; how many that were. What a power cut undoes is sent and acknowledged
  // again.
  std::size_t acknowledge(const AckRange& range);
  bool acknowledge(const AckRefusal& refusal);

  // Let go of the oldest that waits, and count it as dropped: for a bound in packets, below what the flash holds. False
  // when there is none, or flash does not say so.
  bool drop_oldest();

  [[nodiscard]] std::size_t packets() const { return packets_; }            // that wait for an ack
  [[nodiscard]] std::size_t high_water() const { return high_water_; }      // the most since `mount`
  [[nodiscard]] std::uint64_t dropped() const { return dropped_ + lost_; }  // since `format`
  // Payload bytes that fit without a drop, at least: a host that injects waits until there is room.
  [[nodiscard]] std::size_t free_bytes() const;
  [[nodiscard]] std::size_t max_payload_bytes() const;  // of one packet

 private:
  enum class Found : std::uint8_t { kYes, kNo, kFailed };
  struct Record {
    ring::RecordHeader header;
    bool committed;
    bool waits;
    bool lost;
  };

  [[nodiscard]] bool mount_again();

  // ring_mount.cpp: what a start finds
  [[nodiscard]] bool begin(std::uint32_t sector);
  [[nodiscard]] Found find_newest(ring::SectorHeader& newest);
  [[nodiscard]] bool find_oldest();
  [[nodiscard]] bool find_records();
  [[nodiscard]] bool find_head(const RingPosition& end);
  [[nodiscard]] bool used_bytes(std::uint32_t sector, std::uint32_t& used) const;
  [[nodiscard]] bool make_blank(std::uint32_t sector);

  // ring_log.cpp: records, one after another through the sectors
  [[nodiscard]] std::uint32_t sector_of(std::uint32_t generation) const;
  [[nodiscard]] std::size_t address(const RingPosition& at) const;
  [[nodiscard]] Found read_sector(std::uint32_t sector, ring::SectorHeader& header) const;
  [[nodiscard]] Found read_record(RingPosition& at, Record& record) const;
  [[nodiscard]] Found next_record(RingPosition& at, Record& record) const;
  [[nodiscard]] Found next_waiting(RingPosition& at, RingPacket& packet) const;
  [[nodiscard]] RingPosition end_of(const RingPosition& at, std::size_t size) const;
  [[nodiscard]] bool copy_payload(RingPosition at, MutableBytes out, bool& whole) const;
  [[nodiscard]] bool write_record(Kind kind, const Sealed& sealed);
  [[nodiscard]] bool write_payload(Bytes payload);
  [[nodiscard]] bool enter_next_sector(std::size_t record_bytes_left);
  [[nodiscard]] bool count_oldest_sector(std::size_t& waiting, std::size_t& lost) const;
  [[nodiscard]] bool mark(const RingPosition& at, std::uint32_t flag);
  bool let_go(const RingPosition& at);
  bool lose(const RingPosition& at);
  void forget_first();

  Partition* partition_ = nullptr;
  std::uint32_t sectors_ = 0;
  std::uint32_t sector_bytes_ = 0;
  std::uint32_t newest_sector_ = 0;
  std::uint32_t newest_generation_ = 0;
  std::uint32_t oldest_generation_ = 0;
  std::uint32_t head_ = 0;  // where in the newest sector the next record begins
  RingPosition first_{};    // no packet before this one waits
  std::uint32_t last_boot_ = 0;
  std::uint64_t last_sequence_ = 0;
  std::size_t packets_ = 0;
  std::size_t high_water_ = 0;
  std::uint64_t dropped_ = 0;  // with sectors that were erased
  std::uint64_t lost_ = 0;     // records dropped singly or found damaged, in sectors that are there
  bool sound_ = false;         // false after flash has failed, until a mount
};

}  // namespace salus
