// What the console asks of the wearable.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "wearable/wearable.h"

namespace salus::wearable {
namespace {

using console::Outcome;

constexpr Outcome kDone{};

Outcome outcome_of(const char* code, const char* detail) { return code != nullptr ? Outcome{code, detail} : kDone; }

template <std::size_t kSize>
void copy_text(char (&to)[kSize], const char* from) {
  const std::size_t length = std::min(std::strlen(from), kSize - 1);
  std::memcpy(to, from, length);
  to[length] = '\0';
}

template <typename Field>
void copy_digest(Field& to, const Digest& from) {
  static_assert(sizeof to.bytes >= kDigestBytes);
  std::memcpy(to.bytes, from.data(), from.size());
  to.size = static_cast<pb_size_t>(from.size());
}

template <std::size_t kSize>
Bytes known(const std::uint8_t (&value)[kSize]) {
  const bool any = std::any_of(value, value + kSize, [](std::uint8_t byte) { return byte != 0; });
  return any ? Bytes(value, kSize) : Bytes();
}

}  // namespace

Outcome Wearable::hello(console::HelloReply& reply) {
  copy_text(reply.device, provisioning_.identity().device);
  copy_text(reply.firmware_version, parts_.firmware_version);
  copy_text(reply.board, parts_.board_name);
  reply.provisioned = provisioning_.complete();
  if (!updater_.has_model()) return kDone;
  copy_text(reply.task, updater_.active().task);
  reply.model_version = updater_.active().version;
  copy_digest(reply.base_sha256, updater_.active().sha256);
  return kDone;
}

Outcome Wearable::provision(const console::Provision& request) {
  if (const Outcome refused = provisioning_.apply(request); !refused.done()) {
    log(console::Level::kWarning, "provisioning is refused: %s", refused.code);
    return refused;
  }
  updater_.set_trust(trust());
  if (!speaker_.started()) {
    start_link();
    if (provisioning_.complete() && !speaker_.started()) {
      return {"not_enrolled", "the counters of this link secret are lost; erase, and enrol with a new one"};
    }
  } else if (network_started_ && network_generation_ != provisioning_.broker_generation()) {
    stop_network(Network::Ending::kGoodbye);
    start_network();
  }
  outbox_.set_ack_timeout_ms(provisioning_.settings().ack_timeout_ms);
  measuring_.configure(provisioning_.settings());
  speaker_.set_bound(provisioning_.settings().ring_packets);
  return kDone;
}

release::Trust Wearable::trust() const {
  const Identity& who = provisioning_.identity();
  return {known(who.release_public_key), known(who.gateway_public_key), known(who.chain_id)};
}

Outcome Wearable::status(console::Status& reply) {
  reply.boot = counters_.boot();
  reply.clock_ms = now_ms();
  reply.ring_packets = static_cast<std::uint32_t>(ring_.packets());
  reply.dropped_packets = dropped_packets();
  reply.free_heap_bytes = parts_.vitals.free_heap_bytes();
  reply.link_up = connected_;
  reply.uptime_ms = uptime_ms();
  reply.reset_cause = parts_.reset.cause() == ResetCause::kUnknown
                          ? salus_console_v1_Status_ResetCause_RESET_CAUSE_UNSPECIFIED
                          : static_cast<salus_console_v1_Status_ResetCause>(static_cast<int>(parts_.reset.cause()) + 1);
  reply.ring_capacity_packets = ring_capacity_packets();
  if (updater_.has_model()) {
    reply.model_version = updater_.active().version;
    copy_digest(reply.base_sha256, updater_.active().sha256);
  }
  reply.personal_version = updater_.personal() != nullptr ? updater_.personal()->version : 0;
  reply.calibrate_until_ms = calibration_.until_ms();
  reply.in_flight_packets = static_cast<std::uint32_t>(outbox_.in_flight());
  reply.next_sample = piece_.next_sample;
  reply.heard_messages = heard_messages_;
  reply.link_wanted = link_wanted_;
  return kDone;
}

// As many as wait and still fit, at the size of the largest since the start; never more than the setting says.
std::uint32_t Wearable::ring_capacity_packets() const {
  constexpr std::size_t kSmallestBytes = 256;
  const std::size_t each = std::max(speaker_.largest_payload_bytes(), kSmallestBytes);
  const std::size_t fits = ring_.packets() + ring_.free_bytes() / each;
  return static_cast<std::uint32_t>(std::min<std::size_t>(fits, provisioning_.settings().ring_packets));
}

Outcome Wearable::inject_samples(const console::InjectSamples& request, console::InjectReply& reply) {
  const char* refused = speaker_.started() ? take_piece(request) : "not_provisioned";
  if (refused != nullptr) return {refused, "samples"};
  reply.next_sample = piece_.next_sample;
  reply.clock_ms = now_ms();
  reply.ring_packets = static_cast<std::uint32_t>(ring_.packets());
  reply.ring_capacity_packets = ring_capacity_packets();
  reply.windows = measuring_.windows();
  return kDone;
}

const char* Wearable::take_piece(const console::InjectSamples& request) {
  if (!measuring_.loaded()) return release::code_of(release::ReleaseStatus::kNoModel);
  const bool same = piece_.begun && request.start_ms == piece_.start_ms;
  if (!same) {
    if (request.first_sample != 0) return "gap";
    measuring_.begin_stretch();
    piece_ = {request.start_ms, 0, true};
  }
  const std::uint64_t count = request.values.size() / request.channels;
  if (request.first_sample > piece_.next_sample) return "gap";
  const std::uint64_t known_samples = piece_.next_sample - request.first_sample;
  if (known_samples < count) {
    const Span<const float> fresh = request.values.from(static_cast<std::size_t>(known_samples * request.channels));
    // The rate is known once the front end is configured, which the first samples of all do: those start the piece.
    const double rate_hz = piece_.next_sample != 0 ? measuring_.rate_hz() : 1.0;
    const double t0_ms =
        static_cast<double>(piece_.start_ms) + static_cast<double>(piece_.next_sample) * 1000.0 / rate_hz;
    if (const char* refused = measuring_.take(fresh, request.channels, t0_ms); refused != nullptr) return refused;
    piece_.next_sample += fresh.size() / request.channels;
    samples_us_ = parts_.clock.monotonic_us();
    samples_end_ms_ = piece_.start_ms + static_cast<std::uint64_t>(static_cast<double>(piece_.next_sample) * 1000.0 /
                                                                   measuring_.rate_hz());
    clock_follows_samples_ = true;
  }
  return request.ends_piece ? measuring_.flush() : nullptr;
}

Outcome Wearable::run_golden(bool personal, console::GoldenResult& reply) {
  GoldenRun run;
  const char* code = measuring_.run_golden(personal, run);
  reply.inputs = run.inputs;
  reply.mismatches = run.mismatches;
  reply.duration_us = static_cast<std::uint32_t>(std::min<std::uint64_t>(run.duration_us, UINT32_MAX));
  return outcome_of(code, "golden inputs");
}

Outcome Wearable::run_inference(Span<const std::int8_t> input, bool personal, console::InferenceResult& reply) {
  std::uint64_t duration_us = 0;
  const char* code = measuring_.infer(personal, input, reply.output, duration_us);
  reply.duration_us = static_cast<std::uint32_t>(std::min<std::uint64_t>(duration_us, UINT32_MAX));
  return outcome_of(code, "inference");
}

Outcome Wearable::set_clock(std::uint64_t clock_ms) {
  parts_.clock.set_utc_ms(clock_ms);
  clock_follows_samples_ = false;
  return kDone;
}

Outcome Wearable::release(Bytes message, Bytes& status) {
  const release::Outcome outcome = updater_.provision(message);
  if (outcome.swapped && !outcome.personal) {
    (void)measuring_.flush();
    (void)calibration_.stop();
    state_due_ = true;
  }
  if (outcome.swapped || outcome.tested) load_models();
  const ReleaseStatusMessage said = release_status(outcome);
  if (outcome.progress == release::Progress::kNothing) {
    const bool malformed = outcome.status != release::ReleaseStatus::kOk;
    return malformed ? Outcome{release::code_of(outcome.status), "no release message"} : kDone;
  }
  const LinkStatus encoded = encode_release_status(said, release_reply_, status);
  return encoded == LinkStatus::kOk ? kDone : Outcome{code_of(encoded), "release status"};
}

Outcome Wearable::say_labels(Bytes labels) {
  if (!speaker_.started()) return {"not_provisioned", "labels"};
  (void)measuring_.flush();  // the features that they are of come first
  const LinkStatus status = speaker_.say(Kind::kLabel, labels);
  return status == LinkStatus::kOk ? kDone : Outcome{code_of(status), "labels"};
}

Outcome Wearable::control_link(bool up) {
  link_wanted_ = up;
  if (!up) stop_network(Network::Ending::kCut);
  if (up && !network_started_) start_network();
  return kDone;
}

Outcome Wearable::reset() {
  restart_ = true;
  leave();
  return kDone;
}

Outcome Wearable::factory_erase() {
  stop_network(Network::Ending::kGoodbye);
  speaker_.stop();
  // Who it is goes last: until then a power cut leaves a wearable that can be erased again. The counters stay, so that
  // no nonce of an old secret ever comes again.
  bool done = ring_.format(parts_.ring) == LinkStatus::kOk;
  for (const char* key : {"release", "transfer", "calibration", "orientation"}) {
    const StoreStatus status = parts_.store.erase(key);
    done = done && (status == StoreStatus::kOk || status == StoreStatus::kMissing);
  }
  done = parts_.slots.erase(0, parts_.slots.size_bytes()) && done;
  tally_.erase();
  done = done && provisioning_.erase();
  if (!done) return {code_of(LinkStatus::kStoreFailed), "not all is erased"};
  restart_ = true;
  phase_ = Phase::kLeaving;
  leave_until_us_ = 0;
  return kDone;
}

Outcome Wearable::statistics(console::Statistics& reply) {
  const Tally& tally = tally_.now;
  const auto& buckets = measuring_.latency().buckets();
  std::size_t used = LatencyHistogram::kBuckets;
  while (used > 0 && buckets[used - 1] == 0) --used;
  static_assert(sizeof reply.latency_us_log2 == sizeof buckets);
  std::memcpy(reply.latency_us_log2, buckets, sizeof buckets);
  reply.latency_us_log2_count = static_cast<pb_size_t>(used);
  reply.arena_high_water_bytes = static_cast<std::uint32_t>(measuring_.arena_high_water_bytes());
  reply.heap_low_water_bytes = parts_.vitals.heap_low_water_bytes();
  reply.ring_high_water_packets = static_cast<std::uint32_t>(ring_.high_water());
  reply.stack_low_water_bytes = parts_.vitals.stack_low_water_bytes();
  reply.inferences = measuring_.latency().count();
  reply.features = tally.features;
  reply.windows = tally.windows;
  reply.raw_window_bytes = tally.raw_window_bytes;
  reply.packets = tally.packets;
  reply.dropped_packets = dropped_packets();
  for (std::size_t kind = 0; kind < Tally::kKinds; ++kind) {
    if (tally.sent_bytes[kind] == 0) continue;
    auto& counter = reply.sent_bytes[reply.sent_bytes_count++];
    copy_text(counter.name, name_of(static_cast<Kind>(kind)));
    counter.count = tally.sent_bytes[kind];
  }
  for (const NamedCounts::Entry& entry : tally.refused.entries()) {
    auto& counter = reply.refused[reply.refused_count++];
    copy_text(counter.name, entry.name);
    counter.count = entry.count;
  }
  std::memcpy(reply.model_versions, tally.versions, sizeof tally.versions);
  reply.model_versions_count = static_cast<pb_size_t>(tally.version_count);
  reply.resent_packets = outbox_.resent();
  reply.alarms = tally.alarms;
  return kDone;
}

}  // namespace salus::wearable
