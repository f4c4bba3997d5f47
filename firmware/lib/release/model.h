// A model that may run, as its manifest describes it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/span.h"
#include "crypto/crypto.h"

namespace salus::release {

constexpr std::size_t kMaxTaskLength = 63;
constexpr std::size_t kMaxClasses = 16;  // of a personal model, as Alarm's
constexpr std::size_t kMaxConfirmWindows = 32;

// real = (q - zero_point) * scale.
struct Quantisation {
  float scale = 0.0F;
  std::int32_t zero_point = 0;
  std::uint16_t dims[4] = {};
  std::uint8_t rank = 0;
  std::size_t values = 0;  // the product of dims: int8, so bytes too
};

// What a personal model's logits mean on the wearable; see `Decision` in release.proto.
struct AlarmRule {
  std::uint32_t classes = 0;
  std::uint32_t alarm_classes = 0;  // bit i: class i
  std::uint32_t confirm_windows = 1;
  float threshold = 0.0F;
  std::uint32_t refractory_ms = 0;
};

// Views point into the mapped partition; they hold until the next swap or drop.
struct ActiveModel {
  Bytes model;  // the .tflite
  std::uint32_t version = 0;
  Digest sha256{};  // of `model`
  char task[kMaxTaskLength + 1] = {};
  Bytes frontend;  // serialised salus.release.v1.FrontEnd; empty for a personal model
  Quantisation input;
  Quantisation output;
  std::uint32_t arena_bytes = 0;
  Bytes manifest;   // the serialised Manifest, for `golden`
  AlarmRule alarm;  // of a personal model; classes is 0 for a base
};

// The golden input `index` and its output; false when there are no more.
[[nodiscard]] bool golden(const ActiveModel& model, std::size_t index, Bytes& input, Bytes& output);

}  // namespace salus::release
