#include "console/encode.h"

#include <pb_encode.h>

#include <cstring>

#include "console/console.h"

namespace salus::console {
namespace {

// What a device says. Empty messages share the fields of Done: there are none.
const pb_msgdesc_t* fields_of(std::uint32_t tag) {
  switch (tag) {
    case salus_console_v1_Frame_hello_reply_tag:
      return salus_console_v1_HelloReply_fields;
    case salus_console_v1_Frame_status_tag:
      return salus_console_v1_Status_fields;
    case salus_console_v1_Frame_inference_result_tag:
      return salus_console_v1_InferenceResult_fields;
    case salus_console_v1_Frame_statistics_tag:
      return salus_console_v1_Statistics_fields;
    case salus_console_v1_Frame_failure_tag:
      return salus_console_v1_Failure_fields;
    case salus_console_v1_Frame_log_tag:
      return salus_console_v1_Log_fields;
    case salus_console_v1_Frame_inject_reply_tag:
      return salus_console_v1_InjectReply_fields;
    case salus_console_v1_Frame_golden_result_tag:
      return salus_console_v1_GoldenResult_fields;
    case salus_console_v1_Frame_release_reply_tag:
      return salus_console_v1_ReleaseReply_fields;
    case salus_console_v1_Frame_echo_tag:
      return salus_console_v1_Echo_fields;
    case salus_console_v1_Frame_link_open_tag:
      return salus_console_v1_LinkOpen_fields;
    case salus_console_v1_Frame_publish_tag:
      return salus_console_v1_Publish_fields;
    default:
      return salus_console_v1_Done_fields;
  }
}

bool write_on(pb_ostream_t* stream, const pb_byte_t* data, std::size_t size) {
  static_cast<FrameWriter*>(stream->state)->append(Bytes(data, size));
  return true;
}

bool write_envelope(pb_ostream_t* stream, std::uint32_t request_id, std::uint32_t tag, std::size_t size) {
  bool written =
      pb_encode_tag(stream, PB_WT_VARINT, salus_console_v1_Frame_version_tag) && pb_encode_varint(stream, kVersion);
  if (request_id != 0) {
    written = written && pb_encode_tag(stream, PB_WT_VARINT, salus_console_v1_Frame_request_id_tag) &&
              pb_encode_varint(stream, request_id);
  }
  return written && pb_encode_tag(stream, PB_WT_STRING, tag) && pb_encode_varint(stream, size);
}

bool put(pb_ostream_t* stream, const pb_field_iter_t* field, const void* data, std::size_t size) {
  if (size == 0) return true;
  return pb_encode_tag_for_field(stream, field) && pb_encode_string(stream, static_cast<const pb_byte_t*>(data), size);
}

bool put_bytes(pb_ostream_t* stream, const pb_field_iter_t* field, void* const* arg) {
  const Bytes& bytes = *static_cast<const Bytes*>(*arg);
  return put(stream, field, bytes.data(), bytes.size());
}

bool put_text(pb_ostream_t* stream, const pb_field_iter_t* field, void* const* arg) {
  const char* const text = *static_cast<const char* const*>(*arg);
  return put(stream, field, text, std::strlen(text));
}

bool put_texts(pb_ostream_t* stream, const pb_field_iter_t* field, void* const* arg) {
  for (const char* const text : *static_cast<const Span<const char* const>*>(*arg)) {
    if (!put(stream, field, text, std::strlen(text))) return false;
  }
  return true;
}

// nanopb's argument is not const, and encoding does not write through it.
void set(pb_callback_t& field, bool (*put_field)(pb_ostream_t*, const pb_field_iter_t*, void* const*), const void* of) {
  field.funcs.encode = put_field;
  field.arg = const_cast<void*>(of);
}

}  // namespace

Sent encode_frame(FrameWriter& writer, std::uint32_t request_id, std::uint32_t tag, const void* message) {
  const pb_msgdesc_t* const fields = fields_of(tag);
  pb_ostream_t sizing = PB_OSTREAM_SIZING;
  std::size_t size = 0;
  if (!pb_get_encoded_size(&size, fields, message) || !write_envelope(&sizing, request_id, tag, size) ||
      sizing.bytes_written + size > kMaxFrameBytes) {
    return Sent::kTooLong;
  }
  pb_ostream_t stream{};
  stream.callback = write_on;
  stream.state = &writer;
  stream.max_size = kMaxFrameBytes;
  writer.begin();
  const bool encoded = write_envelope(&stream, request_id, tag, size) && pb_encode(&stream, fields, message);
  return writer.end() && encoded ? Sent::kYes : Sent::kLost;
}

void set_bytes(pb_callback_t& field, const Bytes& bytes) { set(field, put_bytes, &bytes); }
void set_text(pb_callback_t& field, const char* const& text) { set(field, put_text, &text); }
void set_texts(pb_callback_t& field, const Span<const char* const>& texts) { set(field, put_texts, &texts); }

}  // namespace salus::console
