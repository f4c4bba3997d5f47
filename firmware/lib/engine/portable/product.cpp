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

}  // namespace

void fill_column(const std::int8_t* values, std::uint32_t length, std::int32_t offset, unsigned which, unsigned,
                 std::int16_t* columns) {
  std::int16_t* const column = columns + which * columns_bytes(length, 1) / sizeof(*columns);
  for (std::uint32_t i = 0; i < length; ++i) column[i] = static_cast<std::int16_t>(values[i] + offset);
}

void multiply(const std::int16_t* columns, unsigned how_many, const Rows& rows, std::int8_t* output) {
  const std::int8_t* weights = rows.weights;
  const std::int8_t* bias = rows.bias;
  for (std::uint32_t channel = 0; channel < rows.count; ++channel) {
    const std::int32_t start = load_bias(bias);
    for (unsigned which = 0; which < how_many; ++which) {
      const std::int16_t* const column = columns + which * columns_bytes(rows.length, 1) / sizeof(*columns);
      const std::int32_t sum = sum_products(column, weights, rows.length, start);
      const std::int32_t value = rescale(sum, rows.channels[channel], rows.zero_point);
      output[which * rows.count + channel] = static_cast<std::int8_t>(value);
    }
    weights += rows.length;
    if (bias != nullptr) bias += 4;
  }
}

}  // namespace salus::portable

#endif  // !SALUS_DSP
