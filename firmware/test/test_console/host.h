// The host's end for tests: writes frames by hand, so that no code of the console checks itself, and keeps what is
// answered.
#pragma once

#include <pb_decode.h>

#include <cstring>
#include <string>
#include <vector>

#include "console/console.h"

namespace salus::console::test {

using Octets = std::vector<std::uint8_t>;

inline Octets octets(const char* text) { return Octets(text, text + std::strlen(text)); }

inline Octets varint(std::uint64_t value) {
  Octets out;
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::uint8_t>(value | 0x80));
  out.push_back(static_cast<std::uint8_t>(value));
  return out;
}

inline Octets operator+(Octets left, const Octets& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

inline Octets number(std::uint32_t tag, std::uint64_t value) { return varint(tag << 3) + varint(value); }
inline Octets bytes(std::uint32_t tag, const Octets& value) {
  return varint(tag << 3 | 2) + varint(value.size()) + value;
}
inline Octets text(std::uint32_t tag, const char* value) { return bytes(tag, octets(value)); }
inline Octets floats(std::uint32_t tag, const std::vector<float>& values) {
  Octets raw(values.size() * 4);
  if (!values.empty()) std::memcpy(raw.data(), values.data(), raw.size());
  return bytes(tag, raw);
}

inline Octets frame(std::uint32_t request_id, std::uint32_t tag, const Octets& body, std::uint32_t version = 1) {
  return number(1, version) + number(2, request_id) + bytes(tag, body);
}

// Bit by bit, as the standard defines it.
inline std::uint32_t slow_crc32(const Octets& data) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const std::uint8_t byte : data) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0xEDB88320 : crc >> 1;
  }
  return ~crc;
}

inline Octets with_crc(Octets payload) {
  const std::uint32_t crc = slow_crc32(payload);
  for (unsigned shift = 0; shift < 32; shift += 8) payload.push_back(static_cast<std::uint8_t>(crc >> shift));
  return payload;
}

inline Octets cobs(const Octets& data) {
  Octets out(1, 0);
  std::size_t code_at = 0;
  std::uint8_t code = 1;
  for (const std::uint8_t byte : data) {
    if (code == 0xFF) {
      out[code_at] = code;
      code_at = out.size();
      out.push_back(0);
      code = 1;
    }
    if (byte == 0) {
      out[code_at] = code;
      code_at = out.size();
      out.push_back(0);
      code = 1;
    } else {
      out.push_back(byte);
      ++code;
    }
  }
  out[code_at] = code;
  return out;
}

inline Octets wire(const Octets& payload) { return Octets(1, 0) + cobs(with_crc(payload)) + Octets(1, 0); }

// Where the console writes to. `refuse` makes the port take nothing.
class Port : public Writer {
 public:
  bool write(Bytes data) override {
    if (refuse) return false;
    out.insert(out.end(), data.begin(), data.end());
    return true;
  }

  Octets out;
  bool refuse = false;
};

struct Answer {
  std::uint32_t id = 0;
  std::uint32_t tag = 0;
  Octets body;
};

// The frames in what was written. An answer of tag 0 is something that is no frame.
inline std::vector<Answer> answers(const Octets& out) {
  std::vector<Answer> found;
  std::vector<std::uint8_t> memory(FrameReader::memory_bytes(kMaxFrameBytes));
  FrameReader reader(MutableBytes(memory.data(), memory.size()));
  Bytes rest(out.data(), out.size());
  MutableBytes payload;
  while (reader.next(rest, payload)) {
    pb_istream_t stream = pb_istream_from_buffer(payload.data(), payload.size());
    Answer answer;
    pb_wire_type_t type = PB_WT_VARINT;
    std::uint32_t tag = 0, size = 0;
    bool ended = false;
    while (pb_decode_tag(&stream, &type, &tag, &ended)) {
      if (tag == 2) {
        (void)pb_decode_varint32(&stream, &answer.id);
      } else if (tag == 1) {
        (void)pb_skip_field(&stream, type);
      } else if (pb_decode_varint32(&stream, &size)) {
        answer.tag = tag;
        answer.body.resize(size);
        (void)pb_read(&stream, answer.body.data(), size);
      }
    }
    found.push_back(answer);
  }
  return found;
}

// The string field `tag` of a message.
inline std::string field_text(const Octets& body, std::uint32_t wanted) {
  pb_istream_t stream = pb_istream_from_buffer(body.data(), body.size());
  pb_wire_type_t type = PB_WT_VARINT;
  std::uint32_t tag = 0, size = 0;
  bool ended = false;
  while (pb_decode_tag(&stream, &type, &tag, &ended)) {
    if (tag != wanted || type != PB_WT_STRING) {
      if (!pb_skip_field(&stream, type)) break;
      continue;
    }
    if (!pb_decode_varint32(&stream, &size) || size > stream.bytes_left) break;
    std::string value(size, ' ');
    (void)pb_read(&stream, reinterpret_cast<pb_byte_t*>(value.data()), size);
    return value;
  }
  return "";
}

}  // namespace salus::console::test
