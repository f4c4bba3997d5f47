// The native board's way to the broker: libmosquitto, driven by the program's own loop without a thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "board/board.h"

struct mosquitto;
struct mosquitto_message;

namespace salus::native {

// Every attempt is a client of its own: what was under way in an earlier one is the ring's to send again.
class NetworkMosquitto final : public Network {
 public:
  // The PEMs are kept as files in `folder`, as libmosquitto wants them.
  NetworkMosquitto(std::string folder, Clock& clock, Random& random);
  ~NetworkMosquitto() override;
  NetworkMosquitto(const NetworkMosquitto&) = delete;
  NetworkMosquitto& operator=(const NetworkMosquitto&) = delete;

  void start(const Broker& broker, Span<const char* const> topics, const Will& will, Listener& listener) override;
  void stop(Ending ending) override;
  [[nodiscard]] std::uint32_t publish(const char* topic, Bytes payload, bool retain) override;
  void poll() override;

  // What the program's loop waits for; -1 while there is no socket.
  [[nodiscard]] int socket() const;
  [[nodiscard]] bool wants_write() const;
  // When `poll` has something to do though nothing came; monotonic.
  [[nodiscard]] std::uint64_t due_us() const;

 private:
  void open();
  void close();
  bool configure();
  void fail();
  void subscribe();
  static void on_connect(mosquitto* client, void* self, int code);
  static void on_disconnect(mosquitto* client, void* self, int code);
  static void on_subscribe(mosquitto* client, void* self, int id, int count, const int* granted);
  static void on_message(mosquitto* client, void* self, const mosquitto_message* message);
  static void on_publish(mosquitto* client, void* self, int id);

  std::string folder_;
  Clock& clock_;
  Random& random_;
  Listener* listener_ = nullptr;
  mosquitto* client_ = nullptr;
  std::string url_, client_id_, will_topic_;
  std::vector<std::string> topics_;
  std::vector<std::uint8_t> will_payload_;
  bool has_ca_ = false, has_certificate_ = false;
  bool running_ = false, up_ = false, lost_ = false;
  unsigned under_way_ = 0;
  std::uint64_t pause_us_ = 0, next_us_ = 0, silent_until_us_ = 0;
};

}  // namespace salus::native
