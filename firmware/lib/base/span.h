// A view of consecutive values that somebody else owns; C++17 has none of its own.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace salus {

template <typename T>
class Span {
 public:
  constexpr Span() = default;
  constexpr Span(T* data, std::size_t size) : data_(data), size_(size) {}
  template <std::size_t kSize>
  constexpr Span(T (&array)[kSize]) : data_(array), size_(kSize) {}
  template <typename U, typename = std::enable_if_t<std::is_convertible_v<U (*)[], T (*)[]>>>
  constexpr Span(Span<U> other) : data_(other.data()), size_(other.size()) {}

  [[nodiscard]] constexpr T* data() const { return data_; }
  [[nodiscard]] constexpr std::size_t size() const { return size_; }
  [[nodiscard]] constexpr bool empty() const { return size_ == 0; }
  [[nodiscard]] constexpr T* begin() const { return data_; }
  [[nodiscard]] constexpr T* end() const { return data_ + size_; }

  constexpr T& operator[](std::size_t at) const {
    assert(at < size_);
    return data_[at];
  }

  // The first `count` values; `count` is at most `size()`.
  [[nodiscard]] constexpr Span first(std::size_t count) const {
    assert(count <= size_);
    return Span(data_, count);
  }

  // The values from `at` on; `at` is at most `size()`.
  [[nodiscard]] constexpr Span from(std::size_t at) const {
    assert(at <= size_);
    return Span(data_ + at, size_ - at);
  }

  [[nodiscard]] constexpr Span part(std::size_t at, std::size_t count) const { return from(at).first(count); }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

using Bytes = Span<const std::uint8_t>;
using MutableBytes = Span<std::uint8_t>;

}  // namespace salus
