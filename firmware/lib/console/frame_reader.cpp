#include "console/frame_reader.h"

#include <cassert>

#include "base/crc32.h"

namespace salus::console {

FrameReader::FrameReader(MutableBytes memory) : memory_(memory) { assert(memory.size() > kCrcBytes); }

bool FrameReader::next(Bytes& received, MutableBytes& frame) {
  while (!received.empty()) {
    const std::uint8_t byte = received[0];
    received = received.from(1);
    ++counters_.received_bytes;
    if (byte != 0) {
      ++raw_bytes_;
      take(byte);
    } else if (raw_bytes_ > 0 && close(frame)) {
      return true;
    }
  }
  return false;
}

// A code byte n stands for n - 1 bytes and then a zero; 0xFF for 254 bytes and no zero.
void FrameReader::take(std::uint8_t byte) {
  if (left_ > 0) {
    --left_;
    store(byte);
    return;
  }
  if (zero_after_) store(0);
  left_ = static_cast<std::uint8_t>(byte - 1);
  zero_after_ = byte != 0xFF;
}

void FrameReader::store(std::uint8_t byte) {
  if (length_ < memory_.size()) {
    memory_[length_++] = byte;
  } else {
    too_long_ = true;
  }
}

bool FrameReader::close(MutableBytes& frame) {
  bool whole = !too_long_ && left_ == 0 && length_ >= kCrcBytes;
  if (whole) {
    const std::size_t size = length_ - kCrcBytes;
    std::uint32_t sent = 0;
    for (std::size_t i = 0; i < kCrcBytes; ++i) sent |= static_cast<std::uint32_t>(memory_[size + i]) << (8 * i);
    frame = memory_.first(size);
    whole = crc32(0, frame) == sent;
  }
  if (whole) {
    ++counters_.frames;
  } else {
    ++(too_long_ ? counters_.long_frames : counters_.damaged_frames);
    counters_.noise_bytes += raw_bytes_;
  }
  length_ = 0;
  raw_bytes_ = 0;
  left_ = 0;
  zero_after_ = false;
  too_long_ = false;
  return whole;
}

}  // namespace salus::console
