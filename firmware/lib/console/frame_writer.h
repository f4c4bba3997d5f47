// Frames out: COBS(payload || CRC-32, little endian) between two 0x00, in pieces of at most a block, with no frame
// buffer.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/span.h"

namespace salus::console {

// The port. `write` takes all of `data`, waiting a bounded time for room; false: it did not, and the frame is lost.
class Writer {
 public:
  virtual ~Writer() = default;
  [[nodiscard]] virtual bool write(Bytes data) = 0;
};

class FrameWriter {
 public:
  explicit FrameWriter(Writer& writer) : writer_(writer) {}

  void begin();
  void append(Bytes payload);
  bool end();  // false: the port did not take it

  [[nodiscard]] std::uint64_t lost_frames() const { return lost_frames_; }

 private:
  static constexpr std::size_t kBlockBytes = 254;  // COBS: at most so many bytes without a zero

  void encode(std::uint8_t byte);
  void flush_block(std::uint8_t code);
  void write(Bytes data);

  Writer& writer_;
  std::uint8_t block_[kBlockBytes + 1] = {};  // the code byte, then the bytes up to the next zero
  std::size_t length_ = 0;                    // without the code byte
  std::uint32_t crc_ = 0;
  bool taken_ = true;
  std::uint64_t lost_frames_ = 0;
};

}  // namespace salus::console
