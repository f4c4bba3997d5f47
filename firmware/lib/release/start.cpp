// What an Updater does at a start: find a whole model, whatever was under way when the power went.
#include "release/updater.h"

namespace salus::release {

ReleaseStatus Updater::start(ResetCause cause) {
  report_ = Outcome();
  active_ = ActiveModel();
  personal_ = ActiveModel();
  base_template_ = Bytes();
  state_ = State();
  transfer_ = Transfer();
  incoming_ = Incoming();
  if (!slots_.usable() || load(parts_.store, state_) == StoreStatus::kFailed) return ReleaseStatus::kFlashFailed;
  count_crash(cause);
  open_base();
  open_personal();
  resume_transfer();
  return has_model() ? ReleaseStatus::kOk : ReleaseStatus::kNoModel;
}

void Updater::count_crash(ResetCause cause) {
  const bool crashed = cause == ResetCause::kCrash || cause == ResetCause::kWatchdog;
  if (!crashed || state_.trial == Trial::kNone || state_.crashes >= kMaxCrashes) return;
  ++state_.crashes;
  (void)save(parts_.store, state_);  // should it fail, there is one more crash before the way back
}

void Updater::open_base() {
  if (state_.base == kNoSlot) return;
  const std::uint8_t tried = state_.base;
  const auto before = static_cast<std::uint8_t>(kBaseSlots[0] + kBaseSlots[1] - tried);
  const bool crashing = state_.trial == Trial::kBase && state_.crashes >= kMaxCrashes;
  Offer offer;
  if (!crashing && open(tried, offer)) {
    activate(tried, offer.manifest);
    return;
  }
  Offer failed;
  const bool legible = read_slot(tried, state_.slots[tried], failed);
  report_ = said(Progress::kRefused, false, legible ? failed.manifest.model.version : state_.base_floor,
                 ReleaseStatus::kRolledBack);
  Offer fallback;
  const bool rolled_back = open(before, fallback);
  if (!rolled_back && !(crashing && open(tried, fallback))) return;
  // A base that crashes is still better than none: without another one it goes on, no more on trial.
  State next = state_;
  next.base = rolled_back ? before : tried;
  if (rolled_back) next.personal = kNoSlot;
  next.trial = Trial::kNone;
  next.crashes = 0;
  (void)save(parts_.store, next);  // should it fail, the next start comes to the same end
  state_ = next;
  activate(next.base, fallback.manifest);
  if (!rolled_back) report_ = Outcome();
}

void Updater::open_personal() {
  if (state_.personal == kNoSlot) return;
  const std::uint8_t tried = state_.personal;
  const bool crashing = state_.trial == Trial::kPersonal && state_.crashes >= kMaxCrashes;
  Offer offer;
  if (has_model() && !crashing && open(tried, offer)) {
    activate(tried, offer.manifest);
    return;
  }
  Offer failed;
  const bool legible = read_slot(tried, state_.slots[tried], failed);
  if (report_.progress == Progress::kNothing) {
    report_ = said(Progress::kRefused, true, legible ? failed.manifest.model.version : state_.personal_floor,
                   ReleaseStatus::kRolledBack);
  }
  State next = state_;
  next.personal = kNoSlot;
  if (next.trial == Trial::kPersonal) {
    next.trial = Trial::kNone;
    next.crashes = 0;
  }
  (void)save(parts_.store, next);
  state_ = next;
}

void Updater::resume_transfer() {
  if (load(parts_.store, transfer_) != StoreStatus::kOk) {
    (void)forget_transfer(parts_.store);
    return;
  }
  Offer offer;
  const bool done = transfer_.slot == state_.base || transfer_.slot == state_.personal;
  if (done || !read_slot(transfer_.slot, transfer_.record, offer) ||
      transfer_.received_bytes > offer.manifest.size_bytes) {
    forget();
    return;
  }
  const Manifest& manifest = offer.manifest;
  incoming_ = {manifest.model.sha256, manifest.model.version, manifest.size_bytes, manifest.personal};
  if (transfer_.received_bytes == incoming_.size_bytes) report_ = finish();
}

bool Updater::read_slot(std::uint8_t slot, const SlotRecord& record, Offer& offer) const {
  if (record.manifest_bytes == 0 || record.manifest_bytes > slots_.manifest_capacity(slot)) return false;
  const Bytes stored = slots_.manifest(slot, record.manifest_bytes);
  if (salus::sha256(stored) != record.manifest_sha256) return false;
  read_offer(stored, offer);
  return offer.readable == ReleaseStatus::kOk && check_form(offer.manifest) == ReleaseStatus::kOk;
}

bool Updater::open(std::uint8_t slot, Offer& offer) {
  if (!read_slot(slot, state_.slots[slot], offer)) return false;
  const Manifest& manifest = offer.manifest;
  if (manifest.personal != (slot >= kPersonalSlots[0])) return false;
  Bench bench{parts_.trial_engine, parts_.trial_arena, parts_.scratch};
  return check_model(manifest, base_template_, slots_.model(slot, manifest.size_bytes), bench) == ReleaseStatus::kOk;
}

}  // namespace salus::release
