#include "frontend/front_end.h"

#include <cmath>
#include <cstring>

#include "frontend/pipeline.h"

namespace salus {
namespace {

// `keep` gives this mark, then the rotation, row by row, as the doubles lie in memory: it never leaves the device.
constexpr char kMark[8] = {'o', 'r', 'i', 'e', 'n', 't', '1', '\0'};
static_assert(sizeof(kMark) + sizeof(frontend::Rotation) == FrontEnd::kKeptBytes, "a mark and nine doubles");

bool is_rotation(const frontend::Rotation& rotation) {
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      double product = 0.0;
      for (std::size_t k = 0; k < 3; ++k) product += rotation.rows[i][k] * rotation.rows[j][k];
      if (!(std::fabs(product - (i == j ? 1.0 : 0.0)) < 1e-6)) return false;
    }
  }
  return true;
}

}  // namespace

const char* code_of(FrontEndStatus status) {
  switch (status) {
    case FrontEndStatus::kOk:
      return "ok";
    case FrontEndStatus::kMalformed:
      return "malformed";
    case FrontEndStatus::kWrongFrontEnd:
      return "wrong_frontend";
    case FrontEndStatus::kMemoryTooSmall:
      return "memory_too_small";
    case FrontEndStatus::kNotConfigured:
      return "not_configured";
    case FrontEndStatus::kNotFinite:
      return "not_finite";
  }
  return "unknown";
}

FrontEndStatus FrontEnd::configure(Bytes serialised, std::size_t raw_channels, MutableBytes memory) {
  pipeline_ = nullptr;
  used_bytes_ = 0;
  frontend::Declaration declaration;
  if (!frontend::read_declaration(serialised, declaration)) return FrontEndStatus::kMalformed;
  frontend::Memory room(memory);
  auto* pipeline = room.make<frontend::Pipeline>();
  if (pipeline == nullptr) return FrontEndStatus::kMemoryTooSmall;
  const FrontEndStatus status = pipeline->build(declaration, raw_channels, wrist_, room);
  if (status != FrontEndStatus::kOk) return status;
  pipeline_ = pipeline;
  used_bytes_ = room.used_bytes();
  return status;
}

FrontEndStatus FrontEnd::push(Span<const float> samples, double t0_ms, WindowSink& sink) {
  return pipeline_ == nullptr ? FrontEndStatus::kNotConfigured : pipeline_->push(samples, t0_ms, sink);
}

void FrontEnd::reset() {
  if (pipeline_ != nullptr) pipeline_->end_stretch();
}

void FrontEnd::don() {
  if (pipeline_ != nullptr) pipeline_->don();
}

std::size_t FrontEnd::keep(MutableBytes out) const {
  const frontend::Orient* orient = pipeline_ == nullptr ? nullptr : pipeline_->orient();
  if (orient == nullptr || orient->rotation() == nullptr || out.size() < kKeptBytes) return 0;
  std::memcpy(out.data(), kMark, sizeof(kMark));
  std::memcpy(out.data() + sizeof(kMark), orient->rotation(), sizeof(frontend::Rotation));
  return kKeptBytes;
}

FrontEndStatus FrontEnd::restore(Bytes kept) {
  if (pipeline_ == nullptr) return FrontEndStatus::kNotConfigured;
  if (pipeline_->orient() == nullptr) return FrontEndStatus::kWrongFrontEnd;
  frontend::Rotation rotation;
  if (kept.size() != kKeptBytes || std::memcmp(kept.data(), kMark, sizeof(kMark)) != 0) {
    return FrontEndStatus::kMalformed;
  }
  std::memcpy(&rotation, kept.data() + sizeof(kMark), sizeof(rotation));
  if (!is_rotation(rotation)) return FrontEndStatus::kMalformed;
  pipeline_->orient()->set_rotation(rotation);
  return FrontEndStatus::kOk;
}

std::size_t FrontEnd::rows() const { return pipeline_ == nullptr ? 0 : pipeline_->outlet().rows; }
std::size_t FrontEnd::channels() const { return pipeline_ == nullptr ? 0 : pipeline_->outlet().channels; }
std::size_t FrontEnd::aux_values() const { return pipeline_ == nullptr ? 0 : pipeline_->aux_values(); }
std::uint32_t FrontEnd::duration_ms() const { return pipeline_ == nullptr ? 0 : pipeline_->duration_ms(); }
std::size_t FrontEnd::raw_channels() const { return pipeline_ == nullptr ? 0 : pipeline_->raw_channels(); }
float FrontEnd::rate_hz() const { return pipeline_ == nullptr ? 0.0F : static_cast<float>(pipeline_->raw_rate_hz()); }

void quantise(Span<const float> values, float scale, std::int32_t zero_point, Span<std::int8_t> out) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double step = std::rint(static_cast<double>(values[i]) / static_cast<double>(scale)) + zero_point;
    // Compared so that what is no number ends at the lower bound: a cast of it would be undefined.
    out[i] = static_cast<std::int8_t>(step > 127.0 ? 127.0 : step > -128.0 ? step : -128.0);
  }
}

}  // namespace salus
