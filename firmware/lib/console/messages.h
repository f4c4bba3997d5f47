// What the console's frames say, as the handler of a wearable sees it.
//
// Requests hold views: text ends with NUL, bytes and samples lie in the console's memory, and all of it is gone when
// the handler returns. Replies without long fields are nanopb's structs under shorter names.
#pragma once

#include <cstdint>

#include "base/span.h"
#include "console.pb.h"

namespace salus::console {

enum class Level : std::uint8_t { kDebug = 1, kInfo = 2, kWarning = 3, kError = 4 };

// How a command went. Code and detail live until the handler is called again; no code: it was done.
struct [[nodiscard]] Outcome {
  const char* code = nullptr;
  const char* detail = "";

  [[nodiscard]] bool done() const { return code == nullptr; }
};

using HelloReply = salus_console_v1_HelloReply;
using Status = salus_console_v1_Status;
using InjectReply = salus_console_v1_InjectReply;
using GoldenResult = salus_console_v1_GoldenResult;
using Statistics = salus_console_v1_Statistics;
using Wrist = salus_console_v1_Provision_Wrist;

// Text "" and bytes of size 0 were not given; a number 0 neither.
struct Provision {
  const char* device = "";
  const char* federation = "";
  const char* wifi_ssid = "";
  const char* wifi_password = "";
  const char* broker_url = "";
  const char* broker_ca_pem = "";
  const char* client_certificate_pem = "";
  const char* client_key_pem = "";
  Bytes link_secret;
  Bytes release_public_key;
  Bytes gateway_public_key;
  Bytes chain_id;
  Wrist wrist = salus_console_v1_Provision_Wrist_WRIST_UNSPECIFIED;
  std::uint32_t ring_packets = 0;
  std::uint32_t features_per_packet = 0;
  std::uint32_t windows_per_packet = 0;
  std::uint32_t ack_timeout_ms = 0;
};

struct InjectSamples {
  std::uint64_t start_ms = 0;      // of the piece's sample 0
  std::uint64_t first_sample = 0;  // index in the piece
  std::uint32_t channels = 0;      // above 0
  Span<const float> values;        // (samples, channels); a whole number of samples
  bool ends_piece = false;
};

struct InferenceResult {
  Span<const std::int8_t> output;  // lives until the handler is called again
  std::uint32_t duration_us = 0;
};

// What a wearable wants of whoever carries its packets. The console leaves out user and password of the URL.
struct LinkOpen {
  const char* url = "";
  const char* client_id = "";
  const char* ca_pem = "";
  Span<const char* const> topics;
  const char* will_topic = "";
  Bytes will_payload;
};

}  // namespace salus::console
