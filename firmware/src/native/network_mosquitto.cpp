#include "network_mosquitto.h"

#include <fcntl.h>
#include <mosquitto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "broker_url.h"

namespace salus::native {
namespace {

constexpr int kKeepaliveS = 20;
constexpr int kQos = 1;
constexpr int kSubackFailure = 0x80;    // MQTT 3.1.1, section 3.9.3
constexpr unsigned kMostUnderWay = 64;  // libmosquitto's own queue has no bound
constexpr const char* kSystemCas = "/etc/ssl/certs";
constexpr std::uint64_t kFirstPauseUs = 200'000;
constexpr std::uint64_t kLongestPauseUs = 5'000'000;
constexpr std::uint64_t kTickUs = 1'000'000;        // keepalives are looked after this often
constexpr std::uint64_t kHandshakeTickUs = 20'000;  // libmosquitto does not say what it waits for meanwhile
constexpr std::uint64_t kHandshakeUs = 10'000'000;  // for CONNACK and SUBACK

// A secret is for this user only. An empty text removes the file; false when it could not be written.
bool keep(const std::string& path, const char* text) {
  ::unlink(path.c_str());
  const std::size_t length = std::strlen(text);
  if (length == 0) return true;
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (file < 0) return false;
  const bool whole = ::write(file, text, length) == static_cast<ssize_t>(length);
  return ::close(file) == 0 && whole;
}

}  // namespace

NetworkMosquitto::NetworkMosquitto(std::string folder, Clock& clock, Random& random)
    : folder_(std::move(folder)), clock_(clock), random_(random) {
  mosquitto_lib_init();
}

NetworkMosquitto::~NetworkMosquitto() {
  stop(Ending::kCut);
  mosquitto_lib_cleanup();
}

void NetworkMosquitto::start(const Broker& broker, Span<const char* const> topics, const Will& will,
                             Listener& listener) {
  stop(Ending::kGoodbye);
  url_ = broker.url;
  client_id_ = broker.client_id;
  topics_.assign(topics.begin(), topics.end());
  will_topic_ = will.topic;
  will_payload_.assign(will.payload.begin(), will.payload.end());
  listener_ = &listener;
  has_ca_ = *broker.ca_pem != '\0';
  has_certificate_ = *broker.certificate_pem != '\0';
  running_ = keep(folder_ + "/ca.pem", broker.ca_pem) && keep(folder_ + "/certificate.pem", broker.certificate_pem) &&
             keep(folder_ + "/key.pem", broker.key_pem);
  pause_us_ = kFirstPauseUs;
  next_us_ = 0;
}

void NetworkMosquitto::stop(Ending ending) {
  if (client_ != nullptr && ending == Ending::kGoodbye) mosquitto_disconnect(client_);
  close();
  running_ = false;
}

std::uint32_t NetworkMosquitto::publish(const char* topic, Bytes payload, bool retain) {
  if (!up_ || lost_ || under_way_ >= kMostUnderWay) return 0;
  int id = 0;
  const int code =
      mosquitto_publish(client_, &id, topic, static_cast<int>(payload.size()), payload.data(), kQos, retain);
  if (code != MOSQ_ERR_SUCCESS) {
    lost_ = true;  // `poll` closes it: not here, where a callback may be the caller
    return 0;
  }
  ++under_way_;
  return static_cast<std::uint32_t>(id);
}

void NetworkMosquitto::poll() {
  const std::uint64_t now_us = clock_.monotonic_us();
  if (client_ == nullptr) {
    if (running_ && now_us >= next_us_) open();
    return;
  }
  const int code = mosquitto_loop(client_, 0, 1);
  const bool silent = !up_ && now_us > silent_until_us_;
  if (code != MOSQ_ERR_SUCCESS || lost_ || silent) fail();
}

int NetworkMosquitto::socket() const { return client_ == nullptr ? -1 : mosquitto_socket(client_); }

bool NetworkMosquitto::wants_write() const { return client_ != nullptr && mosquitto_want_write(client_); }

std::uint64_t NetworkMosquitto::due_us() const {
  if (!running_) return UINT64_MAX;
  return client_ == nullptr ? next_us_ : clock_.monotonic_us() + (up_ ? kTickUs : kHandshakeTickUs);
}

void NetworkMosquitto::open() {
  lost_ = false;
  under_way_ = 0;
  silent_until_us_ = clock_.monotonic_us() + kHandshakeUs;
  client_ = mosquitto_new(client_id_.c_str(), false, this);
  if (client_ == nullptr || !configure()) fail();
}

bool NetworkMosquitto::configure() {
  BrokerUrl url;
  if (!parse_broker_url(url_, url)) return false;
  mosquitto_connect_callback_set(client_, on_connect);
  mosquitto_disconnect_callback_set(client_, on_disconnect);
  mosquitto_subscribe_callback_set(client_, on_subscribe);
  mosquitto_message_callback_set(client_, on_message);
  mosquitto_publish_callback_set(client_, on_publish);
  mosquitto_max_inflight_messages_set(client_, kMostUnderWay);
  const int will = static_cast<int>(will_payload_.size());
  if (mosquitto_will_set(client_, will_topic_.c_str(), will, will_payload_.data(), kQos, true) != 0) return false;
  if (!url.user.empty() && mosquitto_username_pw_set(client_, url.user.c_str(), url.password.c_str()) != 0)
    return false;
  if (url.tls) {
    const std::string ca = folder_ + "/ca.pem", certificate = folder_ + "/certificate.pem", key = folder_ + "/key.pem";
    const int code = mosquitto_tls_set(client_, has_ca_ ? ca.c_str() : nullptr, has_ca_ ? nullptr : kSystemCas,
                                       has_certificate_ ? certificate.c_str() : nullptr,
                                       has_certificate_ ? key.c_str() : nullptr, nullptr);
    if (code != MOSQ_ERR_SUCCESS) return false;
  }
  const int code = mosquitto_connect_async(client_, url.host.c_str(), url.port, kKeepaliveS);
  return code == MOSQ_ERR_SUCCESS || code == MOSQ_ERR_CONN_PENDING;
}

void NetworkMosquitto::fail() {
  close();
  // Jittered, so that all wearables of a house do not come back at the same moment.
  std::uint8_t jitter = 0;
  if (!random_.fill(MutableBytes(&jitter, 1))) jitter = UINT8_MAX;
  next_us_ = clock_.monotonic_us() + pause_us_ / 2 + pause_us_ / 2 * jitter / UINT8_MAX;
  pause_us_ = std::min(2 * pause_us_, kLongestPauseUs);
}

void NetworkMosquitto::close() {
  if (client_ != nullptr) mosquitto_destroy(client_);
  client_ = nullptr;
  const bool was_up = up_;
  up_ = false;
  if (was_up) listener_->disconnected();
}

void NetworkMosquitto::subscribe() {
  std::vector<char*> names;
  for (std::string& topic : topics_) names.push_back(topic.data());
  const int count = static_cast<int>(names.size());
  if (mosquitto_subscribe_multiple(client_, nullptr, count, names.data(), kQos, 0, nullptr) != 0) lost_ = true;
}

void NetworkMosquitto::on_connect(mosquitto*, void* self, int code) {
  auto& network = *static_cast<NetworkMosquitto*>(self);
  if (code != 0) {
    network.lost_ = true;
    return;
  }
  network.subscribe();
}

void NetworkMosquitto::on_disconnect(mosquitto*, void* self, int) {
  static_cast<NetworkMosquitto*>(self)->lost_ = true;
}

void NetworkMosquitto::on_subscribe(mosquitto*, void* self, int, int count, const int* granted) {
  auto& network = *static_cast<NetworkMosquitto*>(self);
  if (std::any_of(granted, granted + count, [](int code) { return code >= kSubackFailure; })) {
    network.lost_ = true;  // the broker's access list forbids a topic: try again, later and later
    return;
  }
  network.up_ = true;
  network.pause_us_ = kFirstPauseUs;
  network.listener_->connected();
}

void NetworkMosquitto::on_message(mosquitto*, void* self, const mosquitto_message* message) {
  const auto* payload = static_cast<const std::uint8_t*>(message->payload);
  const std::size_t size = message->payloadlen > 0 ? static_cast<std::size_t>(message->payloadlen) : 0;
  static_cast<NetworkMosquitto*>(self)->listener_->received(message->topic, Bytes(payload, size));
}

void NetworkMosquitto::on_publish(mosquitto*, void* self, int id) {
  auto& network = *static_cast<NetworkMosquitto*>(self);
  if (network.under_way_ > 0) --network.under_way_;
  network.listener_->published(static_cast<std::uint32_t>(id));
}

}  // namespace salus::native
