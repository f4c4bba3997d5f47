// A broker's address as one text: `mqtt://host:port`, `mqtts://user:password@host:port`.
#pragma once

#include <cstdint>
#include <string>

namespace salus::native {

struct BrokerUrl {
  bool tls = false;
  std::string host;
  std::uint16_t port = 0;
  std::string user;
  std::string password;
};

// False for what is no such address.
[[nodiscard]] bool parse_broker_url(const std::string& text, BrokerUrl& out);

}  // namespace salus::native
