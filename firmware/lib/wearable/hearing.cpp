// What comes from the gateway, and what is said of it.
#include <cstdio>
#include <cstring>

#include "wearable/wearable.h"

namespace salus::wearable {

void Wearable::connected() {
  connected_ = true;
  heard_us_ = parts_.clock.monotonic_us();
  outbox_.reconnected();
  state_due_ = true;
  log(console::Level::kInfo, "the broker is there");
}

void Wearable::disconnected() {
  connected_ = false;
  state_id_ = 0;
  log(console::Level::kInfo, "the broker is away");
}

void Wearable::published(std::uint32_t id) {
  if (id != state_id_) return;
  state_id_ = 0;
  state_said_ = true;
}

void Wearable::received(const char* topic, Bytes payload) {
  heard_us_ = parts_.clock.monotonic_us();
  const char* refused = hear(topic, payload);
  if (refused == nullptr) return;
  tally_.now.refused.add(refused);
  log(console::Level::kWarning, "refused on %s: %s", topic, refused);
}

// The code of a refusal, or nullptr.
const char* Wearable::hear(const char* topic, Bytes payload) {
  Kind kind{};
  LinkStatus status = topics_.parse(topic, kind);
  Opened opened{};
  if (status == LinkStatus::kOk) status = opener_.open(kind, topic, payload, memory_.inbox, opened);
  if (status != LinkStatus::kOk) return code_of(status);
  ++heard_messages_;
  switch (kind) {
    case Kind::kAck:
      status = decode_ack(opened.plaintext, *this);
      outbox_.settle();
      return status == LinkStatus::kOk ? nullptr : code_of(status);
    case Kind::kCommand:
      return on_command(opened.plaintext);
    case Kind::kRelease: {
      const release::Outcome outcome = updater_.receive(opened.plaintext);
      on_release(outcome);
      const bool no_message =
          outcome.progress == release::Progress::kNothing && outcome.status != release::ReleaseStatus::kOk;
      return no_message ? release::code_of(outcome.status) : nullptr;
    }
    default:
      return code_of(LinkStatus::kMalformed);
  }
}

void Wearable::has(const AckRange& range) { (void)ring_.acknowledge(range); }

void Wearable::refuses(const AckRefusal& refusal) {
  if (!ring_.acknowledge(refusal)) return;
  char name[sizeof "by gateway " + sizeof refusal.code];
  std::snprintf(name, sizeof name, "by gateway %s", refusal.code);
  tally_.now.refused.add(name);
  log(console::Level::kWarning, "the gateway refuses a packet: %s", refusal.code);
}

const char* Wearable::on_command(Bytes plaintext) {
  CommandMessage command{};
  if (const LinkStatus status = decode_command(plaintext, command); status != LinkStatus::kOk) return code_of(status);
  state_due_ = true;
  if (command.kind != CommandKind::kCalibrate) return nullptr;
  const bool begins = command.until_ms != 0;
  if (begins) {
    if (!updater_.has_model()) return release::code_of(release::ReleaseStatus::kNoModel);
    const Digest& base = updater_.active().sha256;
    const bool same = command.base_sha256.size() == base.size() &&
                      std::memcmp(command.base_sha256.data(), base.data(), base.size()) == 0;
    if (!same) return "other_base";  // calibrate is for another base than the active one: nothing is sent
  } else {
    measuring_.drop_windows();
  }
  if (!calibration_.set(command.until_ms, command.consent)) return code_of(LinkStatus::kStoreFailed);
  was_calibrating_ = calibrating();
  return nullptr;
}

void Wearable::on_release(const release::Outcome& outcome) {
  const bool new_base = outcome.swapped && !outcome.personal;
  if (new_base) {
    (void)measuring_.flush();  // of the base before
    if (!calibration_.stop()) log(console::Level::kError, "the store failed; no windows leave");
    state_due_ = true;  // and a base release ends the campaign that led to it
    was_calibrating_ = false;
  }
  say_release(outcome);
  if (outcome.swapped || outcome.tested) load_models();
}

ReleaseStatusMessage Wearable::release_status(const release::Outcome& outcome) {
  ReleaseStatusMessage status{};
  status.version = outcome.version;
  status.personal = outcome.personal;
  status.code = "";
  switch (outcome.progress) {
    case release::Progress::kNothing:
      break;
    case release::Progress::kReceiving:
      status.progress = ReleaseProgress::kReceiving;
      status.next_offset = outcome.next_offset;
      break;
    case release::Progress::kActive:
      status.progress = ReleaseProgress::kActive;
      break;
    case release::Progress::kRefused:
      status.progress = ReleaseProgress::kRefused;
      status.code = release::code_of(outcome.status);
      break;
  }
  return status;
}

void Wearable::say_release(const release::Outcome& outcome) {
  if (outcome.progress == release::Progress::kNothing) return;
  const ReleaseStatusMessage status = release_status(outcome);
  if (outcome.progress == release::Progress::kRefused) {
    char name[NamedCounts::kMaxNameLength + 1];
    std::snprintf(name, sizeof name, "release %s", status.code);
    tally_.now.refused.add(name);
  }
  if (outcome.progress != release::Progress::kReceiving) {
    log(console::Level::kInfo, "release %lu%s: %s", static_cast<unsigned long>(outcome.version),
        outcome.personal ? " (personal)" : "", *status.code != '\0' ? status.code : "active");
  }
  say_event({EventKind::kRelease, now_ms(), status.code, "", &status});
}

void Wearable::alarm(std::uint64_t start_ms, std::uint32_t label, float probability) {
  char detail[48];
  std::snprintf(detail, sizeof detail, "class %u, %u per mille", static_cast<unsigned>(label),
                static_cast<unsigned>(probability * 1000.0F + 0.5F));
  log(console::Level::kWarning, "alarm: %s", detail);
  say_event({EventKind::kAlarm, start_ms, "alarm", detail, nullptr});
}

void Wearable::fault(const char* code, const char* detail) {
  say_event({EventKind::kFault, now_ms(), code, detail, nullptr});
}

void Wearable::say_event(const EventMessage& event) {
  if (!speaker_.started()) return;
  Bytes plaintext;
  LinkStatus status = encode_event(event, speaker_.draft(), plaintext);
  if (status == LinkStatus::kOk) status = speaker_.say(Kind::kEvent, plaintext);
  if (status != LinkStatus::kOk) log(console::Level::kError, "an event is lost: %s", code_of(status));
}

}  // namespace salus::wearable
