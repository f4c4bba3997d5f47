// Walking over the fields of a protobuf message where it lies, for what is too large or too many to be copied.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/span.h"

namespace salus::release {

class Fields {
 public:
  explicit Fields(Bytes message) : rest_(message) {}

  // Go to the next field; false at the end, and where the bytes are no message (then `broken`).
  [[nodiscard]] bool next();
  // Go to the next field `wanted` that has bytes; others are passed over.
  [[nodiscard]] bool next(std::uint32_t wanted);

  [[nodiscard]] std::uint32_t number() const { return number_; }
  // Of a length-delimited field (bytes, string, message); empty for others.
  [[nodiscard]] Bytes bytes() const { return bytes_; }
  [[nodiscard]] bool has_bytes() const { return has_bytes_; }
  // Of a varint field; 0 for others.
  [[nodiscard]] std::uint64_t varint() const { return varint_; }
  [[nodiscard]] bool broken() const { return broken_; }

 private:
  Bytes rest_;
  Bytes bytes_;
  std::uint64_t varint_ = 0;
  std::uint32_t number_ = 0;
  bool has_bytes_ = false;
  bool broken_ = false;
};

// The one field `number` with bytes; empty without. False: the message is broken, or has it twice.
[[nodiscard]] bool only_field(Bytes message, std::uint32_t number, Bytes& value);

}  // namespace salus::release
