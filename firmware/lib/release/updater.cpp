#include "release/updater.h"

#include <algorithm>

#include "release/wire.h"

namespace salus::release {
namespace {

// Fields of ReleaseMessage and Chunk in release.proto.
constexpr std::uint32_t kOfferField = 1;
constexpr std::uint32_t kChunkField = 2;
constexpr std::uint32_t kChunkSha256Field = 1;
constexpr std::uint32_t kChunkOffsetField = 2;
constexpr std::uint32_t kChunkDataField = 3;

bool same(Bytes left, const Digest& right) {
  return left.size() == right.size() && std::equal(right.begin(), right.end(), left.begin());
}

}  // namespace

Updater::Updater(const UpdaterParts& parts, const Trust& trust)
    : parts_(parts), trust_(trust), slots_(parts.partition) {}

Outcome Updater::receive(Bytes message) { return dispatch(message, false); }

Outcome Updater::provision(Bytes message) { return dispatch(message, is_new()); }

Outcome Updater::dispatch(Bytes message, bool factory) {
  Outcome nothing;
  nothing.status = ReleaseStatus::kMalformed;
  Fields fields(message);
  while (fields.next()) {
    if (fields.number() == kOfferField && fields.has_bytes()) return offer(fields.bytes(), factory);
    if (fields.number() != kChunkField || !fields.has_bytes()) continue;
    Bytes digest;
    Bytes data;
    std::uint64_t offset = 0;
    Fields chunk_fields(fields.bytes());
    while (chunk_fields.next()) {
      if (chunk_fields.number() == kChunkSha256Field) digest = chunk_fields.bytes();
      if (chunk_fields.number() == kChunkOffsetField) offset = chunk_fields.varint();
      if (chunk_fields.number() == kChunkDataField) data = chunk_fields.bytes();
    }
    if (chunk_fields.broken() || offset > UINT32_MAX) return nothing;
    return chunk(digest, static_cast<std::uint32_t>(offset), data);
  }
  return nothing;
}

Outcome Updater::offer(Bytes signed_manifest, bool factory) {
  Offer offered;
  read_offer(signed_manifest, offered);
  const bool personal = offered.manifest.personal;
  const std::uint32_t version = offered.manifest.model.version;
  if (is_running(offered.manifest)) return said(Progress::kActive, personal, version, ReleaseStatus::kOk);
  if (!slots_.usable()) return said(Progress::kRefused, personal, version, ReleaseStatus::kFlashFailed);
  ReleaseStatus status = check_offer(offered, trust_, place(personal, factory));
  if (status == ReleaseStatus::kOk && signed_manifest.size() > slots_.manifest_capacity(free_slot(personal))) {
    status = ReleaseStatus::kWrongSize;
  }
  if (status != ReleaseStatus::kOk) return said(Progress::kRefused, personal, version, status);
  return begin(signed_manifest, offered, factory);
}

Outcome Updater::begin(Bytes signed_manifest, const Offer& offer, bool factory) {
  const Manifest& manifest = offer.manifest;
  const Digest digest = salus::sha256(signed_manifest);
  if (transfer_.slot == kNoSlot || transfer_.record.manifest_sha256 != digest || transfer_.factory != factory) {
    forget();
    Transfer next;
    next.slot = free_slot(manifest.personal);
    next.factory = factory;
    next.record = {static_cast<std::uint32_t>(signed_manifest.size()), digest};
    if (!slots_.write_manifest(next.slot, signed_manifest) || !save(parts_.store, next)) {
      return said(Progress::kRefused, manifest.personal, manifest.model.version, ReleaseStatus::kFlashFailed);
    }
    transfer_ = next;
    incoming_ = {manifest.model.sha256, manifest.model.version, manifest.size_bytes, manifest.personal};
  }
  return transfer_.received_bytes == incoming_.size_bytes ? finish() : receiving();
}

Outcome Updater::chunk(Bytes sha256, std::uint32_t offset, Bytes data) {
  const bool wanted = transfer_.slot != kNoSlot && same(sha256, incoming_.sha256) && !data.empty() &&
                      offset == transfer_.received_bytes && offset < incoming_.size_bytes;
  if (!wanted) return Outcome();
  if (data.size() > incoming_.size_bytes - offset) return refuse_transfer(ReleaseStatus::kWrongSize);
  Transfer next = transfer_;
  next.received_bytes += static_cast<std::uint32_t>(data.size());
  if (!slots_.write_model(next.slot, offset, data) || !save(parts_.store, next)) {
    return refuse_transfer(ReleaseStatus::kFlashFailed);
  }
  transfer_ = next;
  return next.received_bytes < incoming_.size_bytes ? receiving() : finish();
}

Outcome Updater::finish() {
  // Counted before the test: a model that crashes the device is not tried at every start.
  if (transfer_.tests >= kMaxCrashes) return refuse_transfer(ReleaseStatus::kBadModel);
  ++transfer_.tests;
  if (!save(parts_.store, transfer_)) return refuse_transfer(ReleaseStatus::kFlashFailed);
  Offer offered;
  bool tested = false;
  const ReleaseStatus status = check_received(offered, tested);
  Outcome outcome = status == ReleaseStatus::kOk ? swap(offered.manifest) : refuse_transfer(status);
  outcome.tested = tested;
  return outcome;
}

ReleaseStatus Updater::check_received(Offer& offer, bool& tested) {
  if (!read_slot(transfer_.slot, transfer_.record, offer)) return ReleaseStatus::kFlashFailed;
  // Once more: what is active, or trusted, may be another since the offer.
  const ReleaseStatus status =
      check_offer(offer, trust_, place(offer.manifest.personal, transfer_.factory && is_new()));
  if (status != ReleaseStatus::kOk) return status;
  tested = true;
  Bench bench{parts_.trial_engine, parts_.trial_arena, parts_.scratch};
  return check_model(offer.manifest, base_template_, slots_.model(transfer_.slot, offer.manifest.size_bytes), bench);
}

Outcome Updater::swap(const Manifest& manifest) {
  const std::uint8_t slot = transfer_.slot;
  State next = state_;
  next.slots[slot] = transfer_.record;
  next.crashes = 0;
  if (manifest.personal) {
    next.personal = slot;
    next.personal_floor = manifest.model.version;
    next.trial = Trial::kPersonal;
  } else {
    next.trial = state_.base == kNoSlot ? Trial::kNone : Trial::kBase;
    next.base = slot;
    next.base_floor = manifest.model.version;
    next.personal = kNoSlot;  // it was made for the base before
  }
  if (!save(parts_.store, next)) return refuse_transfer(ReleaseStatus::kFlashFailed);
  state_ = next;
  forget();
  activate(slot, manifest);
  Outcome outcome = said(Progress::kActive, manifest.personal, manifest.model.version, ReleaseStatus::kOk);
  outcome.swapped = true;
  return outcome;
}

void Updater::activate(std::uint8_t slot, const Manifest& manifest) {
  ActiveModel model = manifest.model;
  model.model = slots_.model(slot, manifest.size_bytes);
  if (manifest.personal) {
    personal_ = model;
    return;
  }
  active_ = model;
  base_template_ = manifest.base_template;
  personal_ = ActiveModel();
}

Outcome Updater::refuse_transfer(ReleaseStatus status) {
  const Incoming refused = incoming_;
  forget();
  return said(Progress::kRefused, refused.personal, refused.version, status);
}

void Updater::forget() {
  // Should the store fail here, the next start finds a transfer whose manifest or hash is wrong, and forgets it then.
  if (transfer_.slot != kNoSlot) (void)forget_transfer(parts_.store);
  transfer_ = Transfer();
  incoming_ = Incoming();
}

void Updater::confirm() {
  if (state_.trial == Trial::kNone) return;
  State next = state_;
  next.trial = Trial::kNone;
  next.crashes = 0;
  if (save(parts_.store, next)) state_ = next;
}

Outcome Updater::status() const { return transfer_.slot == kNoSlot ? Outcome() : receiving(); }

Outcome Updater::receiving() const {
  Outcome outcome = said(Progress::kReceiving, incoming_.personal, incoming_.version, ReleaseStatus::kOk);
  outcome.next_offset = transfer_.received_bytes;
  return outcome;
}

Outcome Updater::said(Progress progress, bool personal, std::uint32_t version, ReleaseStatus status) const {
  Outcome outcome;
  outcome.progress = progress;
  outcome.personal = personal;
  outcome.version = version;
  outcome.status = status;
  return outcome;
}

bool Updater::is_running(const Manifest& manifest) const {
  const ActiveModel& running = manifest.personal ? personal_ : active_;
  return running.version != 0 && running.version == manifest.model.version && running.sha256 == manifest.model.sha256;
}

Place Updater::place(bool personal, bool factory) const {
  Place found;
  found.active = has_model() ? &active_ : nullptr;
  found.base_template = base_template_;
  found.newer_than = personal ? state_.personal_floor : state_.base_floor;
  // With all slots damaged the newest version may come again: nothing older runs in its stead.
  if (!personal && !has_model() && found.newer_than != 0) --found.newer_than;
  found.model_capacity = slots_.model_capacity(free_slot(personal));
  found.arena_bytes = parts_.trial_arena.size();
  found.factory = factory;
  return found;
}

std::uint8_t Updater::free_slot(bool personal) const {
  const std::uint8_t(&slots)[2] = personal ? kPersonalSlots : kBaseSlots;
  return (personal ? state_.personal : state_.base) == slots[0] ? slots[1] : slots[0];
}

}  // namespace salus::release
