// Which request calls what. A reply is sent from here; Done and Failure by `Console::serve`.
#include "console/console.h"
#include "console/decode.h"
#include "console/encode.h"

namespace salus::console {
namespace {

constexpr Outcome kDone{};

Outcome malformed(const char* why) { return {"malformed", why}; }

Span<const std::int8_t> signed_bytes(Bytes bytes) {
  return Span<const std::int8_t>(reinterpret_cast<const std::int8_t*>(bytes.data()), bytes.size());
}

Bytes unsigned_bytes(Span<const std::int8_t> bytes) {
  return Bytes(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

}  // namespace

Outcome Console::dispatch(Request& request) {
  switch (request.tag) {
    case salus_console_v1_Frame_hello_tag:
      return serve_hello(request);
    case salus_console_v1_Frame_provision_tag:
      return serve_provision(request);
    case salus_console_v1_Frame_status_request_tag:
      return serve_status(request);
    case salus_console_v1_Frame_inject_samples_tag:
      return serve_inject_samples(request);
    case salus_console_v1_Frame_run_golden_tag:
      return serve_run_golden(request);
    case salus_console_v1_Frame_run_inference_tag:
      return serve_run_inference(request);
    case salus_console_v1_Frame_set_clock_tag:
      return serve_set_clock(request);
    case salus_console_v1_Frame_release_chunk_tag:
      return serve_release(request);
    case salus_console_v1_Frame_say_labels_tag:
      return serve_say_labels(request);
    case salus_console_v1_Frame_link_control_tag:
      return serve_control_link(request);
    case salus_console_v1_Frame_reset_tag:
      return handler_.reset();
    case salus_console_v1_Frame_factory_erase_tag:
      return handler_.factory_erase();
    case salus_console_v1_Frame_statistics_request_tag:
      return serve_statistics(request);
    case salus_console_v1_Frame_echo_tag:
      return serve_echo(request);
    default:
      return dispatch_carried(request);
  }
}

Outcome Console::dispatch_carried(Request& request) {
  if (carried_ == nullptr) return {"unsupported", "no such request on this device"};
  switch (request.tag) {
    case salus_console_v1_Frame_bridge_start_tag:
      return serve_bridge_start(request);
    case salus_console_v1_Frame_link_state_tag:
      return serve_link_state(request);
    case salus_console_v1_Frame_publish_done_tag:
      return serve_publish_done(request);
    case salus_console_v1_Frame_deliver_tag:
      return serve_deliver(request);
    default:
      return {"unsupported", "no such request on this device"};
  }
}

Outcome Console::reply(Request& request, std::uint32_t tag, const void* message) {
  request.answered = true;
  if (request.id == 0) return kDone;
  // An answer that the port did not take is lost, as any frame may be: the host asks again.
  if (encode_frame(writer_, request.id, tag, message) != Sent::kTooLong) return kDone;
  request.answered = false;
  return {"too_large", "the answer does not fit a frame"};
}

Outcome Console::serve_hello(Request& request) {
  HelloReply message = salus_console_v1_HelloReply_init_zero;
  const Outcome outcome = handler_.hello(message);
  if (!outcome.done()) return outcome;
  message.max_frame_bytes = static_cast<std::uint32_t>(reader_.max_frame_bytes());
  return reply(request, salus_console_v1_Frame_hello_reply_tag, &message);
}

Outcome Console::serve_provision(const Request& request) {
  Provision provision;
  const char* why = "";
  if (!decode_provision(request.body, provision, why)) return malformed(why);
  return handler_.provision(provision);
}

Outcome Console::serve_status(Request& request) {
  Status message = salus_console_v1_Status_init_zero;
  const Outcome outcome = handler_.status(message);
  return outcome.done() ? reply(request, salus_console_v1_Frame_status_tag, &message) : outcome;
}

Outcome Console::serve_inject_samples(Request& request) {
  InjectSamples samples;
  const char* why = "";
  if (!decode_inject_samples(request.body, samples, why)) return malformed(why);
  InjectReply message = salus_console_v1_InjectReply_init_zero;
  const Outcome outcome = handler_.inject_samples(samples, message);
  return outcome.done() ? reply(request, salus_console_v1_Frame_inject_reply_tag, &message) : outcome;
}

Outcome Console::serve_run_golden(Request& request) {
  salus_console_v1_RunGolden wanted = salus_console_v1_RunGolden_init_zero;
  if (!decode_numbers(request.body, salus_console_v1_RunGolden_msg, wanted)) return malformed("no RunGolden");
  GoldenResult message = salus_console_v1_GoldenResult_init_zero;
  const Outcome outcome = handler_.run_golden(wanted.personal, message);
  return outcome.done() ? reply(request, salus_console_v1_Frame_golden_result_tag, &message) : outcome;
}

Outcome Console::serve_run_inference(Request& request) {
  Bytes input;
  bool personal = false;
  if (!decode_run_inference(request.body, input, personal)) return malformed("no RunInference");
  InferenceResult result;
  const Outcome outcome = handler_.run_inference(signed_bytes(input), personal, result);
  if (!outcome.done()) return outcome;
  salus_console_v1_InferenceResult message = salus_console_v1_InferenceResult_init_zero;
  const Bytes output = unsigned_bytes(result.output);
  set_bytes(message.output, output);
  message.duration_us = result.duration_us;
  return reply(request, salus_console_v1_Frame_inference_result_tag, &message);
}

Outcome Console::serve_set_clock(const Request& request) {
  salus_console_v1_SetClock message = salus_console_v1_SetClock_init_zero;
  if (!decode_numbers(request.body, salus_console_v1_SetClock_msg, message) || message.clock_ms == 0) {
    return malformed("a clock is set to Unix milliseconds above 0");
  }
  return handler_.set_clock(message.clock_ms);
}

Outcome Console::serve_release(Request& request) {
  Bytes bytes;
  if (!decode_bytes(request.body, bytes)) return malformed("no ReleaseChunk");
  Bytes status;
  const Outcome outcome = handler_.release(bytes, status);
  if (!outcome.done()) return outcome;
  salus_console_v1_ReleaseReply message = salus_console_v1_ReleaseReply_init_zero;
  set_bytes(message.status, status);
  return reply(request, salus_console_v1_Frame_release_reply_tag, &message);
}

Outcome Console::serve_say_labels(const Request& request) {
  Bytes labels;
  if (!decode_bytes(request.body, labels)) return malformed("no SayLabels");
  return handler_.say_labels(labels);
}

Outcome Console::serve_control_link(const Request& request) {
  salus_console_v1_LinkControl message = salus_console_v1_LinkControl_init_zero;
  if (!decode_numbers(request.body, salus_console_v1_LinkControl_msg, message)) return malformed("no LinkControl");
  return handler_.control_link(message.up);
}

Outcome Console::serve_statistics(Request& request) {
  Statistics message = salus_console_v1_Statistics_init_zero;
  const Outcome outcome = handler_.statistics(message);
  if (!outcome.done()) return outcome;
  message.has_console = true;
  message.console = counters();
  return reply(request, salus_console_v1_Frame_statistics_tag, &message);
}

Outcome Console::serve_echo(Request& request) {
  Bytes data;
  if (!decode_bytes(request.body, data)) return malformed("no Echo");
  salus_console_v1_Echo message = salus_console_v1_Echo_init_zero;
  set_bytes(message.data, data);
  return reply(request, salus_console_v1_Frame_echo_tag, &message);
}

Outcome Console::serve_bridge_start(Request& request) {
  LinkOpen link;
  if (!carried_->bridge_started(link)) return kDone;
  request.answered = true;
  if (request.id != 0) say_link(request.id, link);
  return kDone;
}

Outcome Console::serve_link_state(const Request& request) {
  salus_console_v1_LinkState message = salus_console_v1_LinkState_init_zero;
  if (!decode_numbers(request.body, salus_console_v1_LinkState_msg, message)) return malformed("no LinkState");
  carried_->link_state(message.up);
  return kDone;
}

Outcome Console::serve_publish_done(const Request& request) {
  salus_console_v1_PublishDone message = salus_console_v1_PublishDone_init_zero;
  if (!decode_numbers(request.body, salus_console_v1_PublishDone_msg, message)) return malformed("no PublishDone");
  carried_->published(message.id);
  return kDone;
}

Outcome Console::serve_deliver(const Request& request) {
  const char* topic = "";
  Bytes payload;
  const char* why = "";
  if (!decode_deliver(request.body, topic, payload, why)) return malformed(why);
  return carried_->delivered(topic, payload);
}

}  // namespace salus::console
