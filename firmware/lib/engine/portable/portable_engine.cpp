#include "engine/portable/portable_engine.h"

#include <cstring>

#include "engine/portable/loader.h"

namespace salus {

namespace {

// Both ends of a model are int8 with one scale.
EngineStatus describe(portable::Model& model, std::uint16_t index, TensorInfo& into) {
  portable::Tensor tensor;
  SALUS_RETURN_UNLESS_OK(model.tensor(index, tensor));
  if (tensor.type != portable::Type::kInt8 || tensor.scales.count != 1) return EngineStatus::kUnsupported;
  into.scale = tensor.scale;
  into.zero_point = tensor.zero_point;
  into.rank = tensor.rank;
  for (unsigned i = 0; i < tensor.rank; ++i) into.dims[i] = tensor.dims[i];
  into.bytes = tensor.elements;
  return tensor.scale > 0.0F ? EngineStatus::kOk : EngineStatus::kMalformed;
}

}  // namespace

EngineStatus PortableEngine::load(Bytes model, MutableBytes arena) {
  *this = PortableEngine{};
  if (model.size() >= portable::kMaxModelBytes) return EngineStatus::kUnsupported;
  constexpr std::size_t kAlignment = alignof(std::max_align_t) < 8 ? alignof(std::max_align_t) : 8;
  const std::size_t lead = (kAlignment - reinterpret_cast<std::uintptr_t>(arena.data()) % kAlignment) % kAlignment;
  if (lead >= arena.size()) return EngineStatus::kArenaTooSmall;

  portable::Model opened(model);
  SALUS_RETURN_UNLESS_OK(opened.open());
  TensorInfo input;
  TensorInfo output;
  SALUS_RETURN_UNLESS_OK(describe(opened, opened.input(), input));
  SALUS_RETURN_UNLESS_OK(describe(opened, opened.output(), output));
  portable::Loader loader(opened, arena.from(lead));
  SALUS_RETURN_UNLESS_OK(loader.load());

  model_ = model.data();
  tensors_ = reinterpret_cast<std::int8_t*>(arena.data() + lead + loader.tables_bytes());
  operations_ = loader.operations();
  output_operand_ = loader.output();
  used_bytes_ = lead + loader.tables_bytes() + loader.tensors_bytes();
  input_ = input;
  output_ = output;
  loaded_ = true;
  return EngineStatus::kOk;
}

EngineStatus PortableEngine::run(Span<const std::int8_t> input, Span<std::int8_t> output) {
  if (!loaded_) return EngineStatus::kNotLoaded;
  if (input.size() != input_.bytes || output.size() != output_.bytes) return EngineStatus::kWrongSize;
  const portable::Memory memory(tensors_, input.data(), reinterpret_cast<const std::int8_t*>(model_));
  for (const portable::Operation* each = operations_; each != nullptr; each = each->next) each->run(*each, memory);
  std::memmove(output.data(), memory.read(output_operand_), output.size());
  return EngineStatus::kOk;
}

}  // namespace salus
