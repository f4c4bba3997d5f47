// The bodies of requests, from a frame to views of it. All return false for what is malformed; `why` then says what is.
// A text is closed with NUL where it lies: the byte behind it was a tag, a length or the CRC, all read by then.
#pragma once

#include <pb_decode.h>

#include "base/span.h"
#include "console/messages.h"

namespace salus::console {

// The envelope of a frame.
struct Envelope {
  std::uint32_t version = 0;
  std::uint32_t request_id = 0;
  std::uint32_t tag = 0;  // of the body; 0: none
  MutableBytes body;
};

[[nodiscard]] bool decode_envelope(MutableBytes frame, Envelope& envelope);

[[nodiscard]] bool decode_provision(MutableBytes body, Provision& provision, const char*& why);
[[nodiscard]] bool decode_inject_samples(MutableBytes body, InjectSamples& samples, const char*& why);
[[nodiscard]] bool decode_deliver(MutableBytes body, const char*& topic, Bytes& payload, const char*& why);

// A message whose field 1 holds bytes: ReleaseChunk, SayLabels, Echo.
[[nodiscard]] bool decode_bytes(MutableBytes body, Bytes& bytes);
[[nodiscard]] bool decode_run_inference(MutableBytes body, Bytes& input, bool& personal);

// Messages of numbers only.
template <typename Message>
[[nodiscard]] bool decode_numbers(MutableBytes body, const pb_msgdesc_t& fields, Message& message) {
  pb_istream_t stream = pb_istream_from_buffer(body.data(), body.size());
  return pb_decode(&stream, &fields, &message);
}

}  // namespace salus::console
