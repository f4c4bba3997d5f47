// A window that slides over rows and columns: where it is, and which of its taps lie inside.
#pragma once

#include <cstdint>

#include "engine/portable/loader.h"

namespace salus::portable {

// One direction.
struct Axis {
  std::uint16_t input;
  std::uint16_t output;
  std::uint16_t kernel;
  std::uint16_t stride;
  std::uint16_t dilation;
  std::uint16_t padding;  // before the input
};

struct Taps {
  std::int32_t origin;  // of the window in the input; negative where it starts in the padding
  std::int32_t first;   // tap inside
  std::int32_t end;
};

inline Taps taps(const Axis& axis, std::uint32_t position) {
  Taps found;
  found.origin = static_cast<std::int32_t>(position * axis.stride) - axis.padding;
  found.first = found.origin < 0 ? (axis.dilation - 1 - found.origin) / axis.dilation : 0;
  const std::int32_t inside = (axis.input - found.origin + axis.dilation - 1) / axis.dilation;
  found.end = inside < axis.kernel ? inside : axis.kernel;
  return found;
}

struct Window {
  Axis rows;
  Axis columns;
};

// The numbers of a node's options, unchecked.
struct WindowOptions {
  std::int8_t padding;
  std::int32_t stride_rows, stride_columns;
  std::int32_t dilation_rows, dilation_columns;
  std::int32_t kernel_rows, kernel_columns;
};

// kMalformed when the output's shape is not what the input and the options make; both tensors have four dimensions.
[[nodiscard]] EngineStatus make_window(const WindowOptions& options, const Tensor& input, const Tensor& output,
                                       Window& into);

}  // namespace salus::portable
