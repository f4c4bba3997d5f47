// Releases on a wearable: what comes is received into a free slot, checked whole, run on its golden inputs, and only
// then made active by one atomic write. Whatever fails, and wherever the power goes, a whole model stays active.
//
// The partition holds four slots: base A and B, personal A and B. Each starts with the signed manifest, then the model,
// which runs from there: the partition must be mapped. What is active stands in the store (keys `release`, `transfer`).
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/span.h"
#include "board/board.h"
#include "crypto/crypto.h"
#include "engine/engine.h"
#include "release/model.h"
#include "release/records.h"
#include "release/status.h"

namespace salus::release {

// What the wearable says of a release, as `ReleaseStatus` in link.proto; kNothing: nothing is to be said.
enum class Progress : std::uint8_t { kNothing, kReceiving, kActive, kRefused };

struct Outcome {
  Progress progress = Progress::kNothing;
  bool personal = false;
  std::uint32_t version = 0;
  std::uint32_t next_offset = 0;                // while kReceiving
  ReleaseStatus status = ReleaseStatus::kOk;    // while kRefused: why
  bool swapped = false;                         // active() or personal() is another one than before: load it
  bool tested = false;                          // the trial engine and its arena were used
};

// What a wearable was enrolled with. Empty keys match no signature; an empty chain id matches none.
struct Trust {
  Bytes release_public_key;
  Bytes gateway_public_key;
  Bytes chain_id;
};

struct UpdaterParts {
  Partition& partition;
  Store& store;
  Engine& trial_engine;      // runs golden inputs; nobody else's, or loaded anew after each `Outcome.tested`
  MutableBytes trial_arena;  // as large as the arena in which models run here
  MutableBytes scratch;      // one golden output: at least kMaxOutputBytes
};

class Updater {
 public:
  static constexpr std::size_t kMaxSignedManifestBytes = 16 * 1024 - 64;
  static constexpr std::size_t kMaxOutputBytes = 1024;
  static constexpr std::uint8_t kMaxCrashes = 3;

  Updater(const UpdaterParts& parts, const Trust& trust);

  // Keys that came later, by a new provisioning.
  void set_trust(const Trust& trust) { trust_ = trust; }

  // Find the active models and check them whole. A base that fails its check, or with which the device has crashed
  // kMaxCrashes times since its swap without a `confirm`, gives way to the one before it. A transfer that was whole
  // when the power went is finished. kNoModel: provision one. `report` then says what the gateway should hear.
  [[nodiscard]] ReleaseStatus start(ResetCause cause = ResetCause::kUnknown);
  [[nodiscard]] const Outcome& report() const { return report_; }

  // A serialised ReleaseMessage from the gateway: `offer` or `chunk` below; anything else is refused as kMalformed.
  Outcome receive(Bytes message);
  // A serialised SignedManifest. kReceiving: send from next_offset. kActive: it runs already.
  Outcome offer(Bytes signed_manifest);
  // The next bytes of the model. kNothing: not wanted (a duplicate, or of another release).
  Outcome chunk(Bytes sha256, std::uint32_t offset, Bytes data);
  // As `receive`, from a factory: only while there is no model at all, a base needs neither signature nor chain id.
  Outcome provision(Bytes message);

  // Where a transfer under way stands, to say again when the gateway falls silent.
  [[nodiscard]] Outcome status() const;

  // The new base has done its work since the start (a feature was made and sealed): no more on trial.
  void confirm();

  [[nodiscard]] bool has_model() const { return active_.version != 0; }
  // Only where has_model().
  [[nodiscard]] const ActiveModel& active() const { return active_; }
  // nullptr without one.
  [[nodiscard]] const ActiveModel* personal() const { return personal_.version != 0 ? &personal_ : nullptr; }

  // The largest model that a base slot takes.
  [[nodiscard]] std::size_t base_capacity_bytes() const;
  [[nodiscard]] std::size_t personal_capacity_bytes() const;
};

}  // namespace salus::release
