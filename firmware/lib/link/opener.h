// Opening what the wearable hears, each packet once.
#pragma once

#include "link/counters.h"
#include "link/keys.h"
#include "link/status.h"
#include "link/topics.h"

namespace salus {

// A packet that proved genuine: `plaintext` is in the buffer that the caller gave.
struct Opened {
  std::uint32_t boot;
  std::uint64_t sequence;
  Bytes plaintext;
};

// Open a payload that came on `topic`, whether or not it came before. `out` may be the payload's own buffer, and is
// never smaller than the payload needs: payload.size() bytes always do. kTooLarge, kTruncated, kMalformed,
// kWrongVersion, kWrongKey as in edge/salus_edge/link/seal.py.
[[nodiscard]] LinkStatus open_packet(Bytes key, const char* topic, Bytes payload, MutableBytes out, Opened& opened);

class Opener {
 public:
  explicit Opener(Counters& counters) : counters_(counters) {}
  ~Opener();
  Opener(const Opener&) = delete;
  Opener& operator=(const Opener&) = delete;

  // kMalformed: a key that is not 32 bytes.
  [[nodiscard]] LinkStatus start(Bytes key);

  // Open a packet of a downward kind that is newer than all before; it counts as heard, durably, when this is kOk.
  // Besides what `open_packet` answers: kReplayed, kStoreFailed, and kMalformed for a kind that does not come down.
  [[nodiscard]] LinkStatus open(Kind kind, const char* topic, Bytes payload, MutableBytes out, Opened& opened);

 private:
  Counters& counters_;
  LinkKey key_{};
};

}  // namespace salus
