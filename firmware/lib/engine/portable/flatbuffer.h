// FlatBuffers, read where they lie. Every offset is checked against the buffer before it is followed, so that hostile
// bytes can at worst be refused. Source: "FlatBuffer Internals" of the FlatBuffers documentation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/span.h"

namespace salus::portable {

// Elements that follow each other; `at` is the first one's place in the buffer.
struct Vector {
  std::size_t at = 0;
  std::uint32_t count = 0;
};

class FlatBuffer {
 public:
  // A table's place: its fields are found through `vtable`. `at` 0 is no table: every field of it has its default.
  struct Table {
    std::size_t at = 0;
    std::size_t vtable = 0;
    std::size_t vtable_bytes = 0;
  };

  explicit FlatBuffer(Bytes bytes) : bytes_(bytes) {}

  // False once anything pointed outside; what was read since is worthless.
  [[nodiscard]] bool sound() const { return sound_; }
  [[nodiscard]] Bytes bytes() const { return bytes_; }

  [[nodiscard]] Table root() { return follow(0); }
  [[nodiscard]] Table table(const Table& in, unsigned field);
  [[nodiscard]] Table element(const Vector& tables, std::uint32_t index) {
    return follow(tables.at + std::size_t{4} * index);
  }
  // Absent is empty.
  [[nodiscard]] Vector vector(const Table& in, unsigned field, std::size_t element_bytes);

  template <typename T>
  [[nodiscard]] T scalar(const Table& in, unsigned field, T absent) {
    const std::size_t at = find(in, field);
    return at == 0 ? absent : value<T>(at);
  }

  // An element of a vector of scalars; `index` is below its count.
  template <typename T>
  [[nodiscard]] T item(const Vector& in, std::uint32_t index) {
    return value<T>(in.at + sizeof(T) * index);
  }

  template <typename T>
  [[nodiscard]] T value(std::size_t at) {
    T read{};
    if (!within(at, sizeof(T))) return read;
    std::memcpy(&read, bytes_.data() + at, sizeof(T));
    return read;
  }

 private:
  [[nodiscard]] bool within(std::size_t at, std::size_t length);
  [[nodiscard]] Table follow(std::size_t at);
  [[nodiscard]] std::size_t find(const Table& in, unsigned field);  // 0: absent

  Bytes bytes_;
  bool sound_ = true;
};

}  // namespace salus::portable
