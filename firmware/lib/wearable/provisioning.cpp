#include "wearable/provisioning.h"

#include <cstring>

#include "link/topics.h"

namespace salus::wearable {
namespace {

constexpr char kIdentityKey[] = "identity";
constexpr char kSettingsKey[] = "settings";
constexpr char kSpentKey[] = "spent_secret";
constexpr char kSpentDomain[] = "salus spent secret";

// What lies in the store is this firmware's own layout, with its number in front: another one is not read.
constexpr std::uint8_t kLayout = 1;

template <typename Record>
StoreStatus load_record(const Store& store, const char* key, Record& record) {
  std::uint8_t bytes[1 + sizeof(Record)];
  std::size_t size = 0;
  const StoreStatus status = store.read(key, bytes, size);
  if (status != StoreStatus::kOk) return status;
  if (size != sizeof bytes || bytes[0] != kLayout) return StoreStatus::kFailed;
  std::memcpy(&record, bytes + 1, sizeof record);
  return StoreStatus::kOk;
}

template <typename Record>
bool save_record(Store& store, const char* key, const Record& record) {
  std::uint8_t bytes[1 + sizeof(Record)];
  bytes[0] = kLayout;
  std::memcpy(bytes + 1, &record, sizeof record);
  return store.write(key, bytes) == StoreStatus::kOk;
}

template <std::size_t kSize>
bool known(const std::uint8_t (&value)[kSize]) {
  std::uint8_t any = 0;
  for (const std::uint8_t byte : value) any |= byte;
  return any != 0;
}

constexpr console::Outcome kMalformed{"malformed", ""};

console::Outcome merge_id(const char* given, const char* what, char (&id)[kMaxIdLength + 1]) {
  if (*given == '\0') return {};
  if (!is_link_id(given)) return {kMalformed.code, what};
  if (*id != '\0' && std::strcmp(id, given) != 0) return {"already_set", what};
  std::memcpy(id, given, std::strlen(given) + 1);
  return {};
}

template <std::size_t kSize>
console::Outcome merge_bytes(Bytes given, const char* what, std::uint8_t (&value)[kSize]) {
  if (given.empty()) return {};
  if (given.size() != kSize) return {kMalformed.code, what};
  std::uint8_t copy[kSize];
  std::memcpy(copy, given.data(), kSize);
  if (!known(copy)) return {kMalformed.code, what};
  if (known(value) && !equal_constant_time(given, value)) return {"already_set", what};
  std::memcpy(value, given.data(), kSize);
  return {};
}

bool is_broker_url(const char* text) {
  return std::strncmp(text, "mqtt://", 7) == 0 || std::strncmp(text, "mqtts://", 8) == 0;
}

void merge(std::uint32_t given, std::uint32_t& value) {
  if (given != 0) value = given;
}

}  // namespace

struct Provisioning::Text {
  const char* key;
  const char* given;  // "" leaves what is there
  char* value;
  std::size_t size;
};

void Provisioning::texts(const console::Provision* request, Text (&out)[kTexts]) {
  const console::Provision nothing;
  const console::Provision& given = request != nullptr ? *request : nothing;
  const Text all[kTexts] = {
      {"wifi_ssid", given.wifi_ssid, wifi_ssid_, sizeof wifi_ssid_},
      {"wifi_password", given.wifi_password, wifi_password_, sizeof wifi_password_},
      {"broker_url", given.broker_url, broker_url_, sizeof broker_url_},
      {"broker_ca", given.broker_ca_pem, broker_ca_pem_, sizeof broker_ca_pem_},
      {"client_cert", given.client_certificate_pem, certificate_pem_, sizeof certificate_pem_},
      {"client_key", given.client_key_pem, key_pem_, sizeof key_pem_},
  };
  std::memcpy(static_cast<void*>(out), all, sizeof all);
}

bool Provisioning::load() {
  const StoreStatus identity = load_record(store_, kIdentityKey, identity_);
  const StoreStatus settings = load_record(store_, kSettingsKey, settings_);
  bool whole = identity != StoreStatus::kFailed && settings != StoreStatus::kFailed;
  Text all[kTexts];
  texts(nullptr, all);
  for (const Text& text : all) {
    std::size_t size = 0;
    const StoreStatus status =
        store_.read(text.key, MutableBytes(reinterpret_cast<std::uint8_t*>(text.value), text.size), size);
    whole = whole && (status == StoreStatus::kOk || status == StoreStatus::kMissing);
    text.value[status == StoreStatus::kOk && size < text.size ? size : 0] = '\0';
  }
  return whole;
}

console::Outcome Provisioning::merge_identity(const console::Provision& request, Identity& identity) const {
  const console::Outcome steps[] = {
      merge_id(request.device, "device", identity.device),
      merge_id(request.federation, "federation", identity.federation),
      merge_bytes(request.link_secret, "link_secret", identity.link_secret),
      merge_bytes(request.chain_id, "chain_id", identity.chain_id),
      merge_bytes(request.release_public_key, "release_public_key", identity.release_public_key),
      merge_bytes(request.gateway_public_key, "gateway_public_key", identity.gateway_public_key),
  };
  for (const console::Outcome& step : steps) {
    if (!step.done()) return step;
  }
  for (const Bytes key : {request.release_public_key, request.gateway_public_key}) {
    if (!key.empty() && !is_p256_public_key(key)) return {kMalformed.code, "a public key that is no point on P-256"};
  }
  if (!request.link_secret.empty() && spent(request.link_secret)) {
    return {"spent_secret", "this link secret was erased here before; enrol with a new one"};
  }
  return {};
}

console::Outcome Provisioning::apply(const console::Provision& request) {
  Identity identity = identity_;
  if (const console::Outcome refused = merge_identity(request, identity); !refused.done()) return refused;
  Settings settings = settings_;
  merge(request.ring_packets, settings.ring_packets);
  merge(request.features_per_packet, settings.features_per_packet);
  merge(request.windows_per_packet, settings.windows_per_packet);
  merge(request.ack_timeout_ms, settings.ack_timeout_ms);
  merge(static_cast<std::uint32_t>(request.wrist), settings.wrist);
  if (settings.features_per_packet > kMaxFeaturesPerPacket) return {kMalformed.code, "features_per_packet: at most 32"};
  if (settings.windows_per_packet > kMaxWindowsPerPacket) return {kMalformed.code, "windows_per_packet: at most 8"};
  if (*request.broker_url != '\0' && !is_broker_url(request.broker_url)) {
    return {kMalformed.code, "broker_url: mqtt://host:port or mqtts://host:port"};
  }
  Text all[kTexts];
  texts(&request, all);
  for (const Text& text : all) {
    if (std::strlen(text.given) >= text.size) return {kMalformed.code, text.key};
  }
  constexpr console::Outcome kFailed{"store_failed", "the store does not keep what is written"};
  if (std::memcmp(&settings, &settings_, sizeof settings) != 0 && !save_record(store_, kSettingsKey, settings)) {
    return kFailed;
  }
  settings_ = settings;
  for (const Text& text : all) {
    const std::size_t length = std::strlen(text.given);
    if (length == 0 || std::strcmp(text.given, text.value) == 0) continue;
    if (store_.write(text.key, Bytes(reinterpret_cast<const std::uint8_t*>(text.given), length)) != StoreStatus::kOk) {
      return kFailed;
    }
    std::memcpy(text.value, text.given, length + 1);
    ++broker_generation_;
  }
  // Last: a power cut before this leaves a wearable that is not enrolled, and can be told again.
  if (std::memcmp(&identity, &identity_, sizeof identity) == 0) return {};
  const bool new_secret = !known(identity_.link_secret) && known(identity.link_secret);
  if (new_secret && counters_.enrol(identity.link_secret) != LinkStatus::kOk) return kFailed;
  if (!save_record(store_, kIdentityKey, identity)) return kFailed;
  identity_ = identity;
  return {};
}

bool Provisioning::spent(Bytes secret) const {
  Digest mark{};
  std::size_t size = 0;
  if (store_.read(kSpentKey, MutableBytes(mark.data(), mark.size()), size) != StoreStatus::kOk) return false;
  const Digest wanted = signed_digest(kSpentDomain, secret);
  return equal_constant_time(Bytes(mark.data(), size), Bytes(wanted.data(), wanted.size()));
}

bool Provisioning::erase() {
  if (known(identity_.link_secret)) {
    const Digest mark = signed_digest(kSpentDomain, identity_.link_secret);
    if (store_.write(kSpentKey, Bytes(mark.data(), mark.size())) != StoreStatus::kOk) return false;
  }
  const auto gone = [this](const char* key) {
    const StoreStatus status = store_.erase(key);
    return status == StoreStatus::kOk || status == StoreStatus::kMissing;
  };
  bool done = gone(kIdentityKey);
  done = gone(kSettingsKey) && done;
  Text all[kTexts];
  texts(nullptr, all);
  for (const Text& text : all) {
    done = gone(text.key) && done;
    std::memset(text.value, 0, text.size);
  }
  identity_ = Identity{};
  settings_ = Settings{};
  ++broker_generation_;
  return done;
}

bool Provisioning::complete() const {
  return *identity_.device != '\0' && *identity_.federation != '\0' && *broker_url_ != '\0' &&
         known(identity_.link_secret) && known(identity_.chain_id) && known(identity_.release_public_key);
}

Broker Provisioning::broker() const { return {broker_url_, "", broker_ca_pem_, certificate_pem_, key_pem_}; }

}  // namespace salus::wearable
