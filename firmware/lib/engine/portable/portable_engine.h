// Our interpreter: bit-exact with TFLM's reference kernels, for the operators that base layers and heads use, in int8
// with per-channel weights. Everything it keeps is in the caller's arena.
#pragma once

#include "engine/engine.h"
#include "engine/portable/operation.h"

namespace salus {

class PortableEngine final : public Engine {
 public:
  [[nodiscard]] EngineStatus load(Bytes model, MutableBytes arena) override;
  [[nodiscard]] EngineStatus run(Span<const std::int8_t> input, Span<std::int8_t> output) override;
  [[nodiscard]] std::size_t arena_used_bytes() const override { return used_bytes_; }
  [[nodiscard]] TensorInfo input() const override { return input_; }
  [[nodiscard]] TensorInfo output() const override { return output_; }

 private:
  const std::uint8_t* model_ = nullptr;
  std::int8_t* tensors_ = nullptr;
  const portable::Operation* operations_ = nullptr;
  portable::Operand output_operand_;
  std::size_t used_bytes_ = 0;
  TensorInfo input_;
  TensorInfo output_;
  bool loaded_ = false;
};

}  // namespace salus
