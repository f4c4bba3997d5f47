// Columns of numbers times rows of weights: what CONV_2D and FULLY_CONNECTED spend their time in.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/portable/channel.h"

namespace salus::portable {

// One column or two at a time. Their values are int16 with the zero point taken off, in an order that is the
// kernel's own affair.
constexpr std::size_t columns_bytes(std::uint32_t length, unsigned how_many) {
  return std::size_t{2} * how_many * ((length + 3) & ~std::uint32_t{3});
}

// The column `which` of `how_many`.
void fill_column(const std::int8_t* values, std::uint32_t length, std::int32_t offset, unsigned which,
                 unsigned how_many, std::int16_t* columns);

struct Rows {
  const std::int8_t* weights;  // channels × length, a row for each channel
  const std::int8_t* bias;     // int32 of any alignment for each channel, or nullptr
  const Channel* channels;
  std::uint32_t count;   // of channels
  std::uint32_t length;  // of a row
  std::int32_t zero_point;
};

// Each column by every row; the outputs of each column follow each other. Two columns take at least two rows.
void multiply(const std::int16_t* columns, unsigned how_many, const Rows& rows, std::int8_t* output);

}  // namespace salus::portable
