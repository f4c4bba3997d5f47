// The wearable: what it measures, says, hears and keeps. `src/<board>` gives it its parts and calls `poll`.
//
//   samples -> front end -> quantise -> base model -> packets of features -> sealed -> ring -> network -> gateway
//   gateway -> network -> opened -> ack: the ring lets go; command: calibration; release: the updater
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/span.h"
#include "console/console.h"
#include "console/handler.h"
#include "link/counters.h"
#include "link/messages.h"
#include "link/opener.h"
#include "link/ring.h"
#include "link/topics.h"
#include "release/updater.h"
#include "wearable/calibration.h"
#include "wearable/measuring.h"
#include "wearable/outbox.h"
#include "wearable/parts.h"
#include "wearable/provisioning.h"
#include "wearable/speaker.h"
#include "wearable/tally.h"

namespace salus::wearable {

class Wearable final : public console::Handler, private Network::Listener, private AckReader, private Reporter {
 public:
  static constexpr std::uint64_t kIdleUs = 2'000'000;      // without samples, before what waits is sealed
  static constexpr std::uint64_t kSilenceUs = 15'000'000;  // of the gateway in a transfer, before its state is repeated
  static constexpr std::uint64_t kLeaveUs = 2'000'000;     // for the last State to reach the broker

  // `parts` and all that it refers to outlive the wearable. `memory` is aligned for float.
  Wearable(const Parts& parts, const Memory& memory);

  // Where logs go; before `start`, if at all.
  void set_console(console::Console* console) { console_ = console; }
  // Read what is kept and go to work.
  void start();
  // Do what there is to do now; returns soon.
  void poll();
  // Say goodbye; `poll` until `left`.
  void leave();
  [[nodiscard]] bool left() const { return phase_ == Phase::kLeft; }
  // When `poll` has something to do though nothing came; monotonic.
  [[nodiscard]] std::uint64_t due_us() const;

  // console::Handler (commands.cpp)
  console::Outcome hello(console::HelloReply& reply) override;
  console::Outcome provision(const console::Provision& request) override;
  console::Outcome status(console::Status& reply) override;
  console::Outcome inject_samples(const console::InjectSamples& request, console::InjectReply& reply) override;
  console::Outcome run_golden(bool personal, console::GoldenResult& reply) override;
  console::Outcome run_inference(Span<const std::int8_t> input, bool personal,
                                 console::InferenceResult& reply) override;
  console::Outcome set_clock(std::uint64_t clock_ms) override;
  console::Outcome release(Bytes message, Bytes& status) override;
  console::Outcome say_labels(Bytes labels) override;
  console::Outcome control_link(bool up) override;
  console::Outcome reset() override;
  console::Outcome factory_erase() override;
  console::Outcome statistics(console::Statistics& reply) override;

 private:
  enum class Phase : std::uint8_t { kWorking, kLeaving, kLeft };
  // A stretch of samples that a host injects.
  struct Piece {
    std::uint64_t start_ms = 0;
    std::uint64_t next_sample = 0;
    bool begun = false;
  };

  // wearable.cpp
  void start_link();
  void start_network();
  void stop_network(Network::Ending ending);
  void load_models();
  void read_sensor();
  void look_after_time();
  void send();
  [[nodiscard]] bool send_one();
  [[nodiscard]] bool send_state();
  void finish();
  [[nodiscard]] std::uint64_t now_ms() const;
  [[nodiscard]] std::uint64_t dropped_packets() const { return ring_.dropped(); }
  [[nodiscard]] std::uint64_t uptime_ms() const { return (parts_.clock.monotonic_us() - started_us_) / 1000; }
  [[nodiscard]] bool calibrating() const { return now_ms() < calibration_.until_ms(); }
  void look_at_calibration();
  void log(console::Level level, const char* format, ...) __attribute__((format(printf, 3, 4)));

  // hearing.cpp: Network::Listener, AckReader and what comes of them
  void connected() override;
  void disconnected() override;
  void received(const char* topic, Bytes payload) override;
  void published(std::uint32_t id) override;
  void has(const AckRange& range) override;
  void refuses(const AckRefusal& refusal) override;
  [[nodiscard]] const char* hear(const char* topic, Bytes payload);
  [[nodiscard]] const char* on_command(Bytes plaintext);
  void on_release(const release::Outcome& outcome);
  [[nodiscard]] static ReleaseStatusMessage release_status(const release::Outcome& outcome);
  void say_release(const release::Outcome& outcome);
  void say_event(const EventMessage& event);
  void alarm(std::uint64_t start_ms, std::uint32_t label, float probability) override;
  void fault(const char* code, const char* detail) override;

  // commands.cpp
  [[nodiscard]] release::Trust trust() const;
  [[nodiscard]] const char* take_piece(const console::InjectSamples& request);
  [[nodiscard]] std::uint32_t ring_capacity_packets() const;

  const Parts parts_;
  const Memory memory_;
  console::Console* console_ = nullptr;
  Counters counters_;
  Provisioning provisioning_;
  KeptTally tally_;
  Calibration calibration_;
  Ring ring_;
  Topics topics_;
  Opener opener_;
  Speaker speaker_;
  Outbox outbox_;
  release::Updater updater_;
  std::uint8_t golden_output_[kMaxOutputBytes] = {};
  std::uint8_t release_reply_[64] = {};
  Measuring measuring_;

  std::uint64_t started_us_ = 0;
  Phase phase_ = Phase::kWorking;
  bool restart_ = false;  // once left
  std::uint64_t leave_until_us_ = 0;

  char client_id_[sizeof "salus--" + 2 * kMaxIdLength] = {};
  const char* subscriptions_[3] = {};
  std::uint32_t network_generation_ = 0;  // of the broker that the network was started with
  bool link_wanted_ = true;
  bool network_started_ = false;
  bool connected_ = false;
  bool state_due_ = false;
  bool state_said_ = false;     // the broker has the newest State
  std::uint32_t state_id_ = 0;  // of the State under way
  std::uint64_t heard_us_ = 0;  // when something came last
  std::uint64_t heard_messages_ = 0;

  Piece piece_;
  const char* sensor_fault_ = nullptr;  // the code of why its last samples were lost
  std::uint64_t samples_us_ = 0;        // when samples came last, monotonic
  std::uint64_t samples_end_ms_ = 0;    // UTC
  bool clock_follows_samples_ = false;  // injected ones: time stands still between them
  bool was_calibrating_ = false;
};

}  // namespace salus::wearable
