#include "wearable/network_serial.h"

namespace salus::wearable {

void NetworkSerial::start(const Broker& broker, Span<const char* const> topics, const Will& will, Listener& listener) {
  stop(Ending::kGoodbye);
  link_ = {broker.url, broker.client_id, broker.ca_pem, topics, will.topic, will.payload};
  listener_ = &listener;
  // A frame that the port did not take is no harm: a host that hears nothing starts the bridge again.
  if (bridged_) (void)console_->link_open(link_);
}

void NetworkSerial::stop(Ending) {
  if (listener_ == nullptr) return;
  link_state(false);
  listener_ = nullptr;
  if (bridged_) (void)console_->link_close();
}

std::uint32_t NetworkSerial::publish(const char* topic, Bytes payload, bool retain) {
  if (!up_ || under_way_ >= kMostUnderWay) return 0;
  if (++last_id_ == 0) ++last_id_;
  if (!console_->publish(last_id_, topic, payload, retain)) return 0;
  ++under_way_;
  return last_id_;
}

bool NetworkSerial::bridge_started(console::LinkOpen& link) {
  bridged_ = true;
  link_state(false);  // what another bridge had under way is lost
  if (listener_ != nullptr) link = link_;
  return listener_ != nullptr;
}

void NetworkSerial::link_state(bool up) {
  if (listener_ == nullptr || up == up_) return;
  up_ = up;
  under_way_ = 0;
  if (up) {
    listener_->connected();
  } else {
    listener_->disconnected();
  }
}

void NetworkSerial::published(std::uint32_t id) {
  if (!up_) return;
  if (under_way_ > 0) --under_way_;
  listener_->published(id);
}

console::Outcome NetworkSerial::delivered(const char* topic, Bytes payload) {
  if (!up_) return {"not_connected", "no link is up"};
  listener_->received(topic, payload);
  return {};
}

}  // namespace salus::wearable
