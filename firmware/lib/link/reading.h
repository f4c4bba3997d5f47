// nanopb's stream and callbacks, pointing into a buffer instead of copying out of it.
#pragma once

#include <pb_decode.h>

#include <cstring>

#include "base/span.h"

namespace salus {

// A stream over bytes that stay where they are. nanopb's own does not tell a callback where in the buffer it is.
class BufferReader {
 public:
  explicit BufferReader(Bytes data) : at_(data.data()) {
    stream_.callback = read;
    stream_.state = this;
    stream_.bytes_left = data.size();
#ifndef PB_NO_ERRMSG
    stream_.errmsg = nullptr;
#endif
  }
  BufferReader(const BufferReader&) = delete;
  BufferReader& operator=(const BufferReader&) = delete;

  [[nodiscard]] pb_istream_t* stream() { return &stream_; }

  // A decoder of a bytes or string field: leaves it, uncopied, in a Bytes.
  [[nodiscard]] static pb_callback_t into(Bytes& view) {
    pb_callback_t callback{};
    callback.funcs.decode = point_at;
    callback.arg = &view;
    return callback;
  }

 private:
  static bool read(pb_istream_t* stream, pb_byte_t* buffer, std::size_t count) {
    auto* self = static_cast<BufferReader*>(stream->state);
    if (buffer != nullptr) std::memcpy(buffer, self->at_, count);
    self->at_ += count;
    return true;
  }

  static bool point_at(pb_istream_t* stream, const pb_field_t*, void** argument) {
    // A number where bytes ought to be comes in a stream of nanopb's own.
    if (stream->callback != read) return false;
    const auto* self = static_cast<const BufferReader*>(stream->state);
    *static_cast<Bytes*>(*argument) = Bytes(self->at_, stream->bytes_left);
    return pb_read(stream, nullptr, stream->bytes_left);
  }

  const std::uint8_t* at_;
  pb_istream_t stream_{};
};

}  // namespace salus
