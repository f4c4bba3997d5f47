#include <cmath>

#include "link.pb.h"
#include "link/messages.h"
#include "link/writing.h"

namespace salus {
namespace {

constexpr double kInt16Max = 32767.0;
constexpr float kLargest = 1e38F;  // so that int16 * scale stays a float
constexpr std::uint64_t kTimes = std::uint64_t{1} << 62;

struct Batch {
  Span<const WindowView> windows;
  double scale;
};

bool fits(const WindowsHeader& header, Span<const WindowView> windows) {
  if (header.consent.size() != kConsentBytes || windows.empty()) return false;
  if (header.samples == 0 || header.channels == 0 || windows[0].start_ms >= kTimes) return false;
  for (const WindowView& each : windows) {
    const bool shaped = each.values.size() / header.channels == header.samples &&
                        each.values.size() % header.channels == 0 && each.aux.size() == windows[0].aux.size();
    const bool in_time = each.start_ms >= windows[0].start_ms && each.start_ms - windows[0].start_ms <= UINT32_MAX;
    if (!shaped || !in_time) return false;
  }
  return true;
}

// The largest magnitude; above kLargest, or NaN, when one value is not to be sent.
float peak_of(Span<const WindowView> windows) {
  float peak = 0.0F;
  for (const WindowView& each : windows) {
    for (const float value : each.values) {
      if (!(std::fabs(value) <= kLargest)) return std::fabs(value);
      peak = std::fmax(peak, std::fabs(value));
    }
  }
  return peak;
}

// double, as the gateway's own code does: the quotient of two floats would round some halves to the other side.
std::int16_t quantised(float value, double scale) {
  const double steps = std::nearbyint(static_cast<double>(value) / scale);
  return static_cast<std::int16_t>(std::fmin(std::fmax(steps, -kInt16Max), kInt16Max));
}

// (samples, channels) as int16 bytes, made as they are written: no second copy of a window in memory.
struct Values {
  Span<const float> values;
  double scale;
};

bool write_values(pb_ostream_t* stream, const pb_field_t* field, void* const* argument) {
  const auto& from = *static_cast<const Values*>(*argument);
  if (!pb_encode_tag_for_field(stream, field) || !pb_encode_varint(stream, 2 * from.values.size())) return false;
  if (stream->callback == nullptr) return pb_write(stream, nullptr, 2 * from.values.size());  // only sizes it
  for (const float value : from.values) {
    const auto bits = static_cast<std::uint16_t>(quantised(value, from.scale));
    const pb_byte_t bytes[2] = {static_cast<pb_byte_t>(bits), static_cast<pb_byte_t>(bits >> 8)};
    if (!pb_write(stream, bytes, sizeof(bytes))) return false;
  }
  return true;
}

bool write_windows(pb_ostream_t* stream, const pb_field_t* field, void* const* argument) {
  const auto& batch = *static_cast<const Batch*>(*argument);
  for (const WindowView& each : batch.windows) {
    Values values{each.values, batch.scale};
    salus_link_v1_Window window = salus_link_v1_Window_init_zero;
    window.offset_ms = static_cast<std::uint32_t>(each.start_ms - batch.windows[0].start_ms);
    window.values.funcs.encode = write_values;
    window.values.arg = &values;
    window.aux = writes_int16(each.aux);
    if (!pb_encode_tag_for_field(stream, field)) return false;
    if (!pb_encode_submessage(stream, salus_link_v1_Window_fields, &window)) return false;
  }
  return true;
}

}  // namespace

LinkStatus encode_windows(const WindowsHeader& header, Span<const WindowView> windows, MutableBytes out,
                          Bytes& message) {
  if (!fits(header, windows)) return LinkStatus::kMalformed;
  const float peak = peak_of(windows);
  if (!(peak <= kLargest)) return LinkStatus::kMalformed;
  float scale = static_cast<float>(static_cast<double>(peak) / kInt16Max);
  if (scale == 0.0F) scale = 1.0F;  // too small for a float: all zeros at any scale

  Batch batch{windows, static_cast<double>(scale)};
  salus_link_v1_Windows to = salus_link_v1_Windows_init_zero;
  to.task = writes_text(header.task);
  to.window_start_ms = windows[0].start_ms;
  to.window_duration_ms = header.window_duration_ms;
  to.samples = header.samples;
  to.channels = header.channels;
  to.scale = scale;
  to.windows.funcs.encode = write_windows;
  to.windows.arg = &batch;
  to.consent = writes_bytes(header.consent);
  return write_message(salus_link_v1_Windows_fields, &to, out, message);
}

}  // namespace salus
