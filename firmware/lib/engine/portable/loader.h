// Turns a model into operations. One builder for each operator says what it needs of this class.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>

#include "engine/engine.h"
#include "engine/portable/model.h"
#include "engine/portable/operation.h"
#include "engine/portable/planner.h"

namespace salus::portable {

class Loader {
 public:
  // `arena` is aligned for pointers.
  Loader(Model& model, MutableBytes arena) : model_(model), arena_(arena), top_(arena.size()) {}

  [[nodiscard]] EngineStatus load();

  // After `load`.
  [[nodiscard]] const Operation* operations() const { return head_; }
  [[nodiscard]] std::size_t tables_bytes() const { return bottom_; }    // from the arena's start
  [[nodiscard]] std::size_t tensors_bytes() const { return planned_; }  // behind them
  [[nodiscard]] Operand output() const { return output_; }

  // For builders ------------------------------------------------------------------------------------------------
  [[nodiscard]] Model& model() { return model_; }
  [[nodiscard]] FlatBuffer& buffer() { return model_.buffer(); }

  // The node's tensor of this position.
  [[nodiscard]] EngineStatus input(const Node& node, std::uint32_t position, Tensor& into);
  [[nodiscard]] EngineStatus output(const Node& node, Tensor& into);
  // The same, and it is int8 with one scale.
  [[nodiscard]] EngineStatus activation(const Node& node, std::uint32_t position, Tensor& into);
  [[nodiscard]] EngineStatus output_activation(const Node& node, Tensor& into);
  // The same, and it is a constant of int32.
  [[nodiscard]] EngineStatus numbers(const Node& node, std::uint32_t position, Tensor& into);
  // Whether the node has that input at all.
  [[nodiscard]] bool has_input(const Node& node, std::uint32_t position);

  template <typename T>
  [[nodiscard]] T option(const Node& node, unsigned field, T absent) {
    return buffer().scalar<T>(node.options, field, absent);
  }
  [[nodiscard]] std::int32_t number(const Tensor& numbers, std::uint32_t at) {
    return buffer().value<std::int32_t>(numbers.data_at + std::size_t{4} * at);
  }

  // The fused activation's range in the output's units; kUnsupported where there is none such in int8.
  [[nodiscard]] EngineStatus range(std::int8_t activation, const Tensor& output, Range& into);

  // A new operation at the list's end, zeroed; nullptr when the arena is full.
  template <typename T>
  [[nodiscard]] T* append(Operation::Run run, const Tensor& first, const Tensor& output) {
    static_assert(std::is_base_of_v<Operation, T> && std::is_trivially_destructible_v<T>);
    void* place = allocate(sizeof(T), alignof(T));
    if (place == nullptr) return nullptr;
    T* made = new (place) T();
    link(*made, run, first, output);
    return made;
  }
  // A table that stays; nullptr when the arena is full.
  template <typename T>
  [[nodiscard]] T* table(std::size_t count) {
    return static_cast<T*>(allocate(sizeof(T) * count, alignof(T)));
  }
  [[nodiscard]] Operand operand(const Tensor& tensor) const;
  // Bytes that only the node under way uses.
  [[nodiscard]] Operand scratch(std::size_t bytes);

 private:
  [[nodiscard]] EngineStatus trace();
  [[nodiscard]] EngineStatus trace_node(std::uint16_t at, const Node& node);
  [[nodiscard]] EngineStatus build();
  void place();
  void* allocate(std::size_t bytes, std::size_t alignment);
  void link(Operation& operation, Operation::Run run, const Tensor& first, const Tensor& output);
  [[nodiscard]] Operand placed(Operand slot) const;

  Model& model_;
  MutableBytes arena_;
  std::size_t bottom_ = 0;    // tables grow from here upward
  std::size_t top_;           // and what only loading needs from here downward
  Slot* slots_ = nullptr;     // one for each tensor, then one for each node's scratch
  Operand* where_ = nullptr;  // of each tensor; kArena means its slot
  std::uint32_t node_ = 0;
  Operation* head_ = nullptr;
  Operation* tail_ = nullptr;
  Operand output_;
  std::size_t planned_ = 0;
};

// One for each operator family, in its own file.
using Build = EngineStatus (*)(Loader&, const Node&);
EngineStatus build_activation(Loader& loader, const Node& node);
EngineStatus build_concatenation(Loader& loader, const Node& node);
EngineStatus build_convolution(Loader& loader, const Node& node);
EngineStatus build_depthwise(Loader& loader, const Node& node);
EngineStatus build_elementwise(Loader& loader, const Node& node);
EngineStatus build_fully_connected(Loader& loader, const Node& node);
EngineStatus build_logistic(Loader& loader, const Node& node);
EngineStatus build_mean(Loader& loader, const Node& node);
EngineStatus build_pad(Loader& loader, const Node& node);
EngineStatus build_pooling(Loader& loader, const Node& node);
EngineStatus build_reshape(Loader& loader, const Node& node);
EngineStatus build_softmax(Loader& loader, const Node& node);

}  // namespace salus::portable

// The way every builder goes on only while all is well.
#define SALUS_RETURN_UNLESS_OK(expression)                                 \
  do {                                                                     \
    const ::salus::EngineStatus salus_status_ = (expression);              \
    if (salus_status_ != ::salus::EngineStatus::kOk) return salus_status_; \
  } while (false)
