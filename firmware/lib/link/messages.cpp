#include "link/messages.h"

#include "link.pb.h"
#include "link/writing.h"

namespace salus {
namespace {

bool is_empty(const char* text) { return text == nullptr || text[0] == '\0'; }

bool is_label(const LabelMessage& label) {
  constexpr std::uint64_t kTimes = std::uint64_t{1} << 63;
  return !is_empty(label.id) && !is_empty(label.label) && !is_empty(label.source) && !is_empty(label.task) &&
         label.start_ms < label.end_ms && label.end_ms < kTimes;
}

salus_link_v1_ReleaseStatus release_status(const ReleaseStatusMessage& status) {
  salus_link_v1_ReleaseStatus to = salus_link_v1_ReleaseStatus_init_zero;
  to.version = status.version;
  to.progress = static_cast<salus_link_v1_ReleaseStatus_Progress>(status.progress);
  to.next_offset = status.next_offset;
  to.code = writes_text(status.code);
  to.personal = status.personal;
  return to;
}

bool write_labels(pb_ostream_t* stream, const pb_field_t* field, void* const* argument) {
  for (const LabelMessage& each : *static_cast<const Span<const LabelMessage>*>(*argument)) {
    salus_link_v1_Label label = salus_link_v1_Label_init_zero;
    label.id = writes_text(each.id);
    label.start_ms = each.start_ms;
    label.end_ms = each.end_ms;
    label.label = writes_text(each.label);
    label.source = writes_text(each.source);
    label.task = writes_text(each.task);
    if (!pb_encode_tag_for_field(stream, field)) return false;
    if (!pb_encode_submessage(stream, salus_link_v1_Label_fields, &label)) return false;
  }
  return true;
}

}  // namespace

LinkStatus encode_state(const StateMessage& state, MutableBytes out, Bytes& message) {
  salus_link_v1_State to = salus_link_v1_State_init_zero;
  to.link = state.leaving ? salus_link_v1_State_Link_LEAVING : salus_link_v1_State_Link_ONLINE;
  to.task = writes_text(state.task);
  to.model_version = state.model_version;
  to.base_sha256 = writes_bytes(state.base_sha256);
  to.ring_packets = state.ring_packets;
  to.dropped_packets = state.dropped_packets;
  to.clock_ms = state.clock_ms;
  to.calibrating = state.calibrating;
  to.personal_version = state.personal_version;
  return write_message(salus_link_v1_State_fields, &to, out, message);
}

LinkStatus encode_release_status(const ReleaseStatusMessage& status, MutableBytes out, Bytes& message) {
  const salus_link_v1_ReleaseStatus to = release_status(status);
  return write_message(salus_link_v1_ReleaseStatus_fields, &to, out, message);
}

LinkStatus encode_event(const EventMessage& event, MutableBytes out, Bytes& message) {
  salus_link_v1_Event to = salus_link_v1_Event_init_zero;
  to.kind = static_cast<salus_link_v1_Event_Kind>(event.kind);
  to.at_ms = event.at_ms;
  to.code = writes_text(event.code);
  to.detail = writes_text(event.detail);
  if (event.release != nullptr) {
    to.has_release = true;
    to.release = release_status(*event.release);
  }
  return write_message(salus_link_v1_Event_fields, &to, out, message);
}

LinkStatus encode_labels(Span<const LabelMessage> labels, MutableBytes out, Bytes& message) {
  if (labels.empty()) return LinkStatus::kMalformed;
  for (const LabelMessage& each : labels) {
    if (!is_label(each)) return LinkStatus::kMalformed;
  }
  salus_link_v1_Labels to = salus_link_v1_Labels_init_zero;
  to.labels.funcs.encode = write_labels;
  to.labels.arg = &labels;
  return write_message(salus_link_v1_Labels_fields, &to, out, message);
}

}  // namespace salus
