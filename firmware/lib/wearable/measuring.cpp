#include "wearable/measuring.h"

#include <algorithm>
#include <cstring>

namespace salus::wearable {
namespace {

constexpr char kOrientationKey[] = "orientation";
constexpr std::size_t kFeature = static_cast<std::size_t>(Kind::kFeature);

}  // namespace

Measuring::Measuring(const Parts& parts, const Memory& memory, Calibration& calibration, Speaker& speaker,
                     KeptTally& tally, Reporter& reporter)
    : parts_(parts),
      memory_(memory),
      calibration_(calibration),
      speaker_(speaker),
      reporter_(reporter),
      tally_(tally),
      feature_batch_(speaker, tally, memory.features),
      window_batch_(speaker, tally, memory.windows) {}

void Measuring::configure(const Settings& settings) {
  feature_batch_.set_per_packet(settings.features_per_packet, settings.windows_per_packet);
  window_batch_.set_per_packet(settings.windows_per_packet);
  wrist_ = settings.wrist <= static_cast<std::uint32_t>(Wrist::kRight) ? static_cast<Wrist>(settings.wrist)
                                                                       : Wrist::kAsTrained;
  if (raw_channels_ != 0) front_end_.set_wrist(wrist_);
}

const char* Measuring::load(const release::Updater& updater) {
  (void)flush();
  model_ = nullptr;
  personal_ = nullptr;
  faulted_ = false;
  sent_before_ = tally_.now.sent_bytes[kFeature];
  if (!updater.has_model()) return code_of(release::ReleaseStatus::kNoModel);
  const char* refused = load_base(updater.active());
  if (refused != nullptr) return refused;
  load_personal(updater.personal());
  const std::size_t used = parts_.base_engine.arena_used_bytes();
  arena_high_water_bytes_ = std::max(arena_high_water_bytes_, used);
  return nullptr;
}

bool Measuring::proved() const { return loaded() && tally_.now.sent_bytes[kFeature] != sent_before_; }

const char* Measuring::load_base(const release::ActiveModel& model) {
  const EngineStatus status = parts_.base_engine.load(model.model, memory_.base_arena);
  if (status != EngineStatus::kOk) return code_of(status);
  const TensorInfo input = parts_.base_engine.input();
  const TensorInfo output = parts_.base_engine.output();
  if (input.bytes > memory_.input.size() || output.bytes > sizeof feature_) return code_of(EngineStatus::kWrongSize);
  const Digest digest = salus::sha256(model.frontend);
  if (digest != front_end_digest_) {
    front_end_digest_ = digest;
    raw_channels_ = 0;  // configured when the sensor's channels are known
  }
  model_ = &model;
  return nullptr;
}

void Measuring::load_personal(const release::ActiveModel* model) {
  if (model == nullptr || memory_.personal_arena.empty()) return;
  Engine& engine = parts_.personal_engine;
  if (engine.load(model->model, memory_.personal_arena) != EngineStatus::kOk) return;
  const std::size_t logits = engine.output().bytes;
  const bool fits = engine.input().bytes == parts_.base_engine.output().bytes && logits >= model->alarm.classes &&
                    logits <= sizeof logits_;
  if (!fits) return;
  personal_ = model;
  configure_alarm();
}

void Measuring::configure_alarm() {
  if (personal_ == nullptr || raw_channels_ == 0) return;
  const release::AlarmRule& rule = personal_->alarm;
  AlarmParameters parameters = {};
  parameters.classes = rule.classes;
  parameters.scale = personal_->output.scale;
  parameters.zero_point = personal_->output.zero_point;
  parameters.confirm = rule.confirm_windows;
  parameters.alarm_classes = rule.alarm_classes;
  parameters.threshold = rule.threshold;
  parameters.window_ms = front_end_.duration_ms();
  parameters.refractory_ms = rule.refractory_ms;
  // A rule that cannot be raises no alarm; everything else of the personal model still runs.
  (void)alarm_.configure(parameters);
}

const char* Measuring::prepare(std::size_t channels) {
  if (model_ == nullptr) return code_of(release::ReleaseStatus::kNoModel);
  if (channels == raw_channels_) return nullptr;
  if (raw_channels_ != 0) return code_of(FrontEndStatus::kMalformed);  // not the channels of this front end
  const FrontEndStatus status = front_end_.configure(model_->frontend, channels, memory_.front_end);
  if (status != FrontEndStatus::kOk) return code_of(status);
  const std::size_t values = front_end_.rows() * front_end_.channels();
  if (values != parts_.base_engine.input().bytes) return code_of(FrontEndStatus::kWrongFrontEnd);
  raw_channels_ = channels;
  front_end_.set_wrist(wrist_);
  if (parts_.store.read(kOrientationKey, kept_, kept_bytes_) != StoreStatus::kOk) kept_bytes_ = 0;
  // What another front end kept is refused, and found anew.
  if (kept_bytes_ != 0 && front_end_.restore(Bytes(kept_, kept_bytes_)) != FrontEndStatus::kOk) kept_bytes_ = 0;
  configure_alarm();
  measured_.window_duration_ms = front_end_.duration_ms();
  measured_.rows = static_cast<std::uint32_t>(front_end_.rows());
  measured_.channels = static_cast<std::uint32_t>(front_end_.channels());
  measured_.aux = static_cast<std::uint32_t>(front_end_.aux_values());
  return nullptr;
}

const char* Measuring::take(Span<const float> samples, std::size_t channels, double t0_ms) {
  if (const char* refused = prepare(channels); refused != nullptr) return refused;
  measured_.task = model_->task;
  measured_.model_version = model_->version;
  measured_.base_sha256 = Bytes(model_->sha256.data(), model_->sha256.size());
  failure_ = nullptr;
  const FrontEndStatus status = front_end_.push(samples, t0_ms, *this);
  if (status != FrontEndStatus::kOk) return code_of(status);
  keep_orientation();
  return failure_;
}

void Measuring::begin_stretch() {
  (void)flush();
  if (raw_channels_ != 0) front_end_.reset();
}

const char* Measuring::flush() {
  failure_ = nullptr;
  note(feature_batch_.flush());
  note(window_batch_.flush());
  return failure_;
}

void Measuring::window(std::uint64_t start_ms, Span<const float> values, Span<const std::int16_t> aux) {
  ++windows_;
  const MutableBytes memory = memory_.input.first(values.size());
  const Span<std::int8_t> input(reinterpret_cast<std::int8_t*>(memory.data()), memory.size());
  quantise(values, model_->input.scale, model_->input.zero_point, input);
  Span<const std::int8_t> feature;
  std::uint64_t duration_us = 0;
  if (const char* code = infer(false, input, feature, duration_us); code != nullptr) {
    failure_ = code;
    if (!faulted_) reporter_.fault(code, "the base model did not run");
    faulted_ = true;
    return;
  }
  note(feature_batch_.add(measured_, start_ms, feature, aux));
  if (calibration_.covers(start_ms + measured_.window_duration_ms)) {
    note(window_batch_.add(measured_, start_ms, values, aux, calibration_.consent()));
  }
  decide(start_ms, feature);
}

void Measuring::decide(std::uint64_t start_ms, Span<const std::int8_t> feature) {
  if (personal_ == nullptr) return;
  Span<const std::int8_t> logits;
  std::uint64_t duration_us = 0;
  Decision decision = {};
  if (infer(true, feature, logits, duration_us) != nullptr) return;
  if (alarm_.step(logits.first(personal_->alarm.classes), start_ms, decision) != AlarmStatus::kOk) return;
  if (!decision.alarm) return;
  ++tally_.now.alarms;
  reporter_.alarm(start_ms, decision.alarm_label, decision.alarm_probability);
}

const char* Measuring::infer(bool personal, Span<const std::int8_t> input, Span<const std::int8_t>& output,
                             std::uint64_t& duration_us) {
  if ((personal ? personal_ : model_) == nullptr) return code_of(release::ReleaseStatus::kNoModel);
  Engine& engine = personal ? parts_.personal_engine : parts_.base_engine;
  const Span<std::int8_t> out(personal ? logits_ : feature_, engine.output().bytes);
  const std::uint64_t began_us = parts_.clock.monotonic_us();
  const EngineStatus status = engine.run(input, out);
  duration_us = parts_.clock.monotonic_us() - began_us;
  if (status != EngineStatus::kOk) return code_of(status);
  if (!personal) latency_.add(duration_us);
  output = out;
  return nullptr;
}

const char* Measuring::run_golden(bool personal, GoldenRun& run) {
  const release::ActiveModel* model = personal ? personal_ : model_;
  if (model == nullptr) return code_of(release::ReleaseStatus::kNoModel);
  Bytes input, wanted;
  while (release::golden(*model, run.inputs, input, wanted)) {
    Span<const std::int8_t> output;
    std::uint64_t duration_us = 0;
    const Span<const std::int8_t> values(reinterpret_cast<const std::int8_t*>(input.data()), input.size());
    const char* code = infer(personal, values, output, duration_us);
    if (code != nullptr) return code;
    ++run.inputs;
    run.duration_us += duration_us;
    if (output.size() != wanted.size() || std::memcmp(output.data(), wanted.data(), wanted.size()) != 0) {
      ++run.mismatches;
    }
  }
  return nullptr;
}

void Measuring::keep_orientation() {
  std::uint8_t kept[FrontEnd::kKeptBytes];
  const std::size_t bytes = front_end_.keep(kept);
  if (bytes == 0 || (bytes == kept_bytes_ && std::memcmp(kept, kept_, bytes) == 0)) return;
  // A failure costs one stance after the next start, in which it is found again.
  if (parts_.store.write(kOrientationKey, Bytes(kept, bytes)) != StoreStatus::kOk) return;
  std::memcpy(kept_, kept, bytes);
  kept_bytes_ = bytes;
}

void Measuring::note(LinkStatus status) {
  if (status != LinkStatus::kOk) failure_ = code_of(status);
}

}  // namespace salus::wearable
