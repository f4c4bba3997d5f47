// The same interface over TensorFlow Lite Micro, for boards that have it as the component espressif/esp-tflite-micro,
// with ESP-NN's kernels. Elsewhere this header declares nothing.
#pragma once

#if __has_include("tensorflow/lite/micro/micro_interpreter.h")
#define SALUS_TFLM 1

#include <optional>

#include "engine/engine.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

namespace salus {

// TFLM follows a model's offsets unchecked and reads its constants where they lie: bytes are verified here first, and a
// model must be aligned to 16, as a mapped slot of the flash is. Where TFLM refuses a sound model of known operators it
// does not say why: the status is then kArenaTooSmall.
class TflmEngine final : public Engine {
 public:
  TflmEngine();

  [[nodiscard]] EngineStatus load(Bytes model, MutableBytes arena) override;
  [[nodiscard]] EngineStatus run(Span<const std::int8_t> input, Span<std::int8_t> output) override;
  [[nodiscard]] std::size_t arena_used_bytes() const override;
  [[nodiscard]] TensorInfo input() const override { return input_; }
  [[nodiscard]] TensorInfo output() const override { return output_; }

 private:
  static constexpr unsigned kOperators = 17;

  [[nodiscard]] EngineStatus check(const tflite::Model& model) const;

  tflite::MicroMutableOpResolver<kOperators> resolver_;
  std::optional<tflite::MicroInterpreter> interpreter_;
  TensorInfo input_;
  TensorInfo output_;
};

}  // namespace salus

#else
#define SALUS_TFLM 0
#endif
