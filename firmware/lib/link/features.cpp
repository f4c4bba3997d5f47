#include "link.pb.h"
#include "link/messages.h"
#include "link/writing.h"

namespace salus {
namespace {

constexpr std::uint64_t kTimes = std::uint64_t{1} << 62;  // the gateway takes no start from here on

bool write_feature(pb_ostream_t* stream, const salus_link_v1_Feature& feature) {
  return pb_encode_tag(stream, PB_WT_STRING, salus_link_v1_Features_features_tag) &&
         pb_encode_submessage(stream, salus_link_v1_Feature_fields, &feature);
}

}  // namespace

LinkStatus FeaturesEncoder::begin(const FeaturesHeader& header, MutableBytes out, std::uint64_t first_start_ms) {
  *this = FeaturesEncoder();
  if (first_start_ms >= kTimes) return LinkStatus::kMalformed;
  salus_link_v1_Features to = salus_link_v1_Features_init_zero;
  to.task = writes_text(header.task);
  to.model_version = header.model_version;
  to.base_sha256 = writes_bytes(header.base_sha256);
  to.window_start_ms = first_start_ms;
  to.window_duration_ms = header.window_duration_ms;
  Bytes message;
  const LinkStatus status = write_message(salus_link_v1_Features_fields, &to, out, message);
  if (status != LinkStatus::kOk) return status;
  out_ = out;
  used_ = message.size();
  first_start_ms_ = first_start_ms;
  return LinkStatus::kOk;
}

LinkStatus FeaturesEncoder::add(std::uint64_t start_ms, Span<const std::int8_t> values, Span<const std::int16_t> aux) {
  const bool alike = count_ == 0 || (values.size() == values_ && aux.size() == aux_);
  if (used_ == 0 || !alike || values.empty() || start_ms < first_start_ms_) return LinkStatus::kMalformed;
  const std::uint64_t offset_ms = start_ms - first_start_ms_;
  if (offset_ms > UINT32_MAX) return LinkStatus::kMalformed;

  salus_link_v1_Feature feature = salus_link_v1_Feature_init_zero;
  const Bytes value_bytes(reinterpret_cast<const std::uint8_t*>(values.data()), values.size());
  feature.offset_ms = static_cast<std::uint32_t>(offset_ms);
  feature.values = writes_bytes(value_bytes);
  feature.aux = writes_int16(aux);
  const MutableBytes room = out_.from(used_);
  pb_ostream_t stream = pb_ostream_from_buffer(room.data(), room.size());
  if (!write_feature(&stream, feature)) return LinkStatus::kTooLarge;
  used_ += stream.bytes_written;
  values_ = values.size();
  aux_ = aux.size();
  ++count_;
  return LinkStatus::kOk;
}

Bytes FeaturesEncoder::take() {
  const Bytes message = out_.first(used_);
  *this = FeaturesEncoder();
  return message;
}

}  // namespace salus
