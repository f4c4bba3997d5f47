// An int8 model that runs: loaded from a .tflite in place, in memory that the caller gives.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/span.h"

namespace salus {

enum class EngineStatus : std::uint8_t {
  kOk,
  kMalformed,      // the bytes are no .tflite, or say two things that cannot both be true
  kUnsupported,    // a sound .tflite, but with an operator, a type or a shape that no base layer has
  kArenaTooSmall,  // it would run in a larger arena
  kWrongSize,      // the input's or the output's number of values is not the model's
  kNotLoaded,      // no model yet, or the last one was refused
};

[[nodiscard]] const char* code_of(EngineStatus status);

struct TensorInfo {
  float scale = 0.0F;
  std::int32_t zero_point = 0;
  std::uint16_t dims[4] = {0, 0, 0, 0};
  std::uint8_t rank = 0;
  std::size_t bytes = 0;  // one value is one byte
};

class Engine {
 public:
  virtual ~Engine() = default;

  // Take a model over; what was loaded before is gone, whatever the outcome. `model` and `arena` must outlive it, and
  // neither needs an alignment. Never trusts a byte of `model`.
  [[nodiscard]] virtual EngineStatus load(Bytes model, MutableBytes arena) = 0;

  // One inference. `input` is read where it lies. The two may overlap: `output` is written last.
  [[nodiscard]] virtual EngineStatus run(Span<const std::int8_t> input, Span<std::int8_t> output) = 0;

  [[nodiscard]] virtual std::size_t arena_used_bytes() const = 0;  // 0 when nothing is loaded
  [[nodiscard]] virtual TensorInfo input() const = 0;
  [[nodiscard]] virtual TensorInfo output() const = 0;
};

}  // namespace salus
