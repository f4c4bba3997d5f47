// Arbitrary bytes at the console: nothing is read or written out of bounds, every request has exactly one answer, and
// whatever came, the next hello is answered. The first byte chooses: even, bytes from the line; odd, the payload of a
// frame whose CRC is right, which gets further.
#include "console/console.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <memory>

namespace {

using salus::Bytes;
using salus::MutableBytes;
using salus::Span;
using namespace salus::console;

constexpr std::size_t kLongest = 512;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

std::size_t sum = 0;  // whatever the handler is shown is read to its end

void touch(Bytes bytes) {
  for (const std::uint8_t byte : bytes) sum += byte;
}
void touch(const char* text) { sum += std::strlen(text); }

class Touching final : public Handler, public Carried {
 public:
  Outcome hello(HelloReply&) override { return {}; }
  Outcome provision(const Provision& asked) override {
    for (const char* text : {asked.device, asked.federation, asked.wifi_ssid, asked.wifi_password, asked.broker_url,
                             asked.broker_ca_pem}) {
      touch(text);
    }
    for (const Bytes bytes : {asked.link_secret, asked.release_public_key, asked.gateway_public_key, asked.chain_id}) {
      touch(bytes);
    }
    return {};
  }
  Outcome status(Status&) override { return {}; }
  Outcome inject_samples(const InjectSamples& samples, InjectReply&) override {
    require(samples.channels > 0 && samples.values.size() % samples.channels == 0, "part of a sample");
    for (const float value : samples.values) require(value - value == 0.0F, "not finite");
    return {};
  }
  Outcome run_golden(bool, GoldenResult&) override { return {"no_model", ""}; }
  Outcome run_inference(Span<const std::int8_t> input, bool, InferenceResult& result) override {
    result.output = input;
    return {};
  }
  Outcome set_clock(std::uint64_t clock_ms) override {
    require(clock_ms > 0, "clock set to nothing");
    return {};
  }
  Outcome release(Bytes message, Bytes& status) override {
    touch(message);
    status = message;
    return {};
  }
  Outcome say_labels(Bytes labels) override {
    touch(labels);
    return {};
  }
  Outcome control_link(bool) override { return {}; }
  Outcome reset() override { return {}; }
  Outcome factory_erase() override { return {}; }
  Outcome statistics(Statistics&) override { return {}; }
  bool bridge_started(LinkOpen& link) override {
    link.url = "mqtt://broker";
    return true;
  }
  void link_state(bool) override {}
  void published(std::uint32_t) override {}
  Outcome delivered(const char* topic, Bytes payload) override {
    touch(topic);
    touch(payload);
    require(*topic != 0, "no topic");
    return {"busy", ""};
  }
};

// Counts frames: what is written between two delimiters.
class Counting final : public Writer {
 public:
  bool write(Bytes data) override {
    for (const std::uint8_t byte : data) {
      if (byte != 0) {
        inside_ = true;
      } else if (inside_) {
        inside_ = false;
        ++frames;
      }
    }
    return true;
  }
  std::size_t frames = 0;

 private:
  bool inside_ = false;
};

// The frame around a payload, from the console's own writer.
class Keeping final : public Writer {
 public:
  bool write(Bytes data) override {
    std::memcpy(bytes + size, data.data(), data.size());
    size += data.size();
    return true;
  }
  std::uint8_t bytes[2048];
  std::size_t size = 0;
};

void feed_frame(Console& console, Bytes payload) {
  Keeping line;
  FrameWriter writer(line);
  writer.begin();
  writer.append(payload);
  (void)writer.end();
  console.feed(Bytes(line.bytes, line.size));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 1024) return 0;
  const std::size_t room = FrameReader::memory_bytes(kLongest);
  const std::unique_ptr<std::uint8_t[]> memory(new std::uint8_t[room]);  // of its own, so that ASan sees its end
  Counting port;
  Touching wearable;
  Console console(port, wearable, MutableBytes(memory.get(), room));
  console.set_carried(&wearable);

  const Bytes input(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    const std::size_t cut = data[0] % input.size();
    console.feed(input.first(cut));
    console.feed(input.from(cut));
    require(port.frames <= console.counters().frames, "more answers than frames");
  } else {
    feed_frame(console, input);
    require(port.frames <= 1, "more than one answer");
  }

  const std::uint8_t end[] = {0};  // a frame may have lacked only this
  console.feed(end);
  const std::size_t before = port.frames;
  const std::uint8_t hello[] = {0x08, 1, 0x10, 9, 0x1A, 0};
  feed_frame(console, hello);
  require(port.frames == before + 1, "a hello without answer");
  return 0;
}
