#include "broker_url.h"

#include <cstdlib>

namespace salus::native {
namespace {

constexpr std::uint16_t kPlainPort = 1883;
constexpr std::uint16_t kTlsPort = 8883;

int hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

// %XX as RFC 3986 says; anything else stands for itself.
std::string unquoted(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool escape = text[at] == '%' && at + 2 < text.size();
    const int high = escape ? hex_digit(text[at + 1]) : -1;
    const int low = escape ? hex_digit(text[at + 2]) : -1;
    if (high < 0 || low < 0) {
      out += text[at];
      continue;
    }
    out += static_cast<char>(high * 16 + low);
    at += 2;
  }
  return out;
}

bool parse_port(const std::string& text, std::uint16_t& port) {
  if (text.empty() || text.size() > 5 || text.find_first_not_of("0123456789") != std::string::npos) return false;
  const long value = std::strtol(text.c_str(), nullptr, 10);
  port = static_cast<std::uint16_t>(value);
  return value > 0 && value <= UINT16_MAX;
}

}  // namespace

bool parse_broker_url(const std::string& text, BrokerUrl& out) {
  out = BrokerUrl{};
  const std::size_t scheme = text.find("://");
  if (scheme == std::string::npos) return false;
  out.tls = text.compare(0, scheme, "mqtts") == 0;
  if (!out.tls && text.compare(0, scheme, "mqtt") != 0) return false;
  std::string rest = text.substr(scheme + 3);
  if (!rest.empty() && rest.back() == '/') rest.pop_back();
  if (rest.find_first_of("/?#") != std::string::npos) return false;
  if (const std::size_t at = rest.rfind('@'); at != std::string::npos) {
    const std::string who = rest.substr(0, at);
    const std::size_t colon = who.find(':');
    out.user = unquoted(who.substr(0, colon));
    if (colon != std::string::npos) out.password = unquoted(who.substr(colon + 1));
    rest = rest.substr(at + 1);
  }
  const bool bracketed = !rest.empty() && rest.front() == '[';
  const std::size_t close = bracketed ? rest.find(']') : 0;
  if (close == std::string::npos) return false;
  const std::size_t colon = rest.find(':', close);
  out.host = bracketed ? rest.substr(1, close - 1) : rest.substr(0, colon);
  out.port = out.tls ? kTlsPort : kPlainPort;
  if (out.host.empty()) return false;
  return colon == std::string::npos || parse_port(rest.substr(colon + 1), out.port);
}

}  // namespace salus::native
