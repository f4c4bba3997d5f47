// Deterministic stand-ins for a board, for tests on the host. They may use the heap; the libraries may not.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "board/board.h"
#include "board/fakes/fake_partition.h"
#include "board/fakes/fake_power.h"
#include "board/fakes/fake_store.h"

namespace salus::fakes {

class FakeClock final : public Clock {
 public:
  [[nodiscard]] std::uint64_t utc_ms() const override { return utc_ms_; }
  void set_utc_ms(std::uint64_t utc_ms) override { utc_ms_ = utc_ms; }
  [[nodiscard]] std::uint64_t monotonic_us() const override { return monotonic_us_; }

  // Let time pass. An unset clock stays unset.
  void advance_ms(std::uint64_t ms) {
    monotonic_us_ += ms * 1000;
    if (utc_ms_ != 0) utc_ms_ += ms;
  }

 private:
  std::uint64_t utc_ms_ = 0;
  std::uint64_t monotonic_us_ = 0;
};

// xorshift64: repeatable, and no secret.
class FakeRandom final : public Random {
 public:
  explicit FakeRandom(std::uint64_t seed = 88172645463325252ULL) : state_(seed != 0 ? seed : 1) {}

  [[nodiscard]] bool fill(MutableBytes out) override {
    if (failing_) return false;
    for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(next() >> 56);
    return true;
  }

  void fail(bool failing) { failing_ = failing; }

  std::uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }
  // From 0 to `below` - 1.
  std::uint64_t next(std::uint64_t below) { return next() % below; }

 private:
  std::uint64_t state_;
  bool failing_ = false;
};

class FakeReset final : public Reset {
 public:
  explicit FakeReset(ResetCause cause = ResetCause::kPowerOn) : cause_(cause) {}
  [[nodiscard]] ResetCause cause() const override { return cause_; }
  void restart() override { ++restarts_; }
  [[nodiscard]] int restarts() const { return restarts_; }

 private:
  ResetCause cause_;
  int restarts_ = 0;
};

// Samples that a test has queued, in pieces that each have a start.
class FakeSensor final : public Sensor {
 public:
  FakeSensor(std::size_t channels, double rate_hz) : channels_(channels), rate_hz_(rate_hz) {}

  // `values` are (samples, channels).
  void add(double start_ms, std::vector<float> values) { pieces_.push_back({start_ms, std::move(values), 0}); }

  [[nodiscard]] std::size_t channels() const override { return channels_; }
  [[nodiscard]] std::size_t read(Span<float> out, double& start_ms) override {
    if (pieces_.empty()) return 0;
    Piece& piece = pieces_.front();
    const std::size_t left = piece.values.size() / channels_ - piece.taken;
    const std::size_t count = std::min(left, out.size() / channels_);
    start_ms = piece.start_ms + static_cast<double>(piece.taken) * 1000.0 / rate_hz_;
    for (std::size_t at = 0; at < count * channels_; ++at) out[at] = piece.values[piece.taken * channels_ + at];
    piece.taken += count;
    if (count == left) pieces_.pop_front();
    return count;
  }

 private:
  struct Piece {
    double start_ms;
    std::vector<float> values;
    std::size_t taken;
  };
  std::size_t channels_;
  double rate_hz_;
  std::deque<Piece> pieces_;
};

// A broker that a test plays: it sees what was published, and says what comes.
class FakeNetwork final : public Network {
 public:
  struct Message {
    std::string topic;
    std::vector<std::uint8_t> payload;
    bool retain;
    std::uint32_t id;
  };

  void start(const Broker&, Span<const char* const> topics, const Will& will, Listener& listener) override {
    topics_.assign(topics.begin(), topics.end());
    will_ = will;
    listener_ = &listener;
  }
  void stop(Ending ending) override {
    ending_ = ending;
    disconnect();
    listener_ = nullptr;
  }

  [[nodiscard]] std::uint32_t publish(const char* topic, Bytes payload, bool retain) override {
    if (!connected_ || full_) return 0;
    published_.push_back({topic, {payload.begin(), payload.end()}, retain, ++last_id_});
    return last_id_;
  }

  // Confirms what was published since the last call, unless `hold_confirmations`.
  void poll() override {
    if (listener_ == nullptr || hold_) return;
    while (confirmed_ < last_id_) listener_->published(++confirmed_);
  }

  void connect() {
    if (listener_ == nullptr || connected_) return;
    connected_ = true;
    listener_->connected();
  }
  void disconnect() {
    if (listener_ == nullptr || !connected_) return;
    connected_ = false;
    confirmed_ = last_id_;  // what was under way is lost
    listener_->disconnected();
  }
  void deliver(const char* topic, Bytes payload) { listener_->received(topic, payload); }
  void hold_confirmations(bool hold) { hold_ = hold; }
  // Takes nothing while this is set.
  void full(bool full) { full_ = full; }

  [[nodiscard]] bool started() const { return listener_ != nullptr; }
  [[nodiscard]] bool is_connected() const { return connected_; }
  [[nodiscard]] const std::vector<std::string>& topics() const { return topics_; }
  [[nodiscard]] const Will& will() const { return will_; }
  [[nodiscard]] Ending ending() const { return ending_; }  // of the last `stop`
  // All that was published, oldest first; a test may clear it.
  [[nodiscard]] std::vector<Message>& published() { return published_; }

 private:
  Listener* listener_ = nullptr;
  std::vector<std::string> topics_;
  Will will_{};
  std::vector<Message> published_;
  std::uint32_t last_id_ = 0;
  std::uint32_t confirmed_ = 0;
  bool connected_ = false;
  bool full_ = false;
  bool hold_ = false;
  Ending ending_ = Ending::kCut;
};

}  // namespace salus::fakes
