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
#include "release/checks.h"
#include "release/model.h"
#include "release/records.h"
#include "release/slots.h"
#include "release/status.h"

namespace salus::release {

// What the wearable says of a release, as `ReleaseStatus` in link.proto; kNothing: nothing is to be said.
enum class Progress : std::uint8_t { kNothing, kReceiving, kActive, kRefused };

struct Outcome {
  Progress progress = Progress::kNothing;
  bool personal = false;
  std::uint32_t version = 0;
  std::uint32_t next_offset = 0;  // while kReceiving
  // While kRefused: why. kMalformed with kNothing: the message was none, which is counted, not said.
  ReleaseStatus status = ReleaseStatus::kOk;
  bool swapped = false;  // active() or personal() is another one than before: load it
  bool tested = false;   // the trial engine and its arena were used
};

struct UpdaterParts {
  Partition& partition;
  Store& store;
  Engine& trial_engine;      // runs golden inputs; nobody else's, or loaded anew after each `Outcome.tested`
  MutableBytes trial_arena;  // as large as the arena in which models run here
  MutableBytes scratch;      // one golden output: a feature, or logits
};

class Updater {
 public:
  static constexpr std::uint8_t kMaxCrashes = 3;

  Updater(const UpdaterParts& parts, const Trust& trust);

  // Keys that came later, by a new provisioning.
  void set_trust(const Trust& trust) { trust_ = trust; }

  // Find the active models and check them whole. A base that fails its check, or with which the device has crashed
  // kMaxCrashes times since its swap without a `confirm`, gives way to the one before it. A transfer that was whole
  // when the power went is finished. `report` then says what the gateway should hear.
  // kNoModel: none is there; kFlashFailed: partition or store cannot be used.
  [[nodiscard]] ReleaseStatus start(ResetCause cause = ResetCause::kUnknown);
  [[nodiscard]] const Outcome& report() const { return report_; }

  // A serialised ReleaseMessage from the gateway: `offer` or `chunk` below.
  Outcome receive(Bytes message);
  // A serialised SignedManifest. kReceiving: send from next_offset. kActive: it runs already.
  Outcome offer(Bytes signed_manifest) { return offer(signed_manifest, false); }
  // The next bytes of the model. kNothing: not wanted (a duplicate, or of another release).
  Outcome chunk(Bytes sha256, std::uint32_t offset, Bytes data);
  // As `receive`, in a factory: for the very first model, a base, neither signature nor chain id is asked. From then on
  // this is `receive`, also when all slots are damaged; only erasing the store makes the device new.
  Outcome provision(Bytes message);

  // Where a transfer under way stands, to say again when the gateway falls silent.
  [[nodiscard]] Outcome status() const;

  // The new model has done its work since the start (a feature was made and sealed): no more on trial.
  void confirm();

  [[nodiscard]] bool has_model() const { return active_.version != 0; }
  // Only where has_model().
  [[nodiscard]] const ActiveModel& active() const { return active_; }
  // nullptr without one.
  [[nodiscard]] const ActiveModel* personal() const { return personal_.version != 0 ? &personal_ : nullptr; }

 private:
  // Of the transfer under way, read from its slot.
  struct Incoming {
    Digest sha256{};
    std::uint32_t version = 0;
    std::uint32_t size_bytes = 0;
    bool personal = false;
  };

  [[nodiscard]] bool is_new() const { return state_.base == kNoSlot && state_.base_floor == 0; }
  [[nodiscard]] bool is_running(const Manifest& manifest) const;
  [[nodiscard]] Place place(bool personal, bool factory) const;
  [[nodiscard]] std::uint8_t free_slot(bool personal) const;
  [[nodiscard]] Outcome said(Progress progress, bool personal, std::uint32_t version, ReleaseStatus status) const;
  [[nodiscard]] Outcome receiving() const;

  Outcome dispatch(Bytes message, bool factory);
  Outcome offer(Bytes signed_manifest, bool factory);
  Outcome begin(Bytes signed_manifest, const Offer& offer, bool factory);
  Outcome finish();
  Outcome refuse_transfer(ReleaseStatus status);
  [[nodiscard]] ReleaseStatus check_received(Offer& offer, bool& tested);
  Outcome swap(const Manifest& manifest);

  void count_crash(ResetCause cause);
  void open_base();
  void open_personal();
  void resume_transfer();
  void forget();
  [[nodiscard]] bool read_slot(std::uint8_t slot, const SlotRecord& record, Offer& offer) const;
  [[nodiscard]] bool open(std::uint8_t slot, Offer& offer);
  void activate(std::uint8_t slot, const Manifest& manifest);

  UpdaterParts parts_;
  Trust trust_;
  Slots slots_;
  State state_;
  Transfer transfer_;
  Incoming incoming_;
  ActiveModel active_;
  ActiveModel personal_;
  Bytes base_template_;
  Outcome report_;
};

}  // namespace salus::release
