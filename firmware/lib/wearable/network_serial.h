// The way to the broker over the console: a host's bridge (`salus hil bridge`) carries the packets as frames.
#pragma once

#include <cstdint>

#include "board/board.h"
#include "console/console.h"
#include "console/handler.h"

namespace salus::wearable {

class NetworkSerial final : public Network, public console::Carried {
 public:
  // Of packets that the host has and the broker did not confirm yet: a slow port keeps the console waiting.
  static constexpr std::uint32_t kMostUnderWay = 8;

  // Before anything else is called.
  void set_console(console::Console& console) { console_ = &console; }

  void start(const Broker& broker, Span<const char* const> topics, const Will& will, Listener& listener) override;
  // The bridge says goodbye for either ending: it alone could cut the line.
  void stop(Ending ending) override;
  [[nodiscard]] std::uint32_t publish(const char* topic, Bytes payload, bool retain) override;
  void poll() override {}

  [[nodiscard]] bool bridge_started(console::LinkOpen& link) override;
  void link_state(bool up) override;
  void published(std::uint32_t id) override;
  console::Outcome delivered(const char* topic, Bytes payload) override;

 private:
  console::Console* console_ = nullptr;
  Listener* listener_ = nullptr;  // nullptr while no link is wanted
  console::LinkOpen link_;
  bool bridged_ = false;  // a host carries packets
  bool up_ = false;
  std::uint32_t last_id_ = 0;
  std::uint32_t under_way_ = 0;
};

}  // namespace salus::wearable
