#include "console/console.h"

#include <pb_encode.h>

#include <cstring>

#include "console/decode.h"
#include "console/encode.h"

namespace salus::console {
namespace {

constexpr std::size_t kMaxLogBytes = 512;

// `scheme://user:password@host` without what stands before the @.
struct SplitUrl {
  Bytes scheme;  // with ://
  Bytes rest;
};

Bytes text_bytes(const char* text) { return Bytes(reinterpret_cast<const std::uint8_t*>(text), std::strlen(text)); }

SplitUrl without_user(const char* url) {
  const char* const mark = std::strstr(url, "://");
  const char* const authority = mark == nullptr ? url : mark + 3;
  const std::size_t length = std::strcspn(authority, "/?#");
  std::size_t host = 0;
  for (std::size_t i = 0; i < length; ++i) {
    if (authority[i] == '@') host = i + 1;  // the last one: a password may hold another
  }
  return {text_bytes(url).first(static_cast<std::size_t>(authority - url)), text_bytes(authority + host)};
}

bool put_url(pb_ostream_t* stream, const pb_field_iter_t* field, void* const* arg) {
  const SplitUrl& url = *static_cast<const SplitUrl*>(*arg);
  return pb_encode_tag_for_field(stream, field) && pb_encode_varint(stream, url.scheme.size() + url.rest.size()) &&
         pb_write(stream, url.scheme.data(), url.scheme.size()) && pb_write(stream, url.rest.data(), url.rest.size());
}

}  // namespace

Console::Console(Writer& writer, Handler& handler, MutableBytes memory)
    : reader_(memory), writer_(writer), handler_(handler) {}

void Console::feed(Bytes received) {
  MutableBytes frame;
  while (reader_.next(received, frame)) serve(frame);
}

bool Console::log(Level level, const char* text, std::uint64_t uptime_ms) {
  salus_console_v1_Log message = salus_console_v1_Log_init_zero;
  const std::size_t length = std::strlen(text);
  const Bytes bytes = text_bytes(text).first(length < kMaxLogBytes ? length : kMaxLogBytes);
  message.level = static_cast<salus_console_v1_Log_Level>(level);
  message.uptime_ms = uptime_ms;
  set_bytes(message.text, bytes);
  return send(0, salus_console_v1_Frame_log_tag, &message);
}

bool Console::link_open(const LinkOpen& link) { return say_link(0, link); }

bool Console::link_close() {
  const salus_console_v1_LinkClose message = salus_console_v1_LinkClose_init_zero;
  return send(0, salus_console_v1_Frame_link_close_tag, &message);
}

bool Console::publish(std::uint32_t id, const char* topic, Bytes payload, bool retain) {
  salus_console_v1_Publish message = salus_console_v1_Publish_init_zero;
  message.id = id;
  message.retain = retain;
  set_text(message.topic, topic);
  set_bytes(message.payload, payload);
  return send(0, salus_console_v1_Frame_publish_tag, &message);
}

bool Console::say_link(std::uint32_t request_id, const LinkOpen& link) {
  salus_console_v1_LinkOpen message = salus_console_v1_LinkOpen_init_zero;
  const SplitUrl url = without_user(link.url);
  message.url.funcs.encode = put_url;
  message.url.arg = const_cast<SplitUrl*>(&url);
  set_text(message.client_id, link.client_id);
  const Bytes ca_pem = text_bytes(link.ca_pem);
  set_bytes(message.ca_pem, ca_pem);
  set_texts(message.topics, link.topics);
  set_text(message.will_topic, link.will_topic);
  set_bytes(message.will_payload, link.will_payload);
  return send(request_id, salus_console_v1_Frame_link_open_tag, &message);
}

salus_console_v1_ConsoleCounters Console::counters() const {
  const ReaderCounters& read = reader_.counters();
  salus_console_v1_ConsoleCounters counters = salus_console_v1_ConsoleCounters_init_zero;
  counters.received_bytes = read.received_bytes;
  counters.frames = read.frames;
  counters.noise_bytes = read.noise_bytes;
  counters.damaged_frames = read.damaged_frames;
  counters.long_frames = read.long_frames;
  counters.malformed_frames = malformed_frames_;
  counters.lost_writes = writer_.lost_frames();
  return counters;
}

void Console::serve(MutableBytes frame) {
  Envelope envelope;
  if (!decode_envelope(frame, envelope)) {
    ++malformed_frames_;  // and no answer: a request id out of it would be a guess
    return;
  }
  Request request{envelope.request_id, envelope.tag, envelope.body, false};
  const Outcome outcome = envelope.version == kVersion
                              ? dispatch(request)
                              : Outcome{"version", "this device speaks version 1 of the console"};
  if (!request.answered) finish(request, outcome);
}

void Console::finish(const Request& request, const Outcome& outcome) {
  if (request.id == 0) return;
  if (outcome.done()) {
    const salus_console_v1_Done message = salus_console_v1_Done_init_zero;
    send(request.id, salus_console_v1_Frame_done_tag, &message);
    return;
  }
  salus_console_v1_Failure message = salus_console_v1_Failure_init_zero;
  set_text(message.code, outcome.code);
  set_text(message.detail, outcome.detail);
  send(request.id, salus_console_v1_Frame_failure_tag, &message);
}

bool Console::send(std::uint32_t request_id, std::uint32_t tag, const void* message) {
  return encode_frame(writer_, request_id, tag, message) == Sent::kYes;
}

}  // namespace salus::console
