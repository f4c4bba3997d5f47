// A small device around the console: it opens a pty, prints its name, and tells
// in its log what it was asked. The tests of the host's client drive it; it
// ends when its standard input does.
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <vector>

#include "console/console.h"

namespace {

using salus::Bytes;
using salus::MutableBytes;
using salus::Span;
using namespace salus::console;

class PtyWriter final : public Writer {
public:
  explicit PtyWriter(int fd) : fd_(fd) {}

  bool write(Bytes data) override {
    while (!data.empty()) {
      const ssize_t written = ::write(fd_, data.data(), data.size());
      if (written > 0) {
        data = data.from(static_cast<std::size_t>(written));
        continue;
      }
      pollfd room{fd_, POLLOUT, 0};
      if (poll(&room, 1, 1000) <= 0)
        return false;
    }
    return true;
  }

private:
  int fd_;
};

class Device final : public Handler, public Carried {
public:
  Console *console = nullptr;

  Outcome hello(HelloReply &reply) override {
    std::snprintf(reply.device, sizeof(reply.device), "%s", device_);
    std::snprintf(reply.board, sizeof(reply.board), "test");
    reply.provisioned = device_[0] != 0;
    return {};
  }
  Outcome provision(const Provision &asked) override {
    if (std::strlen(asked.device) >= sizeof(device_))
      return {"device", "1 to 40 characters"};
    std::snprintf(device_, sizeof(device_), "%s", asked.device);
    std::snprintf(text_, sizeof(text_), "%s %s %zu %zu %zu %zu %d %u",
                  asked.federation, asked.broker_url, asked.link_secret.size(),
                  asked.release_public_key.size(), asked.chain_id.size(),
                  std::strlen(asked.broker_ca_pem),
                  static_cast<int>(asked.wrist), asked.ring_packets);
    console->log(Level::kInfo, text_, 1);
    return {};
  }
  Outcome status(Status &reply) override {
    reply.boot = 3;
    reply.clock_ms = clock_ms_;
    reply.link_wanted = up_;
    return {};
  }
  Outcome inject_samples(const InjectSamples &samples,
                         InjectReply &reply) override {
    if (samples.first_sample > next_)
      return {"gap", "samples before these are missing"};
    for (const float value : samples.values)
      sum_ += static_cast<double>(value);
    next_ = samples.first_sample + samples.values.size() / samples.channels;
    reply.next_sample = next_;
    reply.clock_ms = samples.start_ms + static_cast<std::uint64_t>(sum_);
    return {};
  }
  Outcome run_golden(bool personal, GoldenResult &reply) override {
    if (personal)
      return {"no_personal", "no personal release is active"};
    reply.inputs = 16;
    return {};
  }
  Outcome run_inference(Span<const std::int8_t> input, bool,
                        InferenceResult &result) override {
    output_.assign(input.begin(), input.end());
    for (std::int8_t &value : output_)
      value = static_cast<std::int8_t>(-1 - value);
    result.output = Span<const std::int8_t>(output_.data(), output_.size());
    return {};
  }
  Outcome set_clock(std::uint64_t clock_ms) override {
    clock_ms_ = clock_ms;
    return {};
  }
  Outcome release(Bytes message, Bytes &status) override {
    status = message;
    return {};
  }
  Outcome say_labels(Bytes labels) override {
    return labels.size() == 3 ? Outcome{}
                              : Outcome{"malformed", "three bytes are wanted"};
  }
  Outcome control_link(bool up) override {
    up_ = up;
    return {};
  }
  Outcome reset() override { return {}; }
  Outcome factory_erase() override {
    device_[0] = 0;
    return {};
  }
  Outcome statistics(Statistics &reply) override {
    reply.sent_bytes_count = 1;
    std::snprintf(reply.sent_bytes[0].name, sizeof(reply.sent_bytes[0].name),
                  "feature");
    reply.sent_bytes[0].count = 123'456'789'012;
    return {};
  }

  bool bridge_started(LinkOpen &link) override {
    static const char *const kTopics[] = {"salus/1/f/w1/release",
                                          "salus/1/f/w1/ack"};
    link.url = "mqtts://nurse:hunter2@broker:8883";
    link.client_id = "salus-f-w1";
    link.topics = Span<const char *const>(kTopics, 2);
    link.will_topic = "salus/1/f/w1/state";
    link.will_payload =
        Bytes(reinterpret_cast<const std::uint8_t *>("lost"), 4);
    return up_;
  }
  void link_state(bool up) override {
    if (up)
      console->publish(
          7, "salus/1/f/w1/feature",
          Bytes(reinterpret_cast<const std::uint8_t *>("sealed"), 6), false);
  }
  void published(std::uint32_t id) override {
    std::snprintf(text_, sizeof(text_), "published %u", id);
    console->log(Level::kInfo, text_, 2);
  }
  Outcome delivered(const char *topic, Bytes payload) override {
    std::snprintf(text_, sizeof(text_), "%s %zu", topic, payload.size());
    console->log(Level::kInfo, text_, 3);
    return {};
  }

private:
  char device_[41] = "";
  char text_[256] = "";
  std::uint64_t clock_ms_ = 0;
  std::uint64_t next_ = 0;
  double sum_ = 0;
  bool up_ = false;
  std::vector<std::int8_t> output_;
};

int open_pty() {
  const int master = posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
    return -1;
  static const int slave =
      open(ptsname(master),
           O_RDWR | O_NOCTTY); // held, or the master hangs up without a host
  termios raw{};
  if (slave < 0 || tcgetattr(slave, &raw) != 0)
    return -1;
  cfmakeraw(&raw);
  if (tcsetattr(slave, TCSANOW, &raw) != 0)
    return -1;
  fcntl(master, F_SETFL, O_NONBLOCK);
  return master;
}

} // namespace

int main() {
  const int port = open_pty();
  if (port < 0)
    return 1;
  std::printf("%s\n", ptsname(port));
  std::fflush(stdout);
  static std::uint8_t memory[FrameReader::memory_bytes(kMaxFrameBytes)];
  static std::uint8_t received[4096];
  PtyWriter writer(port);
  Device device;
  Console console(writer, device, memory);
  console.set_carried(&device);
  device.console = &console;
  while (true) {
    pollfd wait[] = {{port, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    if (poll(wait, 2, -1) < 0 || wait[1].revents != 0)
      return 0;
    const ssize_t size = read(port, received, sizeof(received));
    if (size > 0)
      console.feed(Bytes(received, static_cast<std::size_t>(size)));
  }
}
