#include "link/topics.h"

#include <cstring>
#include <initializer_list>

namespace salus {
namespace {

constexpr const char* kNames[kKinds] = {"state", "feature", "window", "event", "label", "release", "command", "ack"};
constexpr const char* kPrefix = "salus/1/";

// Append `text` at `at`, which moves; the caller has made sure of the room.
void append(char*& at, const char* text) {
  const std::size_t length = std::strlen(text);
  std::memcpy(at, text, length + 1);
  at += length;
}

}  // namespace

const char* name_of(Kind kind) { return kNames[static_cast<std::size_t>(kind)]; }

bool is_link_id(const char* text) {
  std::size_t length = 0;
  for (; text[length] != '\0'; ++length) {
    const char each = text[length];
    const bool good = (each >= 'a' && each <= 'z') || (each >= '0' && each <= '9') || each == '-';
    if (!good || length == kMaxLinkIdLength) return false;
  }
  return length != 0;
}

LinkStatus Topics::start(const char* federation, const char* device) {
  if (!is_link_id(federation) || !is_link_id(device)) return LinkStatus::kMalformed;
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    char* at = topics_[kind];
    for (const char* part : {kPrefix, federation, "/", device, "/", kNames[kind]}) append(at, part);
  }
  return LinkStatus::kOk;
}

const char* Topics::of(Kind kind) const { return topics_[static_cast<std::size_t>(kind)]; }

LinkStatus Topics::parse(const char* topic, Kind& kind) const {
  for (std::size_t each = 0; each < kKinds; ++each) {
    if (topics_[each][0] != '\0' && std::strcmp(topics_[each], topic) == 0) {
      kind = static_cast<Kind>(each);
      return LinkStatus::kOk;
    }
  }
  return LinkStatus::kMalformed;
}

}  // namespace salus
