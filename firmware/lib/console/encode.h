// A message as one frame. What is longer than a frame, or cannot be encoded, is not begun.
#pragma once

#include <cstdint>

#include "base/span.h"
#include "console/frame_writer.h"
#include "console/messages.h"

namespace salus::console {

enum class Sent : std::uint8_t { kYes, kTooLong, kLost };

// `message` is the nanopb struct of the body with this tag.
[[nodiscard]] Sent encode_frame(FrameWriter& writer, std::uint32_t request_id, std::uint32_t tag, const void* message);

// Fields of variable length: what they point at lives until the frame is encoded.
void set_bytes(pb_callback_t& field, const Bytes& bytes);
void set_text(pb_callback_t& field, const char* const& text);
void set_texts(pb_callback_t& field, const Span<const char* const>& texts);

}  // namespace salus::console
