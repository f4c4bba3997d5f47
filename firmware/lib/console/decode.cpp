#include "console/decode.h"

#include <cmath>
#include <cstring>
#include <functional>
#include <type_traits>

namespace salus::console {
namespace {

constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kPublicKeyBytes = 33;  // compressed P-256
constexpr std::size_t kDigestBytes = 32;
constexpr std::uint32_t kLastBodyTag = 63;  // vendors' fields stand beside the body

// Where in `body` a field of variable length lies. Given twice, the last one holds, as protobuf says.
struct Found {
  explicit Found(MutableBytes within) : body(within) {}

  MutableBytes body;
  std::uint8_t* at = nullptr;
  std::size_t size = 0;
};

// A stream over a buffer keeps its place in `state`, so a callback can tell where its field begins. It does not lie in
// the body when a number was sent where bytes belong: nanopb then hands over a copy on its stack.
bool find(pb_istream_t* stream, const pb_field_iter_t*, void** arg) {
  Found& found = *static_cast<Found*>(*arg);
  auto* const at = static_cast<std::uint8_t*>(stream->state);
  constexpr std::less<const std::uint8_t*> before;
  if (before(at, found.body.begin()) || before(found.body.end(), at)) return false;
  found.at = at;
  found.size = stream->bytes_left;
  return pb_read(stream, nullptr, stream->bytes_left);
}

// For a field that must lie in one run: `repeated float`, packed.
bool find_once(pb_istream_t* stream, const pb_field_iter_t* field, void** arg) {
  return static_cast<Found*>(*arg)->at == nullptr && find(stream, field, arg);
}

void want(pb_callback_t& field, Found& found) {
  field.funcs.decode = find;
  field.arg = &found;
}

Bytes bytes_of(const Found& found) { return Bytes(found.at, found.size); }

bool close_text(const Found& found, const char*& text) {
  if (found.size == 0) {
    text = "";
    return true;
  }
  if (std::memchr(found.at, 0, found.size) != nullptr) return false;
  found.at[found.size] = 0;
  text = reinterpret_cast<const char*>(found.at);
  return true;
}

bool has_size(Bytes bytes, std::size_t size) { return bytes.empty() || bytes.size() == size; }

pb_istream_t stream_of(MutableBytes body) { return pb_istream_from_buffer(body.data(), body.size()); }

bool decode_varint(pb_istream_t& stream, pb_wire_type_t wire_type, std::uint32_t& value) {
  return wire_type == PB_WT_VARINT && pb_decode_varint32(&stream, &value);
}

bool decode_body(pb_istream_t& stream, std::uint32_t tag, Envelope& envelope) {
  std::uint32_t size = 0;
  if (!pb_decode_varint32(&stream, &size)) return false;
  envelope.tag = tag;
  envelope.body = MutableBytes(static_cast<std::uint8_t*>(stream.state), size);
  return pb_read(&stream, nullptr, size);  // false when it is longer than the frame
}

// Floats lie at any address in a frame. They are moved down over their own tag and length, which are read, and at most
// one byte of what stands before.
bool align(const Found& found, Span<const float>& values) {
  static_assert(sizeof(float) == 4 && alignof(float) <= 4);
  if (found.size == 0) return true;
  if (found.size % sizeof(float) != 0) return false;
  std::uint8_t* const at = found.at - reinterpret_cast<std::uintptr_t>(found.at) % alignof(float);
  std::memmove(at, found.at, found.size);
  values = Span<const float>(reinterpret_cast<const float*>(at), found.size / sizeof(float));
  return true;
}

bool all_finite(Span<const float> values) {
  for (const float value : values) {
    if (!std::isfinite(value)) return false;
  }
  return true;
}

}  // namespace

bool decode_envelope(MutableBytes frame, Envelope& envelope) {
  pb_istream_t stream = stream_of(frame);
  pb_wire_type_t wire_type = PB_WT_VARINT;
  std::uint32_t tag = 0;
  bool ended = false;
  while (pb_decode_tag(&stream, &wire_type, &tag, &ended)) {
    bool read = false;
    if (tag == salus_console_v1_Frame_version_tag) {
      read = decode_varint(stream, wire_type, envelope.version);
    } else if (tag == salus_console_v1_Frame_request_id_tag) {
      read = decode_varint(stream, wire_type, envelope.request_id);
    } else if (wire_type == PB_WT_STRING && tag <= kLastBodyTag) {
      read = decode_body(stream, tag, envelope);
    } else {
      read = pb_skip_field(&stream, wire_type);
    }
    if (!read) return false;
  }
  return ended;
}

bool decode_provision(MutableBytes body, Provision& provision, const char*& why) {
  salus_console_v1_Provision message = salus_console_v1_Provision_init_zero;
  Found device(body), federation(body), ssid(body), password(body), url(body), ca(body), certificate(body), key(body);
  Found secret(body), release_key(body), gateway_key(body), chain_id(body);
  want(message.device, device);
  want(message.federation, federation);
  want(message.wifi_ssid, ssid);
  want(message.wifi_password, password);
  want(message.broker_url, url);
  want(message.broker_ca_pem, ca);
  want(message.client_certificate_pem, certificate);
  want(message.client_key_pem, key);
  want(message.link_secret, secret);
  want(message.release_public_key, release_key);
  want(message.gateway_public_key, gateway_key);
  want(message.chain_id, chain_id);
  why = "no Provision";
  if (!decode_numbers(body, salus_console_v1_Provision_msg, message)) return false;
  why = "a text with a NUL in it";
  if (!close_text(device, provision.device) || !close_text(federation, provision.federation) ||
      !close_text(ssid, provision.wifi_ssid) || !close_text(password, provision.wifi_password) ||
      !close_text(url, provision.broker_url) || !close_text(ca, provision.broker_ca_pem) ||
      !close_text(certificate, provision.client_certificate_pem) || !close_text(key, provision.client_key_pem)) {
    return false;
  }
  provision.link_secret = bytes_of(secret);
  provision.release_public_key = bytes_of(release_key);
  provision.gateway_public_key = bytes_of(gateway_key);
  provision.chain_id = bytes_of(chain_id);
  why = "a key of the wrong length: link_secret and chain_id have 32 bytes, public keys 33";
  if (!has_size(provision.link_secret, kSecretBytes) || !has_size(provision.chain_id, kDigestBytes) ||
      !has_size(provision.release_public_key, kPublicKeyBytes) ||
      !has_size(provision.gateway_public_key, kPublicKeyBytes)) {
    return false;
  }
  std::underlying_type_t<Wrist> wrist;  // a number that the enum does not have must not be read as one
  std::memcpy(&wrist, &message.wrist, sizeof(wrist));
  why = "wrist is left or right";
  if (wrist > _salus_console_v1_Provision_Wrist_MAX) return false;
  provision.wrist = message.wrist;
  provision.ring_packets = message.ring_packets;
  provision.features_per_packet = message.features_per_packet;
  provision.windows_per_packet = message.windows_per_packet;
  provision.ack_timeout_ms = message.ack_timeout_ms;
  return true;
}

bool decode_inject_samples(MutableBytes body, InjectSamples& samples, const char*& why) {
  salus_console_v1_InjectSamples message = salus_console_v1_InjectSamples_init_zero;
  Found values(body);
  message.values.funcs.decode = find_once;
  message.values.arg = &values;
  why = "no InjectSamples, or its values are not packed in one run";
  if (!decode_numbers(body, salus_console_v1_InjectSamples_msg, message) || !align(values, samples.values))
    return false;
  samples.start_ms = message.start_ms;
  samples.first_sample = message.first_sample;
  samples.channels = message.channels;
  samples.ends_piece = message.ends_piece;
  why = "not a whole number of samples of `channels` values";
  if (samples.channels == 0 || samples.values.size() % samples.channels != 0) return false;
  why = "a value is infinite or no number";
  return all_finite(samples.values);
}

bool decode_deliver(MutableBytes body, const char*& topic, Bytes& payload, const char*& why) {
  salus_console_v1_Deliver message = salus_console_v1_Deliver_init_zero;
  Found name(body), data(body);
  want(message.topic, name);
  want(message.payload, data);
  why = "no Deliver with a topic";
  if (!decode_numbers(body, salus_console_v1_Deliver_msg, message) || !close_text(name, topic)) return false;
  payload = bytes_of(data);
  return name.size > 0;
}

bool decode_bytes(MutableBytes body, Bytes& bytes) {
  // Echo, ReleaseChunk and SayLabels are the same on the wire.
  static_assert(salus_console_v1_Echo_data_tag == salus_console_v1_ReleaseChunk_message_tag &&
                salus_console_v1_Echo_data_tag == salus_console_v1_SayLabels_labels_tag);
  salus_console_v1_Echo message = salus_console_v1_Echo_init_zero;
  Found data(body);
  want(message.data, data);
  if (!decode_numbers(body, salus_console_v1_Echo_msg, message)) return false;
  bytes = bytes_of(data);
  return true;
}

bool decode_run_inference(MutableBytes body, Bytes& input, bool& personal) {
  salus_console_v1_RunInference message = salus_console_v1_RunInference_init_zero;
  Found data(body);
  want(message.input, data);
  if (!decode_numbers(body, salus_console_v1_RunInference_msg, message)) return false;
  input = bytes_of(data);
  personal = message.personal;
  return true;
}

}  // namespace salus::console
