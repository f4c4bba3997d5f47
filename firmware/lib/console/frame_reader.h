// Frames in: decodes COBS as the bytes come, into one bounded buffer, and checks the CRC. Whatever is no frame is
// noise: it is counted and skipped, and the next 0x00 starts afresh.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/span.h"

namespace salus::console {

struct ReaderCounters {
  std::uint64_t received_bytes = 0;
  std::uint64_t frames = 0;
  std::uint64_t noise_bytes = 0;
  std::uint64_t damaged_frames = 0;  // COBS or CRC wrong
  std::uint64_t long_frames = 0;     // more than the memory holds
};

class FrameReader {
 public:
  static constexpr std::size_t kCrcBytes = 4;

  // How much memory frames of up to `frame_bytes` need.
  static constexpr std::size_t memory_bytes(std::size_t frame_bytes) { return frame_bytes + kCrcBytes; }

  explicit FrameReader(MutableBytes memory);

  // Reads on from `received` to the end of the next whole frame and takes those bytes off its front. False: all is
  // read, and no frame is whole yet. `frame` lies in the memory until the next call; the CRC behind it is the caller's
  // to overwrite, which lets a text at its end be closed with NUL.
  [[nodiscard]] bool next(Bytes& received, MutableBytes& frame);

  [[nodiscard]] std::size_t max_frame_bytes() const { return memory_.size() - kCrcBytes; }
  [[nodiscard]] const ReaderCounters& counters() const { return counters_; }

 private:
  void take(std::uint8_t byte);
  void store(std::uint8_t byte);
  [[nodiscard]] bool close(MutableBytes& frame);

  MutableBytes memory_;
  std::size_t length_ = 0;       // decoded bytes of this frame
  std::uint64_t raw_bytes_ = 0;  // received for it
  std::uint8_t left_ = 0;        // bytes to the end of the COBS block
  bool zero_after_ = false;      // the block stands for a zero, unless the frame ends with it
  bool too_long_ = false;
  ReaderCounters counters_;
};

}  // namespace salus::console
