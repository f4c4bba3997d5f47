// The serial console of a wearable: bytes in, commands to a handler, answers, logs and carried packets out.
// firmware/proto/console.proto says what is on the wire. No heap, no clock, no driver; not for several threads at once.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/span.h"
#include "console/frame_reader.h"
#include "console/frame_writer.h"
#include "console/handler.h"
#include "console/messages.h"

namespace salus::console {

inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::size_t kMaxFrameBytes = 65536;  // of any frame; a board takes what its memory holds, and says so
inline constexpr std::size_t kEnvelopeBytes = 512;  // around the payload of a Deliver or Publish: topic, tags, lengths

class Console {
 public:
  // `memory` holds the frame that is being received: FrameReader::memory_bytes(longest frame to be taken).
  Console(Writer& writer, Handler& handler, MutableBytes memory);

  // Without one, the bridge's frames are refused `unsupported`.
  void set_carried(Carried* carried) { carried_ = carried; }

  // Bytes as the port gives them, any number at a time. Calls the handler for each whole request and answers it.
  void feed(Bytes received);

  // These return false when the port did not take the frame; it is lost then, and counted. They may be called from
  // within the handler.
  bool log(Level level, const char* text, std::uint64_t uptime_ms);
  bool link_open(const LinkOpen& link);
  bool link_close();
  bool publish(std::uint32_t id, const char* topic, Bytes payload, bool retain);

  [[nodiscard]] salus_console_v1_ConsoleCounters counters() const;

 private:
  struct Request {
    std::uint32_t id = 0;
    std::uint32_t tag = 0;  // of the body
    MutableBytes body;
    bool answered = false;
  };

  void serve(MutableBytes frame);
  void finish(const Request& request, const Outcome& outcome);
  bool send(std::uint32_t request_id, std::uint32_t tag, const void* message);
  bool say_link(std::uint32_t request_id, const LinkOpen& link);
  Outcome reply(Request& request, std::uint32_t tag, const void* message);

  Outcome dispatch(Request& request);
  Outcome dispatch_carried(Request& request);
  Outcome serve_hello(Request& request);
  Outcome serve_provision(const Request& request);
  Outcome serve_status(Request& request);
  Outcome serve_inject_samples(Request& request);
  Outcome serve_run_golden(Request& request);
  Outcome serve_run_inference(Request& request);
  Outcome serve_set_clock(const Request& request);
  Outcome serve_release(Request& request);
  Outcome serve_say_labels(const Request& request);
  Outcome serve_control_link(const Request& request);
  Outcome serve_statistics(Request& request);
  Outcome serve_echo(Request& request);
  Outcome serve_bridge_start(Request& request);
  Outcome serve_link_state(const Request& request);
  Outcome serve_publish_done(const Request& request);
  Outcome serve_deliver(const Request& request);

  FrameReader reader_;
  FrameWriter writer_;
  Handler& handler_;
  Carried* carried_ = nullptr;
  std::uint64_t malformed_frames_ = 0;
};

}  // namespace salus::console
