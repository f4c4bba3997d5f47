// What a board gives the libraries: everything that differs between an ESP32, an emulated Cortex-M4 and a host process.
// The libraries never include a driver; `src/<board>/` implements these, and `fakes/` has deterministic ones for tests.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/span.h"

namespace salus {

class Clock {
 public:
  virtual ~Clock() = default;
  // Unix milliseconds UTC; 0 while nobody has set the clock.
  [[nodiscard]] virtual std::uint64_t utc_ms() const = 0;
  virtual void set_utc_ms(std::uint64_t utc_ms) = 0;
  // Since the start; never goes back.
  [[nodiscard]] virtual std::uint64_t monotonic_us() const = 0;
};

class Random {
 public:
  virtual ~Random() = default;
  // Fill with bytes of the hardware's generator; false when it has failed, and then nothing may be sealed.
  [[nodiscard]] virtual bool fill(MutableBytes out) = 0;
};

enum class ResetCause : std::uint8_t { kPowerOn, kRequested, kCrash, kWatchdog, kBrownout, kUnknown };

class Reset {
 public:
  virtual ~Reset() = default;
  [[nodiscard]] virtual ResetCause cause() const = 0;
  // Start anew. Returns on hosts where the program must end by itself.
  virtual void restart() = 0;
};

enum class StoreStatus : std::uint8_t { kOk, kMissing, kTooLarge, kFailed };

// Small named values that survive power cuts, such as ESP-IDF's NVS. A write is atomic, and durable when it returns.
class Store {
 public:
  static constexpr std::size_t kMaxKeyLength = 15;  // as NVS

  virtual ~Store() = default;
  // The value's bytes into `out`, their number into `size`.
  [[nodiscard]] virtual StoreStatus read(const char* key, MutableBytes out, std::size_t& size) const = 0;
  [[nodiscard]] virtual StoreStatus write(const char* key, Bytes value) = 0;
  [[nodiscard]] virtual StoreStatus erase(const char* key) = 0;
  [[nodiscard]] virtual StoreStatus erase_all() = 0;
};

// A flash partition: bytes are erased to 0xFF by sectors, and programming only clears bits. A power cut may leave any
// part of an erase or a program done; nothing else changes.
class Partition {
 public:
  virtual ~Partition() = default;
  [[nodiscard]] virtual std::size_t size_bytes() const = 0;    // a multiple of sector_bytes
  [[nodiscard]] virtual std::size_t sector_bytes() const = 0;  // 4096 on ESP32
  [[nodiscard]] virtual bool read(std::size_t offset, MutableBytes out) const = 0;
  [[nodiscard]] virtual bool erase(std::size_t offset, std::size_t length) = 0;  // whole sectors
  [[nodiscard]] virtual bool program(std::size_t offset, Bytes data) = 0;        // durable when it returns
  // The partition in the address space, where it can be mapped (a model runs from there); nullptr where not.
  [[nodiscard]] virtual const std::uint8_t* mapped() const = 0;
};

// Samples of one sensor. `read` never blocks.
class Sensor {
 public:
  virtual ~Sensor() = default;
  [[nodiscard]] virtual std::size_t channels() const = 0;
  // Up to `out.size() / channels()` samples, interleaved; `start_ms` is the UTC of the first. The number of samples.
  [[nodiscard]] virtual std::size_t read(Span<float> out, double& start_ms) = 0;
};

// Which broker, and how either side proves itself. Strings are PEM where so named; empty where there is none.
struct Broker {
  const char* url;  // mqtt://host:port or mqtts://user:password@host:port
  const char* client_id;
  const char* ca_pem;
  const char* certificate_pem;
  const char* key_pem;
};

// What the broker says for this client when it is lost: retained, QoS 1.
struct Will {
  const char* topic;
  Bytes payload;
};

// The way to the broker: Wi-Fi, Ethernet or a serial bridge, chosen before any driver starts.
class Network {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void connected() = 0;  // and subscribed to release, command and ack
    virtual void disconnected() = 0;
    virtual void received(const char* topic, Bytes payload) = 0;
    virtual void published(std::uint32_t id) = 0;  // the broker has it (PUBACK); no proof that the gateway does
  };

  virtual ~Network() = default;
  // With a goodbye the broker does not publish the will; a cut is what pulling the cable does.
  enum class Ending : std::uint8_t { kGoodbye, kCut };

  // Connect with a session that the broker keeps, and again whenever it is lost, until `stop`. All that is pointed at
  // lives as long as the network runs. `topics` are the subscriptions, QoS 1. A second `start` begins anew.
  virtual void start(const Broker& broker, Span<const char* const> topics, const Will& will, Listener& listener) = 0;
  // Tells the listener when it was connected. Not to be called by the listener itself.
  virtual void stop(Ending ending) = 0;
  // QoS 1. An id above 0; 0 when it cannot be taken now (not connected, too much under way).
  [[nodiscard]] virtual std::uint32_t publish(const char* topic, Bytes payload, bool retain) = 0;
  // Move bytes and call the listener; returns at once.
  virtual void poll() = 0;
};

}  // namespace salus
