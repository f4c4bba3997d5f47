#include "engine/tflm/tflm_engine.h"

#if SALUS_TFLM

#include <algorithm>
#include <cstring>

#include "flatbuffers/verifier.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace salus {

namespace {

constexpr std::uintptr_t kModelAlignment = 16;

// Both ends of a model are int8 of at most four dimensions.
EngineStatus describe(const TfLiteTensor* tensor, TensorInfo& into) {
  if (tensor == nullptr || tensor->type != kTfLiteInt8 || tensor->dims->size > 4) return EngineStatus::kUnsupported;
  into.scale = tensor->params.scale;
  into.zero_point = tensor->params.zero_point;
  into.rank = static_cast<std::uint8_t>(tensor->dims->size);
  for (int i = 0; i < tensor->dims->size; ++i) into.dims[i] = static_cast<std::uint16_t>(tensor->dims->data[i]);
  into.bytes = tensor->bytes;
  return EngineStatus::kOk;
}

}  // namespace

TflmEngine::TflmEngine() {
  (void)resolver_.AddAdd();
  (void)resolver_.AddAveragePool2D();
  (void)resolver_.AddConcatenation();
  (void)resolver_.AddConv2D();
  (void)resolver_.AddDepthwiseConv2D();
  (void)resolver_.AddExpandDims();
  (void)resolver_.AddFullyConnected();
  (void)resolver_.AddLogistic();
  (void)resolver_.AddMaxPool2D();
  (void)resolver_.AddMean();
  (void)resolver_.AddMul();
  (void)resolver_.AddPad();
  (void)resolver_.AddQuantize();
  (void)resolver_.AddRelu();
  (void)resolver_.AddRelu6();
  (void)resolver_.AddReshape();
  (void)resolver_.AddSoftmax();
}

EngineStatus TflmEngine::check(const tflite::Model& model) const {
  if (model.version() != TFLITE_SCHEMA_VERSION) return EngineStatus::kUnsupported;
  if (model.subgraphs() == nullptr || model.subgraphs()->size() != 1) return EngineStatus::kUnsupported;
  const tflite::SubGraph& graph = *model.subgraphs()->Get(0);
  if (graph.inputs() == nullptr || graph.outputs() == nullptr || graph.tensors() == nullptr ||
      graph.operators() == nullptr || model.operator_codes() == nullptr || model.buffers() == nullptr) {
    return EngineStatus::kMalformed;
  }
  if (graph.inputs()->size() != 1 || graph.outputs()->size() != 1) return EngineStatus::kUnsupported;
  for (const tflite::OperatorCode* code : *model.operator_codes()) {
    const int old_code = code->deprecated_builtin_code();
    const auto chosen =
        static_cast<tflite::BuiltinOperator>(std::max(old_code, static_cast<int>(code->builtin_code())));
    if (resolver_.FindOp(chosen) == nullptr) return EngineStatus::kUnsupported;
  }
  return EngineStatus::kOk;
}

EngineStatus TflmEngine::load(Bytes model, MutableBytes arena) {
  interpreter_.reset();
  input_ = output_ = TensorInfo{};
  if (reinterpret_cast<std::uintptr_t>(model.data()) % kModelAlignment != 0) return EngineStatus::kUnsupported;
  flatbuffers::Verifier verifier(model.data(), model.size());
  if (!tflite::VerifyModelBuffer(verifier)) return EngineStatus::kMalformed;
  const tflite::Model& opened = *tflite::GetModel(model.data());
  const EngineStatus status = check(opened);
  if (status != EngineStatus::kOk) return status;

  interpreter_.emplace(&opened, resolver_, arena.data(), arena.size());
  if (interpreter_->initialization_status() != kTfLiteOk || interpreter_->AllocateTensors() != kTfLiteOk) {
    interpreter_.reset();
    return EngineStatus::kArenaTooSmall;
  }
  EngineStatus ends = describe(interpreter_->input(0), input_);
  if (ends == EngineStatus::kOk) ends = describe(interpreter_->output(0), output_);
  if (ends != EngineStatus::kOk) interpreter_.reset();
  return ends;
}

EngineStatus TflmEngine::run(Span<const std::int8_t> input, Span<std::int8_t> output) {
  if (!interpreter_) return EngineStatus::kNotLoaded;
  if (input.size() != input_.bytes || output.size() != output_.bytes) return EngineStatus::kWrongSize;
  std::memcpy(interpreter_->input(0)->data.int8, input.data(), input.size());
  if (interpreter_->Invoke() != kTfLiteOk) return EngineStatus::kUnsupported;
  std::memcpy(output.data(), interpreter_->output(0)->data.int8, output.size());
  return EngineStatus::kOk;
}

std::size_t TflmEngine::arena_used_bytes() const { return interpreter_ ? interpreter_->arena_used_bytes() : 0; }

}  // namespace salus

#endif  // SALUS_TFLM
