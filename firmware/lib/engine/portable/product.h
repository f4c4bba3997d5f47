// Columns of numbers times rows of weights: what CONV_2D and FULLY_CONNECTED spend their time in.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/portable/channel.h"

namespace salus::portable {

// Two columns beside each other. Their values are int16 with the zero point taken off, in an order that is the
// kernel's own affair.
constexpr std::size_t columns_bytes(std::uint32_t length) {
  return std::size_t{4} * ((length + 3) & ~std::uint32_t{3});
}

// The column `which`, 0 or 1.
void fill_column(const std::int8_t* values, std::uint32_t length, std::int32_t offset, unsigned which,
                 std::int16_t* columns);

struct Rows {
  const std::int8_t* weights;  // channels × length, a row for each channel
  const std::int8_t* bias;     // int32 of any alignment for each channel, or nullptr
  const Channel* channels;
  std::uint32_t count;   // of channels
  std::uint32_t length;  // of a row
  std::int32_t zero_point;
};

// Both columns by every row, of which there are at least two; the outputs of each column follow each other.
void multiply_two(const std::int16_t* columns, const Rows& rows, std::int8_t* output);

// The values, each plus `offset`, by every row; no memory is needed for a column.
void multiply_one(const std::int8_t* values, std::int32_t offset, const Rows& rows, std::int8_t* output);

}  // namespace salus::portable
