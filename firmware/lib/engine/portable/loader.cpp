#include "engine/portable/loader.h"

#include <cmath>

namespace salus::portable {

namespace {

constexpr std::uint32_t kMaxSlots = 512;  // planning looks at every pair; base layers have dozens

struct Known {
  Operator operation;
  Build build;
};

constexpr Known kKnown[] = {{Operator::kAdd, build_elementwise},
                            {Operator::kAveragePool, build_pooling},
                            {Operator::kConcatenation, build_concatenation},
                            {Operator::kConvolution, build_convolution},
                            {Operator::kDepthwiseConvolution, build_depthwise},
                            {Operator::kExpandDims, build_reshape},
                            {Operator::kFullyConnected, build_fully_connected},
                            {Operator::kLogistic, build_logistic},
                            {Operator::kMaxPool, build_pooling},
                            {Operator::kMean, build_mean},
                            {Operator::kMul, build_elementwise},
                            {Operator::kPad, build_pad},
                            {Operator::kQuantize, build_activation},
                            {Operator::kRelu, build_activation},
                            {Operator::kRelu6, build_activation},
                            {Operator::kReshape, build_reshape},
                            {Operator::kSoftmax, build_softmax}};

Build builder_of(Operator operation) {
  for (const Known& known : kKnown) {
    if (known.operation == operation) return known.build;
  }
  return nullptr;
}

// The nearest step of the output's scale, in float as TFLM computes it, within int8.
std::int32_t quantise_bound(float real, const Tensor& output) {
  const float steps = std::round(real / output.scale);
  const float near = steps < -256.0F  ? -256.0F
                     : steps > 256.0F ? 256.0F
                                      : steps;  // further away is outside of int8 too
  return clamp(output.zero_point + static_cast<std::int32_t>(near), -128, 127);
}

}  // namespace

EngineStatus Loader::load() {
  SALUS_RETURN_UNLESS_OK(trace());
  SALUS_RETURN_UNLESS_OK(build());
  place();
  return bottom_ + planned_ <= arena_.size() ? EngineStatus::kOk : EngineStatus::kArenaTooSmall;
}

// Where every tensor lives and how long, and whether the order of the nodes is one in which they can run.
EngineStatus Loader::trace() {
  const std::uint32_t slots = model_.tensors() + model_.nodes();
  if (slots > kMaxSlots) return EngineStatus::kUnsupported;
  const std::size_t bytes = slots * sizeof(Slot) + model_.tensors() * sizeof(Operand);
  if (bytes > top_) return EngineStatus::kArenaTooSmall;
  top_ = (top_ - bytes) & ~(alignof(Slot) - 1);
  slots_ = new (arena_.data() + top_) Slot[slots];
  where_ = new (arena_.data() + top_ + slots * sizeof(Slot)) Operand[model_.tensors()];

  Tensor input;
  SALUS_RETURN_UNLESS_OK(model_.tensor(model_.input(), input));
  if (input.constant()) return EngineStatus::kMalformed;
  where_[input.index] = Operand(Operand::Space::kInput, 0);
  for (std::uint32_t at = 0; at < model_.nodes(); ++at) {
    Node node;
    SALUS_RETURN_UNLESS_OK(model_.node(at, node));
    if (builder_of(node.operation) == nullptr) return EngineStatus::kUnsupported;
    SALUS_RETURN_UNLESS_OK(trace_node(static_cast<std::uint16_t>(at), node));
  }
  output_ = where_[model_.output()];
  if (output_.space() == Operand::Space::kNone) return EngineStatus::kMalformed;
  if (output_.space() == Operand::Space::kArena) slots_[output_.at()].last = static_cast<std::uint16_t>(model_.nodes());
  return EngineStatus::kOk;
}

EngineStatus Loader::trace_node(std::uint16_t at, const Node& node) {
  for (std::uint32_t i = 0; i < node.inputs.count; ++i) {
    if (!has_input(node, i)) continue;
    Tensor tensor;
    SALUS_RETURN_UNLESS_OK(input(node, i, tensor));
    Operand& where = where_[tensor.index];
    if (tensor.constant()) where = Operand(Operand::Space::kModel, tensor.data_at);
    if (where.space() == Operand::Space::kNone) return EngineStatus::kMalformed;
    if (where.space() == Operand::Space::kArena) slots_[where.at()].last = at;
  }
  Tensor written;
  SALUS_RETURN_UNLESS_OK(output(node, written));
  Operand& where = where_[written.index];
  if (written.constant() || where.space() != Operand::Space::kNone) return EngineStatus::kMalformed;
  if (written.type != Type::kInt8) return EngineStatus::kUnsupported;
  if (node.operation == Operator::kReshape || node.operation == Operator::kExpandDims) {
    Tensor same;  // the same bytes under another shape: nothing moves
    SALUS_RETURN_UNLESS_OK(input(node, 0, same));
    where = where_[same.index];
    return EngineStatus::kOk;
  }
  where = Operand(Operand::Space::kArena, written.index);
  slots_[written.index].bytes = written.elements;
  slots_[written.index].first = slots_[written.index].last = at;
  return EngineStatus::kOk;
}

EngineStatus Loader::build() {
  for (node_ = 0; node_ < model_.nodes(); ++node_) {
    Node node;
    SALUS_RETURN_UNLESS_OK(model_.node(node_, node));
    SALUS_RETURN_UNLESS_OK(builder_of(node.operation)(*this, node));
    if (!buffer().sound()) return EngineStatus::kMalformed;
  }
  return EngineStatus::kOk;
}

void Loader::place() {
  bottom_ = (bottom_ + alignof(std::int32_t) - 1) & ~(alignof(std::int32_t) - 1);
  planned_ = plan(Span<Slot>(slots_, model_.tensors() + model_.nodes()));
  for (Operation* each = head_; each != nullptr; each = each->next) {
    each->first = placed(each->first);
    each->second = placed(each->second);
    each->output = placed(each->output);
    each->scratch = placed(each->scratch);
  }
  output_ = placed(output_);
  const std::size_t while_loading = arena_.size() - top_;
  if (planned_ < while_loading) planned_ = while_loading;
}

Operand Loader::placed(Operand slot) const {
  return slot.space() == Operand::Space::kArena ? Operand(Operand::Space::kArena, slots_[slot.at()].at) : slot;
}

bool Loader::has_input(const Node& node, std::uint32_t position) {
  return position < node.inputs.count && buffer().item<std::int32_t>(node.inputs, position) != -1;
}

EngineStatus Loader::input(const Node& node, std::uint32_t position, Tensor& into) {
  if (!has_input(node, position)) return EngineStatus::kMalformed;
  return model_.tensor(buffer().item<std::int32_t>(node.inputs, position), into);
}

EngineStatus Loader::output(const Node& node, Tensor& into) {
  return model_.tensor(buffer().item<std::int32_t>(node.outputs, 0), into);
}

static EngineStatus check_activation(const Tensor& tensor) {
  if (tensor.type != Type::kInt8 || tensor.scales.count != 1) return EngineStatus::kUnsupported;
  return tensor.scale > 0.0F ? EngineStatus::kOk : EngineStatus::kMalformed;
}

EngineStatus Loader::activation(const Node& node, std::uint32_t position, Tensor& into) {
  SALUS_RETURN_UNLESS_OK(input(node, position, into));
  return check_activation(into);
}

EngineStatus Loader::output_activation(const Node& node, Tensor& into) {
  SALUS_RETURN_UNLESS_OK(output(node, into));
  return check_activation(into);
}

EngineStatus Loader::numbers(const Node& node, std::uint32_t position, Tensor& into) {
  SALUS_RETURN_UNLESS_OK(input(node, position, into));
  return into.constant() && into.type == Type::kInt32 ? EngineStatus::kOk : EngineStatus::kUnsupported;
}

EngineStatus Loader::range(std::int8_t activation, const Tensor& output, Range& into) {
  std::int32_t low = -128;
  std::int32_t high = 127;
  switch (static_cast<Activation>(activation)) {
    case Activation::kNone:
      break;
    case Activation::kRelu:
      low = quantise_bound(0.0F, output);
      break;
    case Activation::kReluN1To1:
      low = quantise_bound(-1.0F, output);
      high = quantise_bound(1.0F, output);
      break;
    case Activation::kRelu6:
      low = quantise_bound(0.0F, output);
      high = quantise_bound(6.0F, output);
      break;
    default:
      return EngineStatus::kUnsupported;
  }
  into.low = static_cast<std::int8_t>(low);
  into.high = static_cast<std::int8_t>(high);
  return EngineStatus::kOk;
}

Operand Loader::operand(const Tensor& tensor) const { return where_[tensor.index]; }

Operand Loader::scratch(std::size_t bytes) {
  const std::uint32_t slot = model_.tensors() + node_;
  slots_[slot].bytes = static_cast<std::uint32_t>(bytes);
  slots_[slot].first = slots_[slot].last = static_cast<std::uint16_t>(node_);
  return Operand(Operand::Space::kArena, slot);
}

void* Loader::allocate(std::size_t bytes, std::size_t alignment) {
  const std::size_t at = (bottom_ + alignment - 1) & ~(alignment - 1);
  if (at > top_ || bytes > top_ - at) return nullptr;
  bottom_ = at + bytes;
  return arena_.data() + at;
}

void Loader::link(Operation& operation, Operation::Run run, const Tensor& first, const Tensor& output) {
  operation.run = run;
  operation.first = operand(first);
  operation.output = operand(output);
  if (tail_ == nullptr) {
    head_ = &operation;
  } else {
    tail_->next = &operation;
  }
  tail_ = &operation;
}

}  // namespace salus::portable
