// Protobuf by hand, so that what the wearable writes is read by other code than its own.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "../hex.h"
#include "base/span.h"

namespace salus::wearable {

using Octets = std::vector<std::uint8_t>;

// One message's fields, as they came.
class Fields {
 public:
  explicit Fields(Bytes message) {
    std::size_t at = 0;
    while (at < message.size()) {
      const std::uint64_t tag = varint(message, at);
      Field field{static_cast<unsigned>(tag >> 3), 0, {}};
      if ((tag & 7) == 0) {
        field.number = varint(message, at);
      } else {
        const std::size_t size = (tag & 7) == 5 ? 4 : (tag & 7) == 1 ? 8 : varint(message, at);
        field.octets.assign(message.begin() + at, message.begin() + at + size);
        at += size;
      }
      fields_.push_back(field);
    }
  }

  [[nodiscard]] std::uint64_t number(unsigned id) const {
    std::uint64_t found = 0;
    for (const Field& field : fields_) found = field.id == id ? field.number : found;
    return found;
  }
  [[nodiscard]] std::vector<Octets> all(unsigned id) const {
    std::vector<Octets> found;
    for (const Field& field : fields_) {
      if (field.id == id) found.push_back(field.octets);
    }
    return found;
  }
  [[nodiscard]] Octets octets(unsigned id) const {
    const std::vector<Octets> found = all(id);
    return found.empty() ? Octets() : found.back();
  }
  [[nodiscard]] std::string text(unsigned id) const {
    const Octets found = octets(id);
    return std::string(found.begin(), found.end());
  }

 private:
  struct Field {
    unsigned id;
    std::uint64_t number;
    Octets octets;
  };

  static std::uint64_t varint(Bytes message, std::size_t& at) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; at < message.size(); shift += 7) {
      const std::uint8_t byte = message[at++];
      value |= std::uint64_t{byte & 0x7FU} << shift;
      if ((byte & 0x80) == 0) break;
    }
    return value;
  }

  std::vector<Field> fields_;
};

// A message that grows.
class Writing {
 public:
  Writing& number(unsigned id, std::uint64_t value) {
    varint(id << 3);
    varint(value);
    return *this;
  }
  Writing& octets(unsigned id, Bytes value) {
    varint(id << 3 | 2);
    varint(value.size());
    made.insert(made.end(), value.begin(), value.end());
    return *this;
  }
  Writing& text(unsigned id, const std::string& value) {
    return octets(id, Bytes(reinterpret_cast<const std::uint8_t*>(value.data()), value.size()));
  }
  Writing& message(unsigned id, const Writing& value) { return octets(id, view(value.made)); }

  Octets made;

 private:
  void varint(std::uint64_t value) {
    for (; value >= 128; value >>= 7) made.push_back(static_cast<std::uint8_t>(value | 0x80));
    made.push_back(static_cast<std::uint8_t>(value));
  }
};

}  // namespace salus::wearable
