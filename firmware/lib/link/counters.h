// What must survive a reset so that no nonce is used twice and nothing that was heard counts again.
#pragma once

#include <cstdint>

#include "board/board.h"
#include "link/status.h"
#include "link/topics.h"

namespace salus {

// One value in the store, so that each change is durable whole: whose secret it counts for, the boot number, and the
// newest packet heard of each downward kind.
class Counters {
 public:
  static constexpr const char* kKey = "link.counters";

  explicit Counters(Store& store) : store_(store) {}

  // Count for this 32-byte secret: from 0 when it is another than before, else on from where it was. A secret is given
  // once: nothing here can know one from before a factory erase, or before the last, and would repeat its nonces.
  [[nodiscard]] LinkStatus enrol(Bytes secret);

  // Take the next boot number, once after each start; durable when this is kOk, and else nothing may be sealed.
  // kNotEnrolled, kUsedUp, kStoreFailed.
  [[nodiscard]] LinkStatus start(Bytes secret);

  // 0 before `start`.
  [[nodiscard]] std::uint32_t boot() const { return started_ ? record_.boot : 0; }

  // Take note of a genuine packet; durable when this is kOk, and only then may it be acted on: what a power cut
  // swallows after that, the gateway sends again. kReplayed when it is not newer than all before on its kind; kinds
  // count apart, since MQTT keeps order within a topic only.
  [[nodiscard]] LinkStatus accept(Kind kind, std::uint32_t boot, std::uint64_t sequence);

 private:
  static constexpr std::size_t kIdBytes = 16;
  static constexpr std::size_t kHeard = 3;
  struct Position {
    std::uint32_t boot;
    std::uint64_t sequence;
  };
  struct Record {
    std::uint8_t id[kIdBytes];
    std::uint32_t boot;
    Position heard[kHeard];
  };

  static constexpr std::size_t kRecordBytes = kIdBytes + 4 + kHeard * 12;

  static void identify(Bytes secret, Record& record);
  [[nodiscard]] LinkStatus load(Bytes secret, Record& record) const;
  [[nodiscard]] LinkStatus save(const Record& record);

  Store& store_;
  Record record_{};
  bool started_ = false;
};

}  // namespace salus
