#include "release/wire.h"

#include <pb_decode.h>

namespace salus::release {

bool Fields::next() {
  bytes_ = Bytes();
  varint_ = 0;
  has_bytes_ = false;
  if (broken_ || rest_.empty()) return false;
  pb_istream_t stream = pb_istream_from_buffer(rest_.data(), rest_.size());
  pb_wire_type_t type = PB_WT_VARINT;
  bool end = false;
  broken_ = true;
  if (!pb_decode_tag(&stream, &type, &number_, &end)) return false;
  if (type == PB_WT_STRING) {
    std::uint32_t length = 0;
    if (!pb_decode_varint32(&stream, &length) || length > stream.bytes_left) return false;
    bytes_ = rest_.part(rest_.size() - stream.bytes_left, length);
    has_bytes_ = true;
    if (!pb_read(&stream, nullptr, length)) return false;
  } else if (type == PB_WT_VARINT) {
    if (!pb_decode_varint(&stream, &varint_)) return false;
  } else if (!pb_skip_field(&stream, type)) {
    return false;
  }
  rest_ = rest_.from(rest_.size() - stream.bytes_left);
  broken_ = false;
  return true;
}

bool Fields::next(std::uint32_t wanted) {
  while (next()) {
    if (has_bytes_ && number_ == wanted) return true;
  }
  return false;
}

bool only_field(Bytes message, std::uint32_t number, Bytes& value) {
  value = Bytes();
  Fields fields(message);
  if (fields.next(number)) {
    value = fields.bytes();
    if (fields.next(number)) return false;
  }
  return !fields.broken();
}

}  // namespace salus::release
