// nanopb callbacks that write what the caller holds, uncopied.
#pragma once

#include <pb_encode.h>

#include <cstring>

#include "base/span.h"
#include "link/status.h"

namespace salus {

// An encoder of a bytes field; empty ones are left out, as proto3 has it. `value` lives until the message is written.
[[nodiscard]] inline pb_callback_t writes_bytes(const Bytes& value) {
  pb_callback_t callback{};
  callback.funcs.encode = [](pb_ostream_t* stream, const pb_field_t* field, void* const* argument) {
    const auto& bytes = *static_cast<const Bytes*>(*argument);
    return bytes.empty() ||
           (pb_encode_tag_for_field(stream, field) && pb_encode_string(stream, bytes.data(), bytes.size()));
  };
  callback.arg = const_cast<Bytes*>(&value);  // nanopb's argument is the same for reading and writing
  return callback;
}

// The same for a string that ends with a zero, or is null.
[[nodiscard]] inline pb_callback_t writes_text(const char* text) {
  pb_callback_t callback{};
  callback.funcs.encode = [](pb_ostream_t* stream, const pb_field_t* field, void* const* argument) {
    const auto* bytes = static_cast<const pb_byte_t*>(*argument);
    if (bytes == nullptr || bytes[0] == 0) return true;
    const std::size_t length = std::strlen(static_cast<const char*>(*argument));
    return pb_encode_tag_for_field(stream, field) && pb_encode_string(stream, bytes, length);
  };
  callback.arg = const_cast<char*>(text);
  return callback;
}

// The same for int16 values, little endian whatever this processor is.
[[nodiscard]] inline pb_callback_t writes_int16(const Span<const std::int16_t>& values) {
  pb_callback_t callback{};
  callback.funcs.encode = [](pb_ostream_t* stream, const pb_field_t* field, void* const* argument) {
    const auto& items = *static_cast<const Span<const std::int16_t>*>(*argument);
    if (items.empty()) return true;
    if (!pb_encode_tag_for_field(stream, field) || !pb_encode_varint(stream, 2 * items.size())) return false;
    for (const std::int16_t item : items) {
      const auto bits = static_cast<std::uint16_t>(item);
      const pb_byte_t bytes[2] = {static_cast<pb_byte_t>(bits), static_cast<pb_byte_t>(bits >> 8)};
      if (!pb_write(stream, bytes, sizeof(bytes))) return false;
    }
    return true;
  };
  callback.arg = const_cast<Span<const std::int16_t>*>(&values);
  return callback;
}

// Write a message into a buffer. Room is all that encoding can lack.
[[nodiscard]] inline LinkStatus write_message(const pb_msgdesc_t* fields, const void* source, MutableBytes out,
                                              Bytes& message) {
  pb_ostream_t stream = pb_ostream_from_buffer(out.data(), out.size());
  if (!pb_encode(&stream, fields, source)) return LinkStatus::kTooLarge;
  message = out.first(stream.bytes_written);
  return LinkStatus::kOk;
}

}  // namespace salus
