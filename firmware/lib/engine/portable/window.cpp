#include "engine/portable/window.h"

#include <utility>

namespace salus::portable {

namespace {

constexpr std::int32_t kLargest = 0x7FFF;

EngineStatus make_axis(Padding padding, std::int32_t input, std::int32_t output, std::int32_t kernel,
                       std::int32_t stride, std::int32_t dilation, Axis& into) {
  if (stride <= 0 || dilation <= 0 || kernel <= 0) return EngineStatus::kMalformed;
  if (stride > kLargest || dilation > kLargest || kernel > kLargest) return EngineStatus::kUnsupported;
  const std::int32_t reach = (kernel - 1) * dilation + 1;
  if (reach > kLargest) return EngineStatus::kUnsupported;
  const std::int32_t span = padding == Padding::kSame ? input : input - reach + 1;
  if (span <= 0 || (span + stride - 1) / stride != output) return EngineStatus::kMalformed;
  const std::int32_t missing = (output - 1) * stride + reach - input;
  into.input = static_cast<std::uint16_t>(input);
  into.output = static_cast<std::uint16_t>(output);
  into.kernel = static_cast<std::uint16_t>(kernel);
  into.stride = static_cast<std::uint16_t>(stride);
  into.dilation = static_cast<std::uint16_t>(dilation);
  into.padding = static_cast<std::uint16_t>(missing > 0 ? missing / 2 : 0);
  return EngineStatus::kOk;
}

}  // namespace

EngineStatus make_window(const WindowOptions& options, const Tensor& input, const Tensor& output, Window& into) {
  if (input.rank != 4 || output.rank != 4 || input.dims[0] != output.dims[0]) return EngineStatus::kMalformed;
  const auto padding = static_cast<Padding>(options.padding);
  if (padding != Padding::kSame && padding != Padding::kValid) return EngineStatus::kMalformed;
  SALUS_RETURN_UNLESS_OK(make_axis(padding, input.dims[1], output.dims[1], options.kernel_rows, options.stride_rows,
                                   options.dilation_rows, into.rows));
  SALUS_RETURN_UNLESS_OK(make_axis(padding, input.dims[2], output.dims[2], options.kernel_columns,
                                   options.stride_columns, options.dilation_columns, into.columns));
  // A signal that lies along the rows is the same bytes as one along the columns, where a window is contiguous.
  if (into.columns.input == 1 && into.columns.output == 1 && into.columns.kernel == 1) {
    std::swap(into.rows, into.columns);
  }
  return EngineStatus::kOk;
}

}  // namespace salus::portable
