// The product in plain C++.

// This loop is where the time goes: fast even in a program that is built for size.
#if defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE_SIZE__)
#pragma GCC optimize("O2")
#endif

#include "engine/portable/product.h"

#if !SALUS_DSP

namespace salus::portable {

namespace {

std::int32_t sum_products(const std::int16_t* column, const std::int8_t* weights, std::uint32_t length,
                          std::int32_t start) {
  // Unsigned, so that a row of more than 2^16 products wraps as the reference kernels' sums do.
  auto sum = static_cast<std::uint32_t>(start);
  for (std::uint32_t i = 0; i < length; ++i) sum += static_cast<std::uint32_t>(column[i] * weights[i]);
  return static_cast<std::int32_t>(sum);
}

constexpr std::size_t second_column(std::uint32_t length) { return columns_bytes(length) / (2 * sizeof(std::int16_t)); }

}  // namespace

void fill_column(const std::int8_t* values, std::uint32_t length, std::int32_t offset, unsigned which,
                 std::int16_t* columns) {
  std::int16_t* const column = columns + which * second_column(length);
  for (std::uint32_t i = 0; i < length; ++i) column[i] = static_cast<std::int16_t>(values[i] + offset);
}

void multiply_two(const std::int16_t* columns, const Rows& rows, std::int8_t* output) {
  const std::int16_t* const second = columns + second_column(rows.length);
  const std::int8_t* weights = rows.weights;
  const std::int8_t* bias = rows.bias;
  for (std::uint32_t channel = 0; channel < rows.count; ++channel) {
    const Channel by = rows.channels[channel];
    const std::int32_t start = load_bias(bias);
    const std::int32_t left = rescale(sum_products(columns, weights, rows.length, start), by, rows.zero_point);
    const std::int32_t right = rescale(sum_products(second, weights, rows.length, start), by, rows.zero_point);
    output[channel] = static_cast<std::int8_t>(left);
    output[rows.count + channel] = static_cast<std::int8_t>(right);
    weights += rows.length;
    if (bias != nullptr) bias += 4;
  }
}

void multiply_one(const std::int8_t* values, std::int32_t offset, const Rows& rows, std::int8_t* output) {
  const std::int8_t* weights = rows.weights;
  const std::int8_t* bias = rows.bias;
  for (std::uint32_t channel = 0; channel < rows.count; ++channel) {
    auto sum = static_cast<std::uint32_t>(load_bias(bias));
    for (std::uint32_t i = 0; i < rows.length; ++i) {
      sum += static_cast<std::uint32_t>((values[i] + offset) * weights[i]);
    }
    const std::int32_t value = rescale(static_cast<std::int32_t>(sum), rows.channels[channel], rows.zero_point);
    output[channel] = static_cast<std::int8_t>(value);
    weights += rows.length;
    if (bias != nullptr) bias += 4;
  }
}

}  // namespace salus::portable

#endif  // !SALUS_DSP
