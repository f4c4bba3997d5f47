// The parts of a .tflite that inference needs, by name. Source: TensorFlow Lite's schema, version 3.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/engine.h"
#include "engine/portable/flatbuffer.h"

namespace salus::portable {

constexpr unsigned kMaxRank = 4;
constexpr std::size_t kMaxModelBytes = std::size_t{1} << 28;  // what an operand can point at

enum class Operator : std::int32_t {
  kAdd = 0,
  kAveragePool = 1,
  kConcatenation = 2,
  kConvolution = 3,
  kDepthwiseConvolution = 4,
  kFullyConnected = 9,
  kLogistic = 14,
  kMaxPool = 17,
  kMul = 18,
  kRelu = 19,
  kRelu6 = 21,
  kReshape = 22,
  kSoftmax = 25,
  kPad = 34,
  kMean = 40,
  kExpandDims = 70,
  kQuantize = 114,
};

enum class Type : std::int8_t { kInt32 = 2, kInt8 = 9 };
enum class Padding : std::int8_t { kSame = 0, kValid = 1 };
enum class Activation : std::int8_t { kNone = 0, kRelu = 1, kReluN1To1 = 2, kRelu6 = 3 };

struct Tensor {
  std::uint16_t index = 0;
  Type type = Type::kInt8;
  std::uint8_t rank = 0;
  std::uint16_t dims[kMaxRank] = {};
  std::uint32_t elements = 1;
  float scale = 0.0F;  // the first one
  std::int32_t zero_point = 0;
  Vector scales;  // float each
  std::int32_t scaled_dimension = 0;
  std::uint32_t data_at = 0;  // a constant's bytes in the model; 0: not a constant

  [[nodiscard]] bool constant() const { return data_at != 0; }
  [[nodiscard]] std::uint32_t last_dim() const { return rank == 0 ? 1U : dims[rank - 1U]; }
};

// One operator of the graph.
struct Node {
  Operator operation = Operator::kAdd;
  FlatBuffer::Table options;
  Vector inputs;   // int32 each; -1 stands for one left out
  Vector outputs;  // int32 each
};

class Model {
 public:
  explicit Model(Bytes bytes) : buffer_(bytes) {}

  // Find the one graph. Call first.
  [[nodiscard]] EngineStatus open();

  [[nodiscard]] std::uint32_t tensors() const { return tensors_.count; }
  [[nodiscard]] std::uint32_t nodes() const { return operators_.count; }
  [[nodiscard]] std::uint16_t input() const { return input_; }
  [[nodiscard]] std::uint16_t output() const { return output_; }

  [[nodiscard]] EngineStatus tensor(std::int32_t index, Tensor& into);
  [[nodiscard]] EngineStatus node(std::uint32_t index, Node& into);
  [[nodiscard]] FlatBuffer& buffer() { return buffer_; }

 private:
  [[nodiscard]] EngineStatus read_shape(const FlatBuffer::Table& table, Tensor& into);
  [[nodiscard]] EngineStatus read_quantisation(const FlatBuffer::Table& table, Tensor& into);
  [[nodiscard]] EngineStatus read_data(const FlatBuffer::Table& table, Tensor& into);

  FlatBuffer buffer_;
  Vector codes_, buffers_, tensors_, operators_;
  std::uint16_t input_ = 0;
  std::uint16_t output_ = 0;
};

}  // namespace salus::portable
