#include "wearable/wearable.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace salus::wearable {
namespace {

constexpr char kWill[] = "lost";
constexpr int kSendsPerPoll = 8;  // so that the console is never kept waiting long
constexpr std::uint64_t kTickUs = 1'000'000;

Bytes text_bytes(const char* text) { return Bytes(reinterpret_cast<const std::uint8_t*>(text), std::strlen(text)); }

}  // namespace

Wearable::Wearable(const Parts& parts, const Memory& memory)
    : parts_(parts),
      memory_(memory),
      counters_(parts.store),
      provisioning_(parts.store, counters_),
      tally_(parts.store),
      calibration_(parts.store),
      opener_(counters_),
      speaker_(ring_, tally_, memory.packet),
      outbox_(ring_, parts.network, memory.packet),
      updater_({parts.slots, parts.store, parts.base_engine, memory.base_arena, golden_output_}, {}),
      measuring_(parts_, memory_, calibration_, speaker_, tally_, *this) {}

void Wearable::start() {
  started_us_ = parts_.clock.monotonic_us();
  log(console::Level::kInfo, "%s %s starts", parts_.board_name, parts_.firmware_version);
  if (!provisioning_.load()) log(console::Level::kError, "the store is damaged: erase and enrol again");
  tally_.load();
  calibration_.load();
  const LinkStatus mounted = ring_.mount(parts_.ring);
  if (mounted != LinkStatus::kOk) log(console::Level::kError, "no ring: %s", code_of(mounted));
  updater_.set_trust(trust());
  const release::ReleaseStatus found = updater_.start(parts_.reset.cause());
  if (found != release::ReleaseStatus::kOk) log(console::Level::kWarning, "no model: %s", release::code_of(found));
  start_link();
  load_models();
  say_release(updater_.report());
}

void Wearable::start_link() {
  if (speaker_.started() || !provisioning_.complete()) return;
  const Identity& who = provisioning_.identity();
  LinkKeys keys{};
  LinkStatus status = topics_.start(who.federation, who.device);
  if (status == LinkStatus::kOk) status = derive_keys(who.link_secret, who.chain_id, who.device, keys);
  if (status == LinkStatus::kOk) status = counters_.start(who.link_secret);
  if (status == LinkStatus::kOk) status = opener_.start(Bytes(keys.down.data(), keys.down.size()));
  if (status == LinkStatus::kOk) {
    status = speaker_.start(Bytes(keys.up.data(), keys.up.size()), counters_.boot(), topics_);
  }
  keys.up.fill(0);
  keys.down.fill(0);
  if (status != LinkStatus::kOk) {
    log(console::Level::kError, "nothing may be sealed: %s", code_of(status));
    return;
  }
  log(console::Level::kInfo, "%s, boot %lu", who.device, static_cast<unsigned long>(counters_.boot()));
  start_network();
}

void Wearable::start_network() {
  outbox_.set_ack_timeout_ms(provisioning_.settings().ack_timeout_ms);
  measuring_.configure(provisioning_.settings());
  speaker_.set_bound(provisioning_.settings().ring_packets);
  if (!speaker_.started() || !link_wanted_ || phase_ != Phase::kWorking) return;
  const Identity& who = provisioning_.identity();
  std::snprintf(client_id_, sizeof client_id_, "salus-%s-%s", who.federation, who.device);
  subscriptions_[0] = topics_.of(Kind::kRelease);
  subscriptions_[1] = topics_.of(Kind::kCommand);
  subscriptions_[2] = topics_.of(Kind::kAck);
  Broker broker = provisioning_.broker();
  broker.client_id = client_id_;
  network_generation_ = provisioning_.broker_generation();
  network_started_ = true;
  parts_.network.start(broker, subscriptions_, {topics_.of(Kind::kState), text_bytes(kWill)}, *this);
}

void Wearable::stop_network(Network::Ending ending) {
  if (!network_started_) return;
  parts_.network.stop(ending);
  network_started_ = false;
}

void Wearable::load_models() {
  const char* refused = measuring_.load(updater_);
  if (!updater_.has_model()) return;
  const release::ActiveModel& model = updater_.active();
  const auto version = static_cast<unsigned long>(model.version);
  if (refused != nullptr) {
    log(console::Level::kError, "%s version %lu does not run: %s", model.task, version, refused);
    fault(refused, "the active base does not load");
    return;
  }
  tally_.add_version(model.version);
  log(console::Level::kInfo, "%s version %lu is active", model.task, version);
}

void Wearable::poll() {
  if (phase_ == Phase::kLeft) return;
  if (network_started_) parts_.network.poll();
  read_sensor();
  look_after_time();
  send();
  finish();
}

void Wearable::read_sensor() {
  if (parts_.sensor == nullptr || clock_follows_samples_ || phase_ != Phase::kWorking) return;
  constexpr std::size_t kValues = 96;
  float values[kValues];
  double start_ms = 0.0;
  const std::size_t channels = parts_.sensor->channels();
  const std::size_t count = parts_.sensor->read(values, start_ms);
  if (count == 0 || channels == 0) return;
  const char* refused = measuring_.take(Span<const float>(values, count * channels), channels, start_ms);
  if (refused != nullptr) tally_.now.refused.add(refused);
  // A sensor that is broken stays so: it is said once.
  if (refused != nullptr && refused != sensor_fault_) log(console::Level::kError, "samples are lost: %s", refused);
  sensor_fault_ = refused;
  samples_us_ = parts_.clock.monotonic_us();
}

void Wearable::look_after_time() {
  const std::uint64_t now_us = parts_.clock.monotonic_us();
  if (measuring_.waiting() && now_us - samples_us_ > kIdleUs) (void)measuring_.flush();
  if (measuring_.proved()) updater_.confirm();
  look_at_calibration();
  if (connected_ && now_us - heard_us_ > kSilenceUs) {
    // A gateway that was restarted in a transfer is told again where to go on.
    const release::Outcome transfer = updater_.status();
    if (transfer.progress == release::Progress::kReceiving) say_release(transfer);
    heard_us_ = now_us;
  }
}

void Wearable::look_at_calibration() {
  const bool now = calibrating();
  if (now == was_calibrating_) return;
  was_calibrating_ = now;
  state_due_ = true;
}

void Wearable::send() {
  for (int sent = 0; sent < kSendsPerPoll && connected_; ++sent) {
    if (!send_one()) return;
  }
}

bool Wearable::send_one() {
  if (state_due_) return send_state();
  if (phase_ != Phase::kWorking) return false;
  return outbox_.step(topics_, parts_.clock.monotonic_us());
}

bool Wearable::send_state() {
  const bool model = updater_.has_model();
  StateMessage state{};
  state.leaving = phase_ == Phase::kLeaving;
  if (model) {
    state.task = updater_.active().task;
    state.model_version = updater_.active().version;
    state.base_sha256 = Bytes(updater_.active().sha256.data(), updater_.active().sha256.size());
  }
  if (updater_.personal() != nullptr) state.personal_version = updater_.personal()->version;
  state.ring_packets = static_cast<std::uint32_t>(ring_.packets());
  state.dropped_packets = dropped_packets();
  state.clock_ms = now_ms();
  state.calibrating = calibrating();
  Bytes plaintext, payload;
  LinkStatus status = encode_state(state, speaker_.draft(), plaintext);
  if (status == LinkStatus::kOk) status = speaker_.once(Kind::kState, plaintext, payload);
  if (status != LinkStatus::kOk) {
    log(console::Level::kError, "no State: %s", code_of(status));
    state_due_ = false;
    return true;
  }
  const std::uint32_t id = parts_.network.publish(topics_.of(Kind::kState), payload, true);
  if (id == 0) return false;
  state_id_ = id;
  state_due_ = false;
  state_said_ = false;
  return true;
}

void Wearable::leave() {
  if (phase_ != Phase::kWorking) return;
  (void)measuring_.flush();
  phase_ = Phase::kLeaving;
  state_due_ = true;
  state_said_ = false;
  leave_until_us_ = parts_.clock.monotonic_us() + kLeaveUs;
}

void Wearable::finish() {
  if (phase_ != Phase::kLeaving) return;
  const bool waits = connected_ && !state_said_ && parts_.clock.monotonic_us() < leave_until_us_;
  if (waits) return;
  stop_network(Network::Ending::kGoodbye);
  if (speaker_.started()) tally_.save();
  phase_ = Phase::kLeft;
  if (restart_) parts_.reset.restart();
}

std::uint64_t Wearable::due_us() const {
  const std::uint64_t now_us = parts_.clock.monotonic_us();
  return state_due_ && connected_ ? now_us : now_us + kTickUs;
}

std::uint64_t Wearable::now_ms() const { return clock_follows_samples_ ? samples_end_ms_ : parts_.clock.utc_ms(); }

void Wearable::log(console::Level level, const char* format, ...) {
  if (console_ == nullptr) return;
  char text[160];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  (void)console_->log(level, text, uptime_ms());
}

}  // namespace salus::wearable
