#include "engine/portable/model.h"

#include <cmath>

namespace salus::portable {

namespace {

constexpr std::uint32_t kIdentifier = 0x334C4654;  // "TFL3"
constexpr std::uint32_t kSchemaVersion = 3;
constexpr std::uint32_t kMaxElements = 1U << 24;  // so that no size of a device model overflows 32 bits
constexpr std::uint32_t kMaxIndex = 0xFFFE;

// Fields by their place in the schema.
namespace field {
constexpr unsigned kModelVersion = 0, kModelCodes = 1, kModelGraphs = 2, kModelBuffers = 4;
constexpr unsigned kCodeOld = 0, kCodeNew = 3;
constexpr unsigned kGraphTensors = 0, kGraphInputs = 1, kGraphOutputs = 2, kGraphOperators = 3;
constexpr unsigned kTensorShape = 0, kTensorType = 1, kTensorBuffer = 2, kTensorQuantisation = 4, kTensorSparsity = 6;
constexpr unsigned kQuantisationScale = 2, kQuantisationZeroPoint = 3, kQuantisationDimension = 6;
constexpr unsigned kOperatorCode = 0, kOperatorInputs = 1, kOperatorOutputs = 2, kOperatorOptions = 4;
constexpr unsigned kBufferData = 0, kBufferOffset = 1;
}  // namespace field

}  // namespace

EngineStatus Model::open() {
  if (buffer_.value<std::uint32_t>(4) != kIdentifier) return EngineStatus::kMalformed;
  const FlatBuffer::Table root = buffer_.root();
  const auto version = buffer_.scalar<std::uint32_t>(root, field::kModelVersion, 0);
  codes_ = buffer_.vector(root, field::kModelCodes, 4);
  buffers_ = buffer_.vector(root, field::kModelBuffers, 4);
  const Vector graphs = buffer_.vector(root, field::kModelGraphs, 4);
  if (!buffer_.sound() || graphs.count == 0) return EngineStatus::kMalformed;
  if (version != kSchemaVersion || graphs.count != 1) return EngineStatus::kUnsupported;

  const FlatBuffer::Table graph = buffer_.element(graphs, 0);
  tensors_ = buffer_.vector(graph, field::kGraphTensors, 4);
  operators_ = buffer_.vector(graph, field::kGraphOperators, 4);
  const Vector inputs = buffer_.vector(graph, field::kGraphInputs, 4);
  const Vector outputs = buffer_.vector(graph, field::kGraphOutputs, 4);
  if (!buffer_.sound() || inputs.count == 0 || outputs.count == 0) return EngineStatus::kMalformed;
  if (inputs.count != 1 || outputs.count != 1) return EngineStatus::kUnsupported;
  if (tensors_.count > kMaxIndex || operators_.count > kMaxIndex) return EngineStatus::kUnsupported;
  const auto input = buffer_.item<std::uint32_t>(inputs, 0);
  const auto output = buffer_.item<std::uint32_t>(outputs, 0);
  if (input >= tensors_.count || output >= tensors_.count) return EngineStatus::kMalformed;
  input_ = static_cast<std::uint16_t>(input);
  output_ = static_cast<std::uint16_t>(output);
  return EngineStatus::kOk;
}

EngineStatus Model::tensor(std::int32_t index, Tensor& into) {
  if (index < 0 || static_cast<std::uint32_t>(index) >= tensors_.count) return EngineStatus::kMalformed;
  into = Tensor{};
  into.index = static_cast<std::uint16_t>(index);
  const FlatBuffer::Table table = buffer_.element(tensors_, static_cast<std::uint32_t>(index));
  const auto type = buffer_.scalar<std::int8_t>(table, field::kTensorType, 0);
  if (!buffer_.sound()) return EngineStatus::kMalformed;
  if (type != static_cast<int>(Type::kInt8) && type != static_cast<int>(Type::kInt32))
    return EngineStatus::kUnsupported;
  into.type = static_cast<Type>(type);
  if (buffer_.table(table, field::kTensorSparsity).at != 0) return EngineStatus::kUnsupported;

  EngineStatus status = read_shape(table, into);
  if (status == EngineStatus::kOk) status = read_quantisation(table, into);
  if (status == EngineStatus::kOk) status = read_data(table, into);
  return status;
}

EngineStatus Model::read_shape(const FlatBuffer::Table& table, Tensor& into) {
  const Vector shape = buffer_.vector(table, field::kTensorShape, 4);
  if (!buffer_.sound()) return EngineStatus::kMalformed;
  if (shape.count > kMaxRank) return EngineStatus::kUnsupported;
  into.rank = static_cast<std::uint8_t>(shape.count);
  for (std::uint32_t i = 0; i < shape.count; ++i) {
    const auto dim = buffer_.item<std::int32_t>(shape, i);
    if (dim <= 0) return EngineStatus::kMalformed;
    if (dim > 0xFFFF || static_cast<std::uint32_t>(dim) > kMaxElements / into.elements)
      return EngineStatus::kUnsupported;
    into.dims[i] = static_cast<std::uint16_t>(dim);
    into.elements *= static_cast<std::uint32_t>(dim);
  }
  return EngineStatus::kOk;
}

EngineStatus Model::read_quantisation(const FlatBuffer::Table& table, Tensor& into) {
  const FlatBuffer::Table quantisation = buffer_.table(table, field::kTensorQuantisation);
  into.scales = buffer_.vector(quantisation, field::kQuantisationScale, 4);
  const Vector zero_points = buffer_.vector(quantisation, field::kQuantisationZeroPoint, 8);
  into.scaled_dimension = buffer_.scalar<std::int32_t>(quantisation, field::kQuantisationDimension, 0);
  if (!buffer_.sound()) return EngineStatus::kMalformed;
  for (std::uint32_t i = 0; i < into.scales.count; ++i) {
    const auto scale = buffer_.item<float>(into.scales, i);
    if (!std::isfinite(scale) || scale < 0.0F) return EngineStatus::kMalformed;
  }
  if (into.scales.count != 0) into.scale = buffer_.item<float>(into.scales, 0);
  if (zero_points.count > 1 && zero_points.count != into.scales.count) return EngineStatus::kMalformed;
  for (std::uint32_t i = 0; i < zero_points.count; ++i) {
    const auto zero_point = buffer_.item<std::int64_t>(zero_points, i);
    if (zero_point < -128 || zero_point > 127) return EngineStatus::kMalformed;
    if (i == 0) into.zero_point = static_cast<std::int32_t>(zero_point);
    if (zero_point != into.zero_point) return EngineStatus::kUnsupported;
  }
  return EngineStatus::kOk;
}

EngineStatus Model::read_data(const FlatBuffer::Table& table, Tensor& into) {
  const auto index = buffer_.scalar<std::uint32_t>(table, field::kTensorBuffer, 0);
  if (!buffer_.sound() || index >= buffers_.count) return EngineStatus::kMalformed;
  const FlatBuffer::Table stored = buffer_.element(buffers_, index);
  const Vector data = buffer_.vector(stored, field::kBufferData, 1);
  if (buffer_.scalar<std::uint64_t>(stored, field::kBufferOffset, 0) > 1) return EngineStatus::kUnsupported;
  if (!buffer_.sound()) return EngineStatus::kMalformed;
  if (data.count == 0) return EngineStatus::kOk;
  const std::uint32_t bytes = into.elements * (into.type == Type::kInt32 ? 4U : 1U);
  if (data.count != bytes) return EngineStatus::kMalformed;
  into.data_at = static_cast<std::uint32_t>(data.at);
  return EngineStatus::kOk;
}

EngineStatus Model::node(std::uint32_t index, Node& into) {
  const FlatBuffer::Table table = buffer_.element(operators_, index);
  const auto code_index = buffer_.scalar<std::uint32_t>(table, field::kOperatorCode, 0);
  if (!buffer_.sound() || code_index >= codes_.count) return EngineStatus::kMalformed;
  const FlatBuffer::Table code = buffer_.element(codes_, code_index);
  // The old field is a byte and holds at most 127; newer codes are in the new one, older files lack it.
  const std::int32_t old_code = buffer_.scalar<std::int8_t>(code, field::kCodeOld, 0);
  const auto new_code = buffer_.scalar<std::int32_t>(code, field::kCodeNew, 0);
  const std::int32_t chosen = old_code > new_code ? old_code : new_code;
  into.inputs = buffer_.vector(table, field::kOperatorInputs, 4);
  into.outputs = buffer_.vector(table, field::kOperatorOutputs, 4);
  into.options = buffer_.table(table, field::kOperatorOptions);
  if (!buffer_.sound()) return EngineStatus::kMalformed;
  into.operation = static_cast<Operator>(chosen);
  return into.inputs.count == 0 || into.outputs.count != 1 ? EngineStatus::kMalformed : EngineStatus::kOk;
}

}  // namespace salus::portable
