#include "frontend/pipeline.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "frontend/blocks.h"

namespace salus::frontend {
namespace {

using MakeRow = RowBlock* (*)(const Parameters&, const Inlet&, Memory&, Outlet&);
using MakeOnWindow = WindowBlock* (*)(const Parameters&, const Inlet&, Memory&, Outlet&);

struct RowEntry {
  const char* name;
  MakeRow make;
  bool stream_only;
};
constexpr RowEntry kRowBlocks[] = {
    {"filter", make_filter, true},
    {"magnitude", make_magnitude, false},
    {"scale", make_scale, false},
    {"wrist", make_wrist, false},
};

struct OnWindowEntry {
  const char* name;
  MakeOnWindow make;
};
constexpr OnWindowEntry kOnWindow[] = {{"cancel", make_cancel}, {"spectrum", make_spectrum}};

constexpr std::uint32_t kMaxWindowSamples = 65535;
constexpr double kMaxTimeMs = 9e15;  // whole milliseconds are exact in a double below

}  // namespace

FrontEndStatus Pipeline::build(const Declaration& declaration, std::size_t raw_channels, const Wrist& wrist,
                               Memory& memory) {
  const bool whole = declaration.window_samples >= 1 && declaration.window_samples <= kMaxWindowSamples;
  const std::uint32_t hop = declaration.hop_samples;
  const bool hops = declaration.by_event ? hop == 0 : hop >= 1 && hop <= declaration.window_samples;
  const bool rated = is_rate(static_cast<double>(declaration.rate_hz));
  if (!whole || !rated || !hops || raw_channels < 1 || raw_channels > FrontEnd::kMaxChannels) {
    return FrontEndStatus::kWrongFrontEnd;
  }
  raw_channels_ = raw_channels;
  raw_rate_hz_ = static_cast<double>(declaration.rate_hz);
  window_samples_ = declaration.window_samples;
  inlet_ = {raw_channels, raw_rate_hz_, 0, &wrist};
  bool done = true;
  for (std::size_t i = 0; done && i < declaration.block_count; ++i) {
    done = add(declaration.blocks[i], declaration, memory);
  }
  done = done && finish(declaration, memory);
  if (memory.exhausted()) return FrontEndStatus::kMemoryTooSmall;
  return done ? FrontEndStatus::kOk : FrontEndStatus::kWrongFrontEnd;
}

bool Pipeline::add(const BlockDeclaration& block, const Declaration& declaration, Memory& memory) {
  const auto is = [&block](const char* name) { return std::strcmp(block.name, name) == 0; };
  Outlet outlet = same();
  for (const RowEntry& entry : kRowBlocks) {
    if (!is(entry.name)) continue;
    if (cut_ && entry.stream_only) return false;
    return add_row(entry.make(block.parameters, inlet_, memory, outlet), outlet, memory);
  }
  for (const OnWindowEntry& entry : kOnWindow) {
    if (!is(entry.name)) continue;
    if (!cut_ && !cut_by_hop(declaration, memory)) return false;
    outlet = same();
    return add_on_window(entry.make(block.parameters, inlet_, memory, outlet), outlet);
  }
  if (cut_) return false;
  if (is("resample")) return add_stage(make_resample(block.parameters, inlet_, memory, outlet), outlet);
  if (is("orient")) {
    Orient* orient = make_orient(block.parameters, inlet_, memory, outlet);
    orient_ = orient_ == nullptr ? orient : orient_;
    return add_stage(orient, outlet);
  }
  if (!is("beats") || !declaration.by_event) return false;
  Stage* beats = make_beats(block.parameters, inlet_, window_samples_, *this, memory, outlet);
  return begin_windows(beats, outlet, declaration);
}

Outlet Pipeline::same() const { return {inlet_.channels, inlet_.rows, 0, inlet_.rate_hz}; }

bool Pipeline::add_row(RowBlock* block, const Outlet& outlet, Memory& memory) {
  if (block == nullptr) return false;
  if (!cut_) return add_stage(memory.make<RowStage>(*block), outlet);
  return add_on_window(memory.make<RowsOfWindow>(*block, inlet_.rows, inlet_.channels, outlet.channels), outlet);
}

bool Pipeline::add_stage(Stage* stage, const Outlet& outlet) {
  if (stage == nullptr) return false;
  if (last_ == nullptr) {
    first_ = stage;
  } else {
    last_->set_next(stage);
  }
  last_ = stage;
  inlet_.channels = outlet.channels;
  inlet_.rate_hz = outlet.rate_hz;
  return true;
}

bool Pipeline::cut_by_hop(const Declaration& declaration, Memory& memory) {
  if (declaration.by_event) return false;
  Stage* cutter = make_windows(inlet_, window_samples_, declaration.hop_samples, *this, memory);
  return begin_windows(cutter, same(), declaration);
}

bool Pipeline::begin_windows(Stage* cutter, const Outlet& outlet, const Declaration& declaration) {
  if (!add_stage(cutter, outlet) || outlet.aux_values != declaration.aux_values) return false;
  cut_ = true;
  aux_values_ = outlet.aux_values;
  inlet_.rows = window_samples_;
  largest_ = inlet_.rows * inlet_.channels;
  return true;
}

bool Pipeline::add_on_window(WindowBlock* block, const Outlet& outlet) {
  if (block == nullptr) return false;
  inlet_.rows = outlet.rows;
  inlet_.channels = outlet.channels;
  on_window_[on_window_count_++] = {block, inlet_.rows * inlet_.channels};
  largest_ = std::max(largest_, inlet_.rows * inlet_.channels);
  return true;
}

bool Pipeline::finish(const Declaration& declaration, Memory& memory) {
  if (!cut_ && !cut_by_hop(declaration, memory)) return false;
  work_[0] = memory.array<float>(largest_);
  work_[1] = on_window_count_ == 0 ? work_[0] : memory.array<float>(largest_);
  return !memory.exhausted();
}

std::uint32_t Pipeline::duration_ms() const {
  return static_cast<std::uint32_t>(std::rint(static_cast<double>(window_samples_) * 1000.0 / inlet_.rate_hz));
}

FrontEndStatus Pipeline::push(Span<const float> samples, double t0_ms, WindowSink& sink) {
  if (samples.size() % raw_channels_ != 0) return FrontEndStatus::kMalformed;
  if (!(std::fabs(t0_ms) <= kMaxTimeMs)) return FrontEndStatus::kNotFinite;
  for (const float sample : samples) {
    if (!std::isfinite(sample)) return FrontEndStatus::kNotFinite;
  }
  keep_time(t0_ms);
  sink_ = &sink;
  double row[FrontEnd::kMaxChannels];
  const std::size_t count = samples.size() / raw_channels_;
  next_ms_ = t0_ms + static_cast<double>(count) * 1000.0 / raw_rate_hz_;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < raw_channels_; ++j) row[j] = static_cast<double>(samples[i * raw_channels_ + j]);
    first_->push(count_++, row);
  }
  sink_ = nullptr;
  return FrontEndStatus::kOk;
}

// A gap begins a new stretch; a clock that drifted half a period is followed.
void Pipeline::keep_time(double t0_ms) {
  const double period_ms = 1000.0 / raw_rate_hz_;
  if (!begun_ || std::fabs(t0_ms - next_ms_) > 0.5 * period_ms) {
    end_stretch();
    begun_ = true;
    began_ms_ = t0_ms;
    count_ = 0;
  }
  const double since_ms = static_cast<double>(count_) * period_ms;
  if (std::fabs(t0_ms - began_ms_ - since_ms) > period_ms / 2) began_ms_ = t0_ms - since_ms;
}

void Pipeline::end_stretch() {
  for (Stage* stage = first_; stage != nullptr; stage = stage->next()) stage->renew();
  begun_ = false;
}

void Pipeline::don() {
  for (Stage* stage = first_; stage != nullptr; stage = stage->next()) stage->don();
  end_stretch();
}

void Pipeline::take(std::int64_t index, Span<const std::int16_t> aux) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < on_window_count_; ++i, at = 1 - at) {
    on_window_[i].block->apply(work_[at].data(), work_[1 - at].data());
  }
  const double start_ms = std::rint(began_ms_ + static_cast<double>(index) * 1000.0 / inlet_.rate_hz);
  const std::uint64_t start = start_ms > 0.0 ? static_cast<std::uint64_t>(start_ms) : 0;
  sink_->window(start, Span<const float>(work_[at].data(), inlet_.rows * inlet_.channels), aux);
}

}  // namespace salus::frontend
