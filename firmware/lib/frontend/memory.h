// The memory that a front end is built in: given out once, from the start, and never back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

#include "base/span.h"

namespace salus::frontend {

class Memory {
 public:
  explicit Memory(MutableBytes bytes) : bytes_(bytes) {}

  // `count` values, zero; empty when the memory is used up.
  template <typename T>
  [[nodiscard]] Span<T> array(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>, "nothing is ever destroyed");
    void* place = take(count * sizeof(T), alignof(T));
    if (place == nullptr) return {};
    T* values = static_cast<T*>(place);
    for (std::size_t i = 0; i < count; ++i) new (values + i) T();
    return Span<T>(values, count);
  }

  // One object; nullptr when the memory is used up.
  template <typename T, typename... Arguments>
  [[nodiscard]] T* make(Arguments&&... arguments) {
    void* place = take(sizeof(T), alignof(T));
    return place == nullptr ? nullptr : new (place) T(std::forward<Arguments>(arguments)...);
  }

  [[nodiscard]] std::size_t used_bytes() const { return used_; }
  [[nodiscard]] bool exhausted() const { return exhausted_; }

 private:
  void* take(std::size_t size, std::size_t alignment) {
    const auto address = reinterpret_cast<std::uintptr_t>(bytes_.data()) + used_;
    const std::size_t gap = (alignment - address % alignment) % alignment;
    if (exhausted_ || gap > bytes_.size() - used_ || size > bytes_.size() - used_ - gap) {
      exhausted_ = true;
      return nullptr;
    }
    used_ += gap + size;
    return bytes_.data() + used_ - size;
  }

  MutableBytes bytes_;
  std::size_t used_ = 0;
  bool exhausted_ = false;
};

}  // namespace salus::frontend
