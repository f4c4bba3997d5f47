#include <algorithm>
#include <cstring>

#include "link.pb.h"
#include "link/messages.h"
#include "link/reading.h"

namespace salus {
namespace {

// What of a Calibrate lies in the plaintext.
struct CalibrateViews {
  Bytes consent;
  Bytes base_sha256;
};

// nanopb calls this when it knows which command comes, before it reads that.
bool prepare(pb_istream_t*, const pb_field_t* field, void** argument) {
  if (field->tag != salus_link_v1_Command_calibrate_tag) return true;
  auto* views = static_cast<CalibrateViews*>(*argument);
  auto* calibrate = static_cast<salus_link_v1_Calibrate*>(field->pData);
  calibrate->consent = BufferReader::into(views->consent);
  calibrate->base_sha256 = BufferReader::into(views->base_sha256);
  return true;
}

bool read_range(pb_istream_t* stream, const pb_field_t*, void** argument) {
  salus_link_v1_Range range = salus_link_v1_Range_init_zero;
  if (!pb_decode(stream, salus_link_v1_Range_fields, &range)) return false;
  auto* reader = static_cast<AckReader*>(*argument);
  if (reader != nullptr) reader->has({range.boot, range.first_sequence, range.last_sequence});
  return true;
}

bool read_refusal(pb_istream_t* stream, const pb_field_t*, void** argument) {
  Bytes code;
  salus_link_v1_Refusal refusal = salus_link_v1_Refusal_init_zero;
  refusal.code = BufferReader::into(code);
  if (!pb_decode(stream, salus_link_v1_Refusal_fields, &refusal)) return false;
  auto* reader = static_cast<AckReader*>(*argument);
  if (reader == nullptr) return true;
  AckRefusal found{refusal.boot, refusal.sequence, {}};
  const std::size_t kept = std::min(code.size(), sizeof(found.code) - 1);
  if (kept != 0) std::memcpy(found.code, code.data(), kept);
  reader->refuses(found);
  return true;
}

bool read_ack(Bytes plaintext, AckReader* reader) {
  salus_link_v1_Ack ack = salus_link_v1_Ack_init_zero;
  ack.ranges.funcs.decode = read_range;
  ack.ranges.arg = reader;
  ack.refusals.funcs.decode = read_refusal;
  ack.refusals.arg = reader;
  BufferReader from(plaintext);
  return pb_decode(from.stream(), salus_link_v1_Ack_fields, &ack);
}

}  // namespace

LinkStatus decode_command(Bytes plaintext, CommandMessage& command) {
  constexpr std::uint64_t kTimes = std::uint64_t{1} << 63;
  CalibrateViews views;
  salus_link_v1_Command from = salus_link_v1_Command_init_zero;
  from.cb_command.funcs.decode = prepare;
  from.cb_command.arg = &views;
  BufferReader reader(plaintext);
  if (!pb_decode(reader.stream(), salus_link_v1_Command_fields, &from)) return LinkStatus::kMalformed;
  switch (from.which_command) {
    case salus_link_v1_Command_calibrate_tag: {
      const std::uint64_t until_ms = from.command.calibrate.until_ms;
      if (until_ms != 0 && (views.consent.size() != kConsentBytes || until_ms >= kTimes)) {
        return LinkStatus::kMalformed;
      }
      command = {CommandKind::kCalibrate, until_ms, views.consent, views.base_sha256};
      return LinkStatus::kOk;
    }
    case salus_link_v1_Command_request_state_tag:
      command = {CommandKind::kRequestState, 0, {}, {}};
      return LinkStatus::kOk;
    default:
      return LinkStatus::kMalformed;
  }
}

LinkStatus decode_ack(Bytes plaintext, AckReader& reader) {
  // Once to see that it is one, then again to act: half of an ack is none.
  if (!read_ack(plaintext, nullptr)) return LinkStatus::kMalformed;
  return read_ack(plaintext, &reader) ? LinkStatus::kOk : LinkStatus::kMalformed;
}

}  // namespace salus
