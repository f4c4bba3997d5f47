#include "console/frame_writer.h"

#include "base/crc32.h"

namespace salus::console {
namespace {

constexpr std::uint8_t kDelimiter[] = {0};

}  // namespace

void FrameWriter::begin() {
  length_ = 0;
  crc_ = 0;
  taken_ = true;
  write(kDelimiter);  // ends whatever noise the line carried
}

void FrameWriter::append(Bytes payload) {
  crc_ = crc32(crc_, payload);
  for (const std::uint8_t byte : payload) encode(byte);
}

bool FrameWriter::end() {
  const std::uint32_t crc = crc_;
  for (unsigned shift = 0; shift < 32; shift += 8) encode(static_cast<std::uint8_t>(crc >> shift));
  flush_block(static_cast<std::uint8_t>(length_ + 1));
  write(kDelimiter);
  if (!taken_) ++lost_frames_;
  return taken_;
}

void FrameWriter::encode(std::uint8_t byte) {
  if (length_ == kBlockBytes) flush_block(0xFF);
  if (byte == 0) {
    flush_block(static_cast<std::uint8_t>(length_ + 1));
  } else {
    block_[++length_] = byte;
  }
}

void FrameWriter::flush_block(std::uint8_t code) {
  block_[0] = code;
  write(Bytes(block_, length_ + 1));
  length_ = 0;
}

void FrameWriter::write(Bytes data) {
  if (taken_) taken_ = writer_.write(data);  // after a failure the rest of the frame would only be more noise
}

}  // namespace salus::console
