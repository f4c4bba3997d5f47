// What a wearable does when the console asks. One method per command; the console has checked each message's form.
// A request may come twice (its answer was lost): the second time must do no harm.
#pragma once

#include <cstdint>

#include "base/span.h"
#include "console/messages.h"

namespace salus::console {

class Handler {
 public:
  virtual ~Handler() = default;
  virtual Outcome hello(HelloReply& reply) = 0;  // the console fills in max_frame_bytes
  virtual Outcome provision(const Provision& request) = 0;
  virtual Outcome status(Status& reply) = 0;
  virtual Outcome inject_samples(const InjectSamples& request, InjectReply& reply) = 0;
  virtual Outcome run_golden(bool personal, GoldenResult& reply) = 0;
  virtual Outcome run_inference(Span<const std::int8_t> input, bool personal, InferenceResult& reply) = 0;
  virtual Outcome set_clock(std::uint64_t clock_ms) = 0;
  // A serialised release message in; the release status out, a view that lives until the next call; may be empty.
  virtual Outcome release(Bytes message, Bytes& status) = 0;
  virtual Outcome say_labels(Bytes labels) = 0;  // serialised salus.link.v1.Labels
  virtual Outcome control_link(bool up) = 0;
  // The answer is sent first when these two only take note, and act once `Console::feed` has returned.
  virtual Outcome reset() = 0;
  virtual Outcome factory_erase() = 0;
  virtual Outcome statistics(Statistics& reply) = 0;  // the console fills in its own counters
};

// The wearable's end of the serial-to-MQTT bridge: a Network whose packets travel as frames.
class Carried {
 public:
  virtual ~Carried() = default;
  // A host carries packets from now on. False: no link is wanted now; else `link` says which.
  [[nodiscard]] virtual bool bridge_started(LinkOpen& link) = 0;
  virtual void link_state(bool up) = 0;
  virtual void published(std::uint32_t id) = 0;
  virtual Outcome delivered(const char* topic, Bytes payload) = 0;  // code "busy": say it again later
};

}  // namespace salus::console
